// A worker that is stopped (SIGSTOP) lives and says nothing: anyone who asks the gate gets an answer all the same, and
// another worker takes its place.

import { test } from 'tap';
import { until } from '../session/clients.ts';
import { gateWithSessions, workersOf } from './workers.ts';

await test('it is killed, and meanwhile the gate answers', async (t) => {
  const { gate, clients } = await gateWithSessions(t);
  const [victim = 0, survivor = 0] = workersOf(gate);
  const total = (await gate.metrics()).value('gatehouse_rule_hits_total');
  const from = gate.logLength();
  process.kill(victim, 'SIGSTOP');

  t.equal((await gate.metrics()).value('gatehouse_rule_hits_total'), total, 'what it had counted counts');
  const rows = await gate.sessions();
  t.ok(rows.length < clients.length, 'its sessions cannot be listed');
  t.ok(rows.every(({ id }) => String(id).startsWith(`${survivor}-`)));
  await until('the gate says that a worker is missing', async () => {
    const { status, body } = await gate.admin('/readyz');
    return status === 200 && body.includes('1 of 2 worker processes serve');
  });
  t.match(JSON.parse((await gate.admin('/healthz')).body), { ok: true });

  const line = await gate.waitForLog({ code: 'worker-lost' }, { from, timeoutMs: 30_000 });
  t.match(line, { worker: victim, msg: `worker process (PID ${victim}) was terminated by signal SIGKILL` });
  t.ok(
    gate.log.some(
      ({ msg }) => msg === `worker process (PID ${victim}) has not answered for 10 s and is killed`,
    ),
  );
  await gate.waitForLog({ msg: /^worker started with PID/ }, { from, timeoutMs: 30_000 });
  t.equal((await gate.admin('/readyz')).body, '{"ready":true,"reasons":[]}');
  t.equal(workersOf(gate).length, 2);
});
