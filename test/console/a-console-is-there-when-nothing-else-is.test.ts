// A console works with the upstream down, beyond max_connections and during a drain, and leaves with the last session.

import { test } from 'tap';
import { psql } from '../support/peers/psql.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { startGate } from '../support/run/gate.ts';
import { needs } from '../support/run/tools.ts';
import { until } from '../session/clients.ts';
import { atConsole, Talk } from './at-console.ts';

await test('the upstream is down', needs('psql'), async (t) => {
  const { gate, ask } = await atConsole(t, { upstream: null });
  // There is no such figure before the first probe has ended.
  await until('the upstream was probed', async () => /_upstream_up \d/.test((await gate.metrics()).text));
  t.equal(await ask('alice', `SELECT value FROM metrics WHERE name = 'gatehouse_upstream_up'`), '0');
});

for (const workers of [1, 2]) {
  await test(`full, then draining, with ${workers} workers`, needs('psql'), async (t) => {
    const upstream = await scriptedUpstream(t, scripts.trust);
    const gate = await startGate(t, {
      hba: 'host all all all trust\n',
      upstream,
      config: { admin_users: 'dba', max_connections: 1, workers },
    });
    const conninfo = {
      host: '127.0.0.1',
      port: gate.port,
      dbname: 'gatehouse',
      user: 'dba',
      sslmode: 'disable',
    };
    const client = await connectRaw(t, gate.port);
    t.equal((await client.login({ user: 'app', database: 'd' })).error, null);
    const other = await connectRaw(t, gate.port);
    t.match((await other.login({ user: 'app', database: 'd' })).error, { C: '53300' });

    // More consoles than workers: each worker has one, and each of them sees the session of whatever worker.
    const consoles = Array.from({ length: 4 * workers }, () => new Talk(t, conninfo));
    for (const talk of consoles) {
      t.strictSame(await talk.ask(`SELECT "user", state FROM sessions;`), ['app|idle']);
      t.strictSame(await talk.ask('SELECT count(*) FROM workers;'), [String(workers)]);
    }
    const pids = await Promise.all(consoles.map((talk) => talk.ask('SELECT pg_backend_pid();')));
    t.equal(new Set(pids.flat()).size, consoles.length, 'each has a number of its own');
    t.strictSame(await consoles[0]?.ask('SELECT count(*) FROM pg_stat_activity WHERE pid >= 1073741824;'), [
      String(consoles.length),
    ]);
    t.equal((await gate.sessions()).length, 1, 'GET /sessions lists what is relayed');

    gate.signal('SIGTERM');
    await gate.waitForLog({ msg: /^draining|^received smart/ });
    const late = await psql(conninfo, ['-c', 'SHOW STATE']);
    t.match(late.stdout, 'draining|yes', late.stderr);
    t.strictSame(await consoles[0]?.ask('SELECT count(*) FROM sessions;'), ['1']);
    client.halfClose();
    await gate.waitForLog({ msg: /^disconnection: .*user=app/ });
    for (const talk of consoles) {
      talk.send('SELECT 1;');
      t.match(await talk.line(/FATAL/), 'terminating connection due to administrator command');
    }
    t.match(await gate.exited, { code: 0 });
  });
}
