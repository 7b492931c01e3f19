// SIGINT with one worker stopped: the gate ends, and takes the stopped one along.

import { test } from 'tap';
import { gateWithSessions, isAlive, workersOf } from './workers.ts';

await test('SIGINT ends a gate with a worker that hangs', async (t) => {
  const { gate } = await gateWithSessions(t);
  const [victim = 0] = workersOf(gate);
  process.kill(victim, 'SIGSTOP');
  const processes = gate.processes();
  gate.signal('SIGINT');
  t.match(await gate.exited, { code: 0 });
  t.strictSame(
    processes.filter((pid) => isAlive(pid)),
    [],
  );
});
