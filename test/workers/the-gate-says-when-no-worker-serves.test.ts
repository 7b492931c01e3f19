// /readyz and /healthz are answered by the first process and speak for all: with every worker stopped they are 503,
// and 200 again when the workers answer.

import { test } from 'tap';
import { until } from '../session/clients.ts';
import { gateWithSessions, workersOf } from './workers.ts';

await test('with no worker left the gate is neither ready nor healthy', async (t) => {
  const { gate } = await gateWithSessions(t);
  const stopped = workersOf(gate);
  for (const pid of stopped) process.kill(pid, 'SIGSTOP');
  for (const path of ['/readyz', '/healthz']) {
    await until(`${path} says so`, async () => {
      const { status, body } = await gate.admin(path);
      return status === 503 && body.includes('no worker process serves');
    });
  }
  for (const pid of stopped) process.kill(pid, 'SIGCONT');
  for (const path of ['/readyz', '/healthz']) {
    await until(`${path} takes it back`, async () => (await gate.admin(path)).status === 200);
  }
  t.strictSame(workersOf(gate), stopped, 'a worker that answers again is not killed');
});
