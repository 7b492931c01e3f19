// Connect and reset at once, before the gate has accepted: one line and one count for each, as for any connection.

import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'tap';
import { until } from '../session/clients.ts';
import { startGate } from '../support/run/gate.ts';

const CLIENTS = 20;

await test('a reset before the accept', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: { host: '127.0.0.1', port: 9 },
    config: { log_level: 'debug', log_connections: false },
  });
  const total = async (): Promise<number> => (await gate.metrics()).value('connections_total');
  const before = await total();
  const from = gate.logLength();
  // Stopped, the gate accepts nobody: the kernel does, and sees the reset first.
  gate.signal('SIGSTOP');
  for (let index = 0; index < CLIENTS; index++) {
    const client = connect(gate.port, '127.0.0.1');
    await once(client, 'connect');
    client.resetAndDestroy();
    await once(client, 'close');
  }
  gate.signal('SIGCONT');
  await until('each is counted', async () => (await total()) === before + CLIENTS);
  const metrics = await gate.metrics();
  // Its whole log is here once it has ended.
  await gate.stop();
  t.equal(metrics.value('connections_total', { outcome: 'no-startup-packet' }), CLIENTS);
  const lines = gate.log.slice(from).filter(({ code }) => code === 'no-startup-packet');
  t.equal(lines.length, CLIENTS, 'one line each');
  for (const line of lines) t.match(line, { level: 'debug', id: /./, msg: /./ });
});
