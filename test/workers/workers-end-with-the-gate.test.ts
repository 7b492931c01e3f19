// No worker outlives the first process, even where SIGKILL ends that, and each session has its closing line.

import { test } from 'tap';
import { openSession } from '../session/clients.ts';
import { startGate } from '../support/run/gate.ts';
import { connectRaw, type RawClient } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

await test('every session has its closing line though its client holds on', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'host all all all trust\n', upstream, config: { workers: 2 } });
  const clients: RawClient[] = [];
  for (let count = 0; count < 6; count++) clients.push((await openSession(t, gate, { tls: false })).client);
  gate.signal('SIGINT');
  for (const client of clients) t.equal((await client.readMessage()).type, 'E', 'told so');
  t.match(await gate.exited, { code: 0 });
  t.equal(gate.log.filter(({ code }) => code === 'admin-terminated').length, clients.length);
});

await test('SIGKILL of the first process ends its workers', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'host all all all trust\n', upstream, config: { workers: 2 } });
  const client = await connectRaw(t, gate.port);
  t.equal((await client.login({ user: 'u', database: 'd' })).error, null);
  gate.signal('SIGKILL');
  await client.expectClosed();
  await gate.exited;
});
