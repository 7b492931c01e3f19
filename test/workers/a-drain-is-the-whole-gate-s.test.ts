// A drain waits for the sessions of every worker. Meanwhile each worker tells new clients, and the gate is not ready.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

await test('a drain waits for every worker and tells new clients in all of them', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'host all all all trust\n', upstream, config: { workers: 2 } });
  const staying = await connectRaw(t, gate.port);
  t.equal((await staying.login({ user: 'u', database: 'd' })).error, null);
  gate.signal('SIGTERM');
  await gate.waitForLog({ msg: 'received smart shutdown request' });
  for (let attempt = 0; attempt < 8; attempt++) {
    const client = await connectRaw(t, gate.port);
    const { error } = await client.login({ user: 'u', database: 'd' });
    t.match(error, { C: '57P03' });
  }
  t.equal((await gate.admin('/readyz')).status, 503);
  staying.destroy();
  t.match(await gate.exited, { code: 0 });
});
