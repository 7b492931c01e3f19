// A drain waits for the sessions of every worker. Meanwhile each worker tells new clients, and the gate is not ready.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { until } from '../session/clients.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

await test('a drain waits for every worker and tells new clients in all of them', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'host all all all trust\n', upstream, config: { workers: 2 } });
  const staying = await connectRaw(t, gate.port);
  t.equal((await staying.login({ user: 'u', database: 'd' })).error, null);
  gate.signal('SIGTERM');
  await gate.waitForLog({ msg: /^draining: / });
  const answer = async (): Promise<string | undefined> => {
    const client = await connectRaw(t, gate.port);
    const { error } = await client.login({ user: 'u', database: 'd' });
    client.destroy();
    return error?.['C'];
  };
  // The first process has written that line before its workers have heard of the drain. A worker has once it refuses, and
  // which one a client comes to is the kernel's choice.
  await until('each worker has refused somebody', async () => {
    await answer();
    const refusals = gate.log.filter(({ code }) => code === 'shutting-down');
    return new Set(refusals.map(({ id }) => String(id).split('-')[0])).size === 2;
  });
  const answers: (string | undefined)[] = [];
  for (let attempt = 0; attempt < 8; attempt++) answers.push(await answer());
  t.strictSame(
    answers,
    Array.from({ length: 8 }, () => '57P03'),
    'and none lets anybody in any more',
  );
  t.equal((await gate.admin('/readyz')).status, 503);
  staying.destroy();
  t.match(await gate.exited, { code: 0 });
});
