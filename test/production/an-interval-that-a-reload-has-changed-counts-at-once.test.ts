// reload.interval is how soon a change is noticed. One that a reload has made shorter counts from that reload on, not when
// the old one, a day perhaps, has passed.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { reloaded } from './clients.ts';

await test('from a day to some milliseconds', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: await scriptedUpstream(t, scripts.trust),
    config: { reload: { interval: '1d' } },
  });
  gate.rewrite('gatehouse.yaml', readFileSync(gate.path('gatehouse.yaml'), 'utf8').replace('1d', '20ms'));
  t.match(await reloaded(gate), { ok: true });
  const from = gate.logLength();
  gate.rewrite('pg_hba.conf', '# another line\nhost all all all trust\n');
  t.match(await gate.waitForLog({ msg: /^reloaded: rules / }, { from }), { level: 'info' });
});
