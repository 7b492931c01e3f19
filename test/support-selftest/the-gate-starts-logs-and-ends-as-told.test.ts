// A gate under test: it starts on ports of its own, a client gets through it, its log, metrics and sessions can be
// asked, and its unasked end is noticed.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { GateStartError, startGate } from '../support/run/gate.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

await test('a client gets through', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'hostssl all all all cert', upstream });
  const client = await connectRaw(t, gate.port);
  const { cert, key } = gate.authority.client('alice');
  await client.openTls({ cert, key, ca: gate.authority.cert, servername: 'localhost' });
  t.equal((await client.login({ user: 'alice' })).error, null);
  t.match(await gate.sessions(), [{ user: 'alice' }]);
  t.ok(gate.fdCount() > 5);
  t.ok(gate.rssBytes() > 10_000_000);
  t.ok(gate.processes().includes(gate.pid));

  client.halfClose();
  await gate.waitForLog({ msg: /^disconnection: session time: / });
  t.equal((await gate.metrics()).value('connections_total', { outcome: 'relayed' }), 1);
  gate.signal('SIGTERM');
  t.strictSame(await gate.exited, { code: 0, signal: null });
});

await test('files are rewritten, and read at a reload', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: 'host all all all trust',
    upstream,
    config: { reload: { watch: false } },
  });
  gate.rewrite('pg_hba.conf', 'host all all all reject\n');
  t.equal(readFileSync(gate.path('pg_hba.conf'), 'utf8'), 'host all all all reject\n');
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
  const client = await connectRaw(t, gate.port);
  t.match((await client.login({ user: 'alice' })).error, { C: '28000', M: /pg_hba.conf rejects connection/ });
  await gate.waitForLog({ code: 'hba-reject' });
});

await test('a gate that cannot start says why', async (t) => {
  const failed = startGate(t, { hba: 'nonsense', upstream: { host: '127.0.0.1', port: 1 } });
  await t.rejects(failed, {
    constructor: GateStartError,
    exit: { code: 1, signal: null },
    message: /invalid connection type/,
  });
});
