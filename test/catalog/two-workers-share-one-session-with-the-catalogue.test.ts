// The gate's own session is one for the gate, not one for each worker (contract §13): both workers decide by what it says, a
// reload that names another database ends it and begins one there, and its sessions are judged by the new memberships.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { psql } from '../support/peers/psql.ts';
import { needs } from '../support/run/tools.ts';
import { conninfo, openSession, until } from '../session/clients.ts';
import { workersOf } from '../workers/workers.ts';
import { certificateOf, knock, knockUntil } from './catalog-gate.ts';

const NO_ENTRY = /^28000 no pg_hba\.conf entry/;

/** Knocks until every worker has answered so often that each has decided. */
async function fromEveryWorker(gate: Gate, ask: () => Promise<void>): Promise<void> {
  const seen = new Set<unknown>();
  while (seen.size < 2) {
    const from = gate.logLength();
    await ask();
    await gate.waitForLog(({ msg }) => msg.startsWith('connection received'), { from });
    for (const { pid, msg } of gate.log.slice(from)) if (msg.startsWith('connection received')) seen.add(pid);
  }
}

await test('two workers', needs('psql'), async (t) => {
  await using server = await startPostgres({
    version: 18,
    hba: 'local all all trust\nhost all all 127.0.0.1/32 trust\n',
  });
  await server.createUser('gate_reader');
  await server.createUser('app', { password: 'app-secret', encryption: 'scram-sha-256' });
  for (const role of ['staff', 'alice', 'bob']) await server.query(`create role ${role} login`);
  await server.query('grant staff to alice, bob');
  await server.query('create database other');
  await server.query(
    `create schema lookup;
     create function lookup.secret(wanted text, out name text, out secret text) language sql security definer as
     'select rolname::text, rolpassword from pg_catalog.pg_authid where rolname = wanted';
     grant usage on schema lookup to gate_reader`,
  );
  const sessions = async (): Promise<readonly unknown[]> =>
    (await server.query("select datname from pg_stat_activity where usename = 'gate_reader'")).map(
      ({ datname }) => datname,
    );
  const gate = await startGate(t, {
    hba: 'hostssl template1 app all scram-sha-256\nhostssl postgres +staff all cert\n',
    // Over the Unix socket, as sessions.
    upstream: { host: server.socketDir, port: server.port },
    config: {
      workers: 2,
      auth_user: 'gate_reader',
      auth_query: 'select * from lookup.secret($1)',
      reload: { watch: 'off', sessions: 'terminate' },
    },
  });
  t.equal(workersOf(gate).length, 2);

  await fromEveryWorker(gate, async () => {
    t.equal(await knock(t, gate, 'alice'), 'in');
    t.match(await knock(t, gate, 'app'), NO_ENTRY);
  });
  await fromEveryWorker(gate, async () => {
    const app = conninfo(gate, certificateOf(gate, 'app'), { user: 'app', dbname: 'template1' });
    const { code, stderr } = await psql(app, ['-c', 'select 1'], { env: { PGPASSWORD: 'app-secret' } });
    t.equal(code, 0, stderr);
  });
  t.same(await sessions(), ['postgres'], 'one session for both');
  t.equal((await gate.metrics()).value('catalog_up'), 1);

  // A membership that is revoked ends a session at the next reload, and spares the one beside it.
  const { client: spared } = await openSession(t, gate, {
    parameters: { user: 'alice', database: 'postgres' },
    credentials: certificateOf(gate, 'alice'),
  });
  await openSession(t, gate, {
    parameters: { user: 'bob', database: 'postgres' },
    credentials: certificateOf(gate, 'bob'),
  });
  await server.query('revoke staff from bob');
  await fromEveryWorker(gate, async () => {
    await knockUntil(t, gate, ['bob', 'postgres'], (answer) => NO_ENTRY.test(answer));
  });

  const settings = readFileSync(gate.path('gatehouse.yaml'), 'utf8');
  gate.rewrite('gatehouse.yaml', `${settings}\nauth_dbname: other\n`);
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
  t.equal(await knock(t, gate, 'alice'), 'in', 'by the new session');
  await until('the first session has ended', async () => (await sessions()).join() === 'other');
  t.same(await sessions(), ['other'], 'the session before has ended');
  await gate.waitForLog({ msg: /^session would no longer be admitted: no pg_hba\.conf entry .* user "bob"/ });
  await until('one session is left', async () => (await gate.sessions()).length === 1);
  t.match(await gate.sessions(), [{ user: 'alice' }], 'only the session of bob has been ended');
  spared.destroy();
});
