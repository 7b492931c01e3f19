// One test for each verb: what alice of admin_users may do, bob of stats_users may not, by whatever words, and carol of
// neither list is not let in. What is done is in the log, with who did it, from where and with which certificate.

import { test } from 'tap';
import { psql } from '../support/peers/psql.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { startGate } from '../support/run/gate.ts';
import { needs } from '../support/run/tools.ts';
import { atConsole } from './at-console.ts';

const VERBS: readonly (readonly [name: string, statement: string])[] = [
  ['RELOAD', 'RELOAD'],
  ['SHUTDOWN', 'SHUTDOWN WAIT_FOR_CLIENTS'],
  ['KILL_CLIENT', 'KILL_CLIENT "1-1"'],
  ['function pg_reload_conf', 'SELECT pg_reload_conf()'],
  ['function pg_terminate_backend', 'SELECT pg_terminate_backend(1)'],
  ['function pg_cancel_backend', 'SELECT pg_cancel_backend(1)'],
  ['function pg_terminate_backend', 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity'],
  ['function pg_reload_conf', 'WITH x AS (SELECT pg_reload_conf() AS r) SELECT count(*) FROM x WHERE r'],
  ['function pg_terminate_backend', 'VALUES (pg_catalog.pg_terminate_backend(1))'],
  ['function pg_reload_conf', 'COPY (SELECT pg_reload_conf()) TO STDOUT'],
  ['function pg_reload_conf', `SELECT 1 WHERE "pg_reload_conf"()`],
];

await test('bob', needs('psql'), async (t) => {
  const { gate, ask } = await atConsole(t, { upstream: null });
  const from = gate.logLength();
  for (const [name, statement] of VERBS) {
    t.equal(await ask('bob', statement), `ERROR:  permission denied for ${name}`, statement);
  }
  t.equal(await ask('bob', 'SELECT count(*) FROM rules', 'SHOW ssl'), '1\non', 'he may look');
  t.strictSame(
    gate.log.slice(from).filter(({ msg }) => /^(reloading|console:|received)/.test(msg)),
    [],
    'nothing was done',
  );
});

await test('carol', needs('psql'), async (t) => {
  const { gate, ask } = await atConsole(t, { upstream: null });
  t.match(await ask('carol', 'SELECT 1'), /FATAL: {2}permission denied for the console$/);
  t.match(await gate.waitForLog({ code: 'console-denied' }), { user: 'carol', rule: /pg_hba\.conf:1$/ });
});

await test('alice', needs('psql'), async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream,
    config: { admin_users: 'alice' },
  });
  const alice = gate.authority.client('alice');
  const conninfo = {
    host: 'localhost',
    hostaddr: '127.0.0.1',
    port: gate.port,
    dbname: 'gatehouse',
    user: 'alice',
    sslmode: 'require',
    sslcert: alice.certFile,
    sslkey: alice.keyFile,
  };
  const ask = async (statement: string): Promise<string> => {
    const { stdout, stderr } = await psql(conninfo, ['-c', statement]);
    return `${stdout}${stderr}`.trim();
  };
  const client = await connectRaw(t, gate.port);
  t.equal((await client.login({ user: 'app', database: 'd' })).error, null);
  const [{ id } = { id: '' }] = await gate.sessions();

  t.equal(await ask('RELOAD'), 'RELOAD');
  t.equal(await ask('KILL_CLIENT nobody'), 'ERROR:  client not found');
  t.equal(await ask(`KILL_CLIENT ${id}`), 'KILL_CLIENT');
  t.match(await gate.waitForLog({ code: 'admin-terminated' }), { user: 'app', detail: /administrator/ });
  t.strictSame(await gate.sessions(), []);
  const logged = gate.log.filter(({ msg }) => msg.startsWith('console: '));
  t.match(logged, [
    {
      msg: 'console: reload',
      user: 'alice',
      host: '127.0.0.1',
      rule: /:1$/,
      certificate: { subject: '/CN=alice', serial: String(alice.serial) },
    },
    { msg: `console: KILL_CLIENT ${id}`, user: 'alice', port: Number },
  ]);
  t.equal(logged.length, 2);

  gate.mayEnd();
  // The end of the console itself may come right after its answer.
  t.match(await ask('SHUTDOWN WAIT_FOR_CLIENTS'), /^SHUTDOWN$/m);
  t.match(await gate.exited, { code: 0 }, 'nobody was left, so the gate has ended');
});
