// Somebody takes the port while no worker holds it. Each attempt to start fails and ends its process, attempts become
// rarer, the gate says that nobody serves, and when the port is free again the workers are back.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { atEnd } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { until } from '../session/clients.ts';
import { workersOf } from './workers.ts';

/**
 * How long the next attempt may be in coming. Each is twice as late as the one before; two workers whose attempts fall
 * apart on a busy machine double it twice as often. The gate's own limit is 30 s.
 */
const NEXT_ATTEMPT_MS = 60_000;

await test('a port that is taken', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'host all all all trust\n', upstream, config: { workers: 2 } });
  const { port } = gate;
  const squatter = createServer();
  atEnd(t, () => squatter.close());
  const killed = new Set<number>();
  for (let bound = false; !bound;) {
    for (const pid of workersOf(gate)) {
      killNow(pid);
      killed.add(pid);
    }
    squatter.listen(port, '127.0.0.1');
    bound = await once(squatter, 'listening').then(
      () => true,
      () => false,
    );
  }
  const from = gate.logLength();
  // One that was killed while it started has failed for another reason.
  const isKilled = (msg: string): boolean => [...killed].some((pid) => msg.includes(`(PID ${pid})`));
  const failures = () =>
    gate.log.slice(from).filter(({ msg }) => msg.startsWith('could not start a worker') && !isKilled(msg));
  let most = 0;
  while (failures().length < 8) {
    await gate.waitForLog(() => true, { from: gate.logLength(), timeoutMs: NEXT_ATTEMPT_MS });
    most = Math.max(most, workersOf(gate).length);
  }
  t.match(failures()[0]?.msg, /could not create any TCP\/IP sockets/);
  t.ok(most <= 2, `at most two at a time: ${most}`);
  await until('every failed one is gone', async () => workersOf(gate).length === 0);
  const ready = await gate.admin('/readyz');
  t.equal(ready.status, 503);
  t.match(JSON.parse(ready.body), { ready: false, reasons: ['no worker process serves'] });

  const restored = gate.logLength();
  squatter.close();
  const started = { msg: /^worker started/ };
  await gate.waitForLog(started, { from: restored, timeoutMs: NEXT_ATTEMPT_MS });
  const client = await connectRaw(t, port);
  t.equal((await client.login({ user: 'u' })).error, null);
  const other = gate.log.findIndex(({ msg }, at) => at >= restored && started.msg.test(msg)) + 1;
  await gate.waitForLog(started, { from: other, timeoutMs: NEXT_ATTEMPT_MS });
  await until(
    'both are back',
    async () => (await gate.admin('/readyz')).body === '{"ready":true,"reasons":[]}',
  );
});

/** Kills a process, unless it has just ended by itself. */
function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone, which is all that is wanted.
  }
}
