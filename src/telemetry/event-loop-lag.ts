// prom-client's metrics of the event loop's delay under their own names, measured by Node at the end of each turn of the
// loop. prom-client itself measures by a timer of 10 ms, which wakes a gate with nothing to do a hundred times a second.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';

/** As seldom as prom-client's own timer can be: its histogram is made before its metrics can be taken away. */
const NEVER_MS = 2 ** 31 - 1;

type Delays = ReturnType<typeof monitorEventLoopDelay>;
type Aggregator = 'average' | 'min' | 'max';

/** What is read of the histogram at a scrape, in nanoseconds. */
const figures: readonly [name: string, help: string, Aggregator, (delays: Delays) => number][] = [
  ['min', 'The minimum recorded event loop delay.', 'min', (delays) => delays.min],
  ['max', 'The maximum recorded event loop delay.', 'max', (delays) => delays.max],
  ['mean', 'The mean of the recorded event loop delays.', 'average', (delays) => delays.mean],
  [
    'stddev',
    'The standard deviation of the recorded event loop delays.',
    'average',
    (delays) => delays.stddev,
  ],
  ['p50', 'The 50th percentile of the recorded event loop delays.', 'average', percentile(50)],
  ['p90', 'The 90th percentile of the recorded event loop delays.', 'average', percentile(90)],
  ['p99', 'The 99th percentile of the recorded event loop delays.', 'average', percentile(99)],
];

function percentile(percent: number): (delays: Delays) => number {
  return (delays) => delays.percentile(percent);
}

/** Adds prom-client's default metrics to a registry, none of which wakes an idle process. */
export function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NEVER_MS });
  // A Node that does not know the option measures by a timer of 10 ms, as prom-client does.
  const delays = monitorEventLoopDelay({ samplePerIteration: true });
  delays.enable();
  for (const [name, help, aggregator, read] of figures) {
    replaceGauge(registry, { name: `_${name}`, help, aggregator }, (gauge) => {
      gauge.set(delays.count > 0 ? read(delays) / 1e9 : 0);
    });
  }
  // The last of them, so that the others have been read by then.
  replaceGauge(
    registry,
    { name: '', help: 'Lag of event loop in seconds.', aggregator: 'average' },
    async (gauge) => {
      delays.reset();
      const began = performance.now();
      await nextTurn();
      gauge.set((performance.now() - began) / 1000);
    },
  );
}

interface Named {
  readonly name: string;
  readonly help: string;
  readonly aggregator: Aggregator;
}

function replaceGauge(
  registry: Registry,
  { name, ...rest }: Named,
  collect: (gauge: Gauge) => void | Promise<void>,
): void {
  const full = `nodejs_eventloop_lag${name}_seconds`;
  registry.removeSingleMetric(full);
  const gauge: Gauge = new Gauge({
    name: full,
    ...rest,
    registers: [registry],
    collect: () => collect(gauge),
  });
}
