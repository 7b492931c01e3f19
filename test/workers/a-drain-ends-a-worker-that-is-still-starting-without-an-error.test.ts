// A worker has died, and the one in its place is still starting when the gate is told to drain. The gate ends that one
// itself: the log has no error of it, and nothing waits for it.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { within } from '../support/run/waiting.ts';
import { until } from '../session/clients.ts';
import { workersOf } from './workers.ts';

await test('a drain ends a worker that is still starting', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: await scriptedUpstream(t, scripts.trust),
    config: { workers: 2 },
  });
  const before = workersOf(gate);
  process.kill(before[0]!, 'SIGKILL');
  await until('another is starting', async () => workersOf(gate).some((pid) => !before.includes(pid)));
  const from = gate.logLength();
  gate.signal('SIGTERM');
  t.strictSame(await within(gate.exited, 'the gate to end'), { code: 0, signal: null });
  t.strictSame(
    gate.log.slice(from).filter(({ level, code }) => level === 'error' && code !== 'worker-lost'),
    [],
  );
});
