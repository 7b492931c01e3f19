// POST /reload answers when every worker decides by the new rules. One that hangs cannot be told of them, so it is gone
// before the answer comes: it must not wake up later and admit people by the old ones.

import { test } from 'tap';
import { connectRaw } from '../support/peers/raw-client.ts';
import { gateWithSessions, workersOf } from './workers.ts';

await test('a reload is over when the worker that cannot take it is gone', async (t) => {
  const { gate } = await gateWithSessions(t);
  const [victim = 0] = workersOf(gate);
  process.kill(victim, 'SIGSTOP');
  gate.rewrite('pg_hba.conf', 'host all all all reject\n');
  // The gate waits for the worker for some ten seconds; a busy machine makes more of them.
  const timeoutMs = 60_000;
  const [answer] = await Promise.all([
    gate.admin('/reload', { method: 'POST', timeoutMs }),
    gate.waitForLog({ msg: /^worker process .* is killed$/ }, { timeoutMs }),
  ]);
  t.equal(answer.status, 200);
  t.notOk(workersOf(gate).includes(victim));
  for (let attempt = 0; attempt < 8; attempt++) {
    const client = await connectRaw(t, gate.port);
    t.match((await client.login({ user: 'u' })).error?.['M'], /^pg_hba.conf rejects/);
  }
});
