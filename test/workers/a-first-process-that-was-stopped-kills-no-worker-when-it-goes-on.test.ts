// Answers that could not come are counted by beats, not by the clock: after a stop of the first process for longer than
// a worker may be silent, every worker is what it was.

import { test } from 'tap';
import { connectRaw } from '../support/peers/raw-client.ts';
import { gateWithSessions, workersOf } from './workers.ts';

await test('stopped for eleven seconds', async (t) => {
  const { gate } = await gateWithSessions(t, { authentication_timeout: '11s' });
  const workers = workersOf(gate);
  const silent = await connectRaw(t, gate.port);
  gate.signal('SIGSTOP');
  // The workers go on, and one of them drops this client when its time is up.
  await silent.expectClosed(60_000);
  gate.signal('SIGCONT');
  const { status, body } = await gate.admin('/readyz');
  t.strictSame([status, body], [200, '{"ready":true,"reasons":[]}']);
  t.strictSame(workersOf(gate), workers);
});
