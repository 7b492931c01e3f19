// auth_query of a real server (contract §13): whose secret it has, who is refused by its answer, and that nothing of a name
// becomes a part of the query.

import { test, type Test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { startPostgres, type PostgresServer } from '../support/servers/postgres.ts';
import { psql } from '../support/peers/psql.ts';
import { needs } from '../support/run/tools.ts';
import { startupMessage } from '../support/peers/messages.ts';
import { conninfo, openClient } from '../session/clients.ts';
import { certificateOf, knock } from './catalog-gate.ts';

/** Answers for some users in a way of their own; for all others the truth. */
const FUNCTION = `
create function lookup.secret(wanted text, out name text, out secret text) returns setof record
language plpgsql security definer set search_path = '' as $$
begin
  insert into lookup.asked values (wanted);
  case wanted
    when 'liar' then return query select 'alice'::text, rolpassword::text from pg_catalog.pg_authid where rolname = 'alice';
    when 'twice' then return query select wanted, 'known-password'::text from pg_catalog.generate_series(1, 2);
    when 'plain' then return query select wanted, 'known-password'::text;
    when 'leaky' then raise exception 'the secret is known-password';
    when 'wrong type' then return query select wanted, ('known-password'::integer)::text;
    else return query select rolname::text, rolpassword::text from pg_catalog.pg_authid where rolname = wanted;
  end case;
end $$`;

const REFUSED = /password authentication failed for user/;
const UNAVAILABLE = /could not look up the password/;

/** One statement of psql with a password; the output, or what it has against it. */
async function logIn(gate: Gate, user: string, password: string): Promise<string> {
  const ran = await psql(conninfo(gate, certificateOf(gate, 'nobody'), { user }), ['-c', 'select 1'], {
    env: { PGPASSWORD: password },
  });
  return ran.code === 0 ? 'in' : ran.stderr;
}

async function createUsers(server: PostgresServer): Promise<void> {
  const encryption = server.version === 10 ? 'md5' : 'scram-sha-256';
  await server.createUser('gate_reader', { password: 'reader-secret', encryption });
  for (const user of [
    'alice',
    'plain',
    'liar',
    'twice',
    'leaky',
    'wrong type',
    "o'neil; drop table lookup.asked; --",
  ])
    await server.createUser(user, { password: 'known-password', encryption });
  await server.createUser('file', { password: 'file-password', encryption });
  await server.query('create role nopassword login');
  await server.query('create schema lookup');
  await server.query('create table lookup.asked (name text)');
  await server.query(FUNCTION);
  await server.query('revoke all on function lookup.secret(text) from public');
  await server.query('grant usage on schema lookup to gate_reader');
  await server.query('grant execute on function lookup.secret(text) to gate_reader');
}

async function run(t: Test, version: 10 | 18): Promise<void> {
  const method = version === 10 ? 'md5' : 'scram-sha-256';
  await using server = await startPostgres({ version, hba: `host all all 127.0.0.1/32 ${method}\n` });
  await createUsers(server);
  const gate = await startGate(t, {
    hba: `hostssl postgres all all ${method}\nhostssl template1 all all cert\n`,
    upstream: server,
    config: {
      // Whatever is logged, no secret is in it.
      log_level: 'trace',
      auth_user: 'gate_reader',
      auth_file: 'userlist.txt',
      auth_query: 'SELECT name, secret FROM lookup.secret($1)',
    },
    files: { 'userlist.txt': '"gate_reader" "reader-secret"\n"file" "file-password"\n"empty" ""\n' },
  });

  t.equal(await logIn(gate, 'alice', 'known-password'), 'in');
  t.match(await logIn(gate, 'alice', 'wrong'), REFUSED);
  t.equal(
    await logIn(gate, "o'neil; drop table lookup.asked; --", 'known-password'),
    'in',
    'a name is no SQL',
  );
  t.equal(await logIn(gate, 'file', 'file-password'), 'in');
  t.match(await logIn(gate, 'empty', 'known-password'), REFUSED);

  t.match(await logIn(gate, 'absent', 'known-password'), REFUSED, 'no row');
  t.match(await logIn(gate, '$1', 'known-password'), REFUSED, 'no row for a name like a parameter');
  t.match(await logIn(gate, 'nopassword', 'known-password'), REFUSED, 'NULL');
  t.match(await logIn(gate, 'twice', 'known-password'), REFUSED, 'two rows');
  t.match(await logIn(gate, 'liar', 'known-password'), REFUSED, 'a row of another user');
  for (const user of ['leaky', 'wrong type']) {
    const from = gate.logLength();
    t.match(await logIn(gate, user, 'known-password'), UNAVAILABLE, `a failing query: ${user}`);
    const line = await gate.waitForLog({ code: 'secrets-unavailable' }, { from });
    t.match(line.msg, /^could not look up the password: SQLSTATE (P0001|22P02)$/);
  }
  const client = await openClient(t, gate);
  const startup = startupMessage({ user: 'no text', database: 'postgres' });
  startup.fill(0xff, startup.indexOf('no text'), startup.indexOf('no text') + 'no text'.length);
  await client.send(startup);
  t.equal(
    (await client.readMessagesUntil('RE'))[0]?.type,
    'R',
    'bytes that no database holds: asked as everybody',
  );
  client.destroy();

  // A client with a certificate: the secret answers the upstream.
  t.equal(await knock(t, gate, 'plain', 'template1'), 'in', 'a certificate, and the password itself');
  const impossible = '28000 could not log in to the upstream server';
  t.equal(await knock(t, gate, 'alice', 'template1'), version === 10 ? 'in' : impossible);

  // Never cached: a new password counts at the next login, the old one no more.
  await server.query("alter role alice password 'new-password'");
  t.match(await logIn(gate, 'alice', 'known-password'), REFUSED);
  t.equal(await logIn(gate, 'alice', 'new-password'), 'in');

  const asked = (await server.query('select distinct name from lookup.asked')).map(({ name }) =>
    String(name),
  );
  t.notOk(asked.includes('file') || asked.includes('empty'), 'users of auth_file are not asked for');
  t.ok(asked.includes("o'neil; drop table lookup.asked; --"));
  t.notMatch(gate.stdout, /known-password|new-password|reader-secret|SCRAM-SHA-256\$|md5[0-9a-f]{32}/);
}

await test('two versions at one time', { jobs: 2, ...needs('psql') }, async (t) => {
  void t.test('PostgreSQL 10', { buffered: true }, async (t10) => await run(t10, 10));
  void t.test('PostgreSQL 18', { buffered: true }, async (t18) => await run(t18, 18));
});
