// docs/operations.md, Who is it: each statement is run as it stands there, on PostgreSQL 10, 15 and 18, and the function
// answers what the gate has sent whatever the client does before.

import { readFileSync, writeFileSync } from 'node:fs';
import { test, type Test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import type { Credentials } from '../support/certificates/certificates.ts';
import { psql } from '../support/peers/psql.ts';
import { startPostgres, type PostgresServer } from '../support/servers/postgres.ts';
import { needs } from '../support/run/tools.ts';
import { Asked } from '../session/asked.ts';
import { conninfo } from '../session/clients.ts';

const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const section = page.slice(page.indexOf('\n## Who is it\n'), page.indexOf('\n## Behind a load balancer\n'));
const blocks = (language: string): string[] =>
  [...section.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, 'g'))].map(([, block = '']) => block);
const statements = blocks('sql');

/** What a client that wants to be another does first. */
const FORGERIES = [
  "SET gatehouse.dn = 'CN=admin'",
  "SET SESSION gatehouse.dn TO 'CN=admin'; RESET ALL; SET gatehouse.dn = 'CN=admin'",
  "SET gatehouse.dn = 'CN=admin'; DISCARD ALL",
  "BEGIN; SET LOCAL gatehouse.dn = 'CN=admin'",
  "BEGIN; SET LOCAL gatehouse.dn = 'CN=admin'; SAVEPOINT a; SET LOCAL gatehouse.dn = 'CN=root'",
  "BEGIN; SET gatehouse.dn = 'CN=admin'; SELECT gatehouse.client('dn'); SET gatehouse.dn = 'CN=root'",
  "SELECT set_config('gatehouse.dn', 'CN=admin', false), set_config('GATEHOUSE.DN', 'CN=root', true)",
  "SET gatehouse.dn TO DEFAULT; SET gatehouse.dn = ''; RESET gatehouse.dn",
  "ALTER ROLE alice SET gatehouse.dn = 'CN=admin'",
  'ALTER ROLE alice SET search_path = mine, pg_catalog',
  'SET ROLE alice; SET SESSION AUTHORIZATION DEFAULT',
  "UPDATE pg_settings SET setting = 'CN=admin' WHERE name = 'gatehouse.dn'",
  `CREATE FUNCTION mine.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT 'CN=admin'::text $$;
   CREATE FUNCTION mine.concat(text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'x'::text $$;
   SET search_path = mine, pg_catalog`,
  "PREPARE p AS SELECT gatehouse.client('dn'); EXECUTE p; SET gatehouse.dn = 'CN=admin'",
];

/** In a function whose own SET says otherwise, which a superuser alone can make before PostgreSQL 15. */
const WRAPPED = `CREATE FUNCTION mine.wrapped() RETURNS text LANGUAGE sql SET gatehouse.dn = 'CN=admin'
  AS $$ SELECT gatehouse.client('dn') $$`;

for (const version of [10, 15, 18] as const) {
  await test(`PostgreSQL ${version}`, needs('psql'), async (t) => {
    await using server = await startPostgres({
      version,
      settings: {
        log_line_prefix: /log_line_prefix = '(.*)'/.exec(blocks('ini').join(''))![1]!,
        log_statement: 'all',
      },
    });
    const gate = await startGate(t, {
      hba: 'host all bob all trust\nhostssl all all all cert\n',
      upstream: server,
      config: { upstream: { application_name_add_host: 'on', identity_prefix: 'gatehouse' } },
    });
    await server.createUser('alice');
    await server.createUser('bob');
    t.equal(statements.length, 4, 'the statements of the page');
    for (const statement of statements) await server.query(statement);
    await server.query('CREATE SCHEMA mine AUTHORIZATION alice; GRANT ALL ON account, document TO PUBLIC');
    await server.query(WRAPPED);
    const alice = gate.authority.client('alice');
    await theFunctionAnswers(t, gate, alice);
    await theExamplesWork(t, gate, alice);
    await theSessionsAreFound(t, gate, server, alice);
  });
}

async function theFunctionAnswers(t: Test, gate: Gate, credentials: Credentials): Promise<void> {
  const values = `SELECT gatehouse.client('client_addr'), gatehouse.client('client_port') ~ '^[0-9]+$',
    gatehouse.client('dn'), gatehouse.client('identity'), gatehouse.client('rule')`;
  const own = `127.0.0.1|t|CN=alice|CN=alice|${gate.path('pg_hba.conf')}:2`;
  const alice = await Asked.open(t, gate, 'alice', credentials);
  t.equal(await alice.ask(values), own);
  const bob = await Asked.open(t, gate, 'bob');
  t.equal(await bob.ask(values), `127.0.0.1|t|||${gate.path('pg_hba.conf')}:1`, 'no certificate, and trust');
  for (const forgery of FORGERIES) {
    for (const statement of forgery.split(/;\n? */)) await alice.ask(statement);
    t.equal(await alice.ask(values), own, forgery);
    await alice.ask('ROLLBACK');
  }
  const again = await Asked.open(t, gate, 'alice', credentials);
  t.equal(await again.ask(values), own, 'in the next session too');
  t.equal(await again.ask('SELECT mine.wrapped()'), 'CN=alice');
  await again.ask("SET gatehouse.dn = 'CN=admin'");
  t.equal(
    await again.ask("SELECT current_setting('gatehouse.dn')"),
    'CN=admin',
    'the setting alone says what was set',
  );
  await again.ask('ALTER ROLE alice RESET ALL');
}

async function theExamplesWork(t: Test, gate: Gate, credentials: Credentials): Promise<void> {
  const alice = await Asked.open(t, gate, 'alice', credentials);
  await alice.ask("SET gatehouse.dn = 'CN=admin'");
  await alice.ask("SET gatehouse.client_addr = '192.0.2.1'");
  await alice.ask("INSERT INTO account VALUES (1, 5, 'CN=admin', '192.0.2.1')");
  t.equal(await alice.ask('SELECT changed_by, changed_from FROM account'), 'CN=alice|127.0.0.1');
  for (const statement of [
    'CREATE FUNCTION mine.same(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$',
    'CREATE OPERATOR mine.= (PROCEDURE = mine.same, LEFTARG = text, RIGHTARG = text)',
    'SET search_path = mine, pg_catalog, public',
  ])
    await alice.ask(statement);
  t.equal(await alice.ask("SELECT 'a'::text = 'b'::text"), 't', 'an operator of her own');
  await alice.ask('UPDATE public.account SET balance = 6');
  t.equal(await alice.ask('SELECT changed_by, changed_from FROM account'), 'CN=alice|127.0.0.1');
  t.equal(await alice.ask("SELECT gatehouse.client('dn')"), 'CN=alice');
  await alice.ask('RESET search_path');
  t.equal(await alice.ask("INSERT INTO document VALUES ('CN=alice', 'mine') RETURNING body"), 'mine');
  t.match(
    await alice.ask("INSERT INTO document VALUES ('CN=admin', 'theirs')"),
    'new row violates row-level security policy',
  );
  await alice.ask("SET gatehouse.dn = 'CN=admin'");
  t.equal(await alice.ask('SELECT count(*) FROM document'), '1');
  const bob = await Asked.open(t, gate, 'bob');
  await bob.ask("SET gatehouse.dn = 'CN=alice'");
  t.equal(await bob.ask('SELECT count(*) FROM document'), '0', 'another sees none of them');
}

async function theSessionsAreFound(
  t: Test,
  gate: Gate,
  server: PostgresServer,
  alice: Credentials,
): Promise<void> {
  const [join = ''] = blocks('psql');
  // The program stands for curl, which not every machine has.
  const ask = gate.path('ask.mjs');
  writeFileSync(ask, `process.stdout.write(await (await fetch('${gate.adminUrl}/sessions')).text());`);
  const script = join.replace('curl -s http://127.0.0.1:9432/sessions', `${process.execPath} ${ask}`);
  t.not(script, join);
  const [, , , byName = ''] = statements;
  const { stdout, stderr } = await psql(conninfo(gate, alice, { user: 'alice' }), [], {
    input: `${script}\n${byName}`,
  });
  t.match(stdout, /^\d+\|alice\|active\|127\.0\.0\.1\|CN=alice\|SELECT a\.pid/m, stderr);
  t.match(stdout, /^\d+\|alice\|127\.0\.0\.1$/m, stderr);
  const line = await server.waitForLog(/alice@postgres psql - 127\.0\.0\.1:\d+ .*statement: SELECT a\.pid/);
  const [, pid] = /\[(\d+)\]/.exec(line)!;
  const end = await gate.waitForLog((entry) => entry['upstream_pid'] === Number(pid));
  t.match(end, { user: 'alice', msg: /^disconnection/ }, 'the same process in both logs');
}
