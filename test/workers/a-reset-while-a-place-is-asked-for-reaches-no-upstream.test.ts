// A worker asks the first process for the place of each new session. A client that leaves before the answer gets no
// connection to the upstream.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw, startupMessage, type RawClient } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

await test('a client that resets while the first process is asked for a place gets no upstream', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.stall);
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream,
    config: { workers: 2, max_connections: 100 },
  });
  gate.signal('SIGSTOP');
  const clients: RawClient[] = [];
  const from = gate.logLength();
  for (let count = 0; count < 10; count++) {
    const client = await connectRaw(t, gate.port);
    await client.send(startupMessage({ user: 'u', database: 'd' }));
    clients.push(client);
  }
  const received = (): number =>
    gate.log.slice(from).filter(({ msg }) => msg.startsWith('connection received')).length;
  while (received() < clients.length) await gate.waitForLog(() => true, { from: gate.logLength() });
  for (const client of clients) client.reset();
  gate.signal('SIGCONT');
  const ended = () => gate.log.slice(from).filter(({ code }) => code !== undefined);
  while (ended().length < clients.length) await gate.waitForLog(() => true, { from: gate.logLength() });
  // A reset that came before the packet was read is one too.
  const fair = new Set(['client-gave-up', 'no-startup-packet', 'incomplete-startup-packet']);
  t.strictSame(
    ended().filter(({ code }) => !fair.has(String(code))),
    [],
  );
  t.equal(upstream.connections.length, 0);
});
