// max_handshakes is the limit of the whole gate: the first process compares the handshakes of all workers.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

await test('max_handshakes is counted over all workers', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream,
    config: { workers: 2, max_handshakes: 6 },
  });
  const silent = [];
  for (let index = 0; index < 12; index++) silent.push(await connectRaw(t, gate.port));
  for (let evicted = 0; evicted < 6; evicted++) {
    const seen = gate.log.filter(({ code }) => code === 'handshake-evicted').length;
    if (seen < 6) await gate.waitForLog({ code: 'handshake-evicted' }, { from: gate.logLength() });
    else break;
  }
  t.equal(gate.log.filter(({ code }) => code === 'handshake-evicted').length, 6);
  t.equal((await gate.metrics()).value('gatehouse_handshakes_in_progress'), 6);
  const client = await connectRaw(t, gate.port);
  t.equal((await client.login({ user: 'u', database: 'd' })).error, null, 'a real client gets in');
});
