// Workers share their port by SO_REUSEPORT, which would let a second gate in. The first process binds alone first.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

await test('a second gate on the same port is refused', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'host all all all trust\n', upstream, config: { workers: 2 } });
  await t.rejects(
    startGate(t, { hba: 'host all all all trust\n', upstream, config: { workers: 2, port: gate.port } }),
    /could not create any TCP\/IP sockets/,
  );
});
