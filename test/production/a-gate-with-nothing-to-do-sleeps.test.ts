// prom-client's own measurement of the event loop wakes a process a hundred times a second for ever, which costs a laptop
// its battery and a host with many gates a core. What the loop's delay is must be known all the same.

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';

/** The span that is measured, in seconds: nothing happens in it that could be waited for. */
const SPAN_S = 2;
/** So many are measured at most: a machine that is short of memory or time wakes a process too. */
const SPANS = 4;
/** Times that the main thread may wake in a second; a timer of 10 ms would be a hundred. */
const WAKE_UPS_A_SECOND = 15;

/** How often the main thread has gone to sleep so far. */
function sleeps(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
}

await test('an idle gate', async (t) => {
  const gate = await startGate(t, {
    hba: 'hostssl all all all cert\n',
    upstream: { host: '127.0.0.1', port: 1 },
  });
  for (const figure of ['_min', '_max', '_mean', '_stddev', '_p50', '_p90', '_p99', '']) {
    const { text } = await gate.metrics();
    const [, value] = new RegExp(`^nodejs_eventloop_lag${figure}_seconds (\\S+)$`, 'm').exec(text) ?? [];
    const seconds = Number(value);
    t.ok(seconds >= 0 && seconds < 60, `the delay of the loop is measured: ${figure} ${value}`);
  }
  const measured: number[] = [];
  for (let span = 0; span < SPANS && !measured.some((each) => each <= WAKE_UPS_A_SECOND); span++) {
    const before = sleeps(gate.pid);
    await delay(SPAN_S * 1000);
    measured.push((sleeps(gate.pid) - before) / SPAN_S);
  }
  t.ok(Math.min(...measured) <= WAKE_UPS_A_SECOND, `wakes ${measured.join(', ')} times a second`);
});
