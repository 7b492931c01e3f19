// Adds up the metrics of several processes: for a scrape of a gate with workers, and for the counts of dead workers.

import { AggregatorRegistry } from 'prom-client';
import type { MetricsJson } from './metrics.ts';

/**
 * The exposition of several workers as one: counters, histograms and gauges of things in being are added up; what each
 * worker knows of the same thing (certificates, the upstream, reloads, limits) is not.
 */
export function sumMetrics(parts: readonly MetricsJson[]): Promise<string> {
  // prom-client leaves the time of start out of a sum; the gate's is that of its first process.
  const whole = parts.map((part) =>
    part.map((metric) =>
      'aggregator' in metric && metric.aggregator === 'omit' ? { ...metric, aggregator: 'min' } : metric,
    ),
  );
  return AggregatorRegistry.aggregate(whole).metrics();
}

/**
 * Of a process's metrics what it has counted, which stays true when it is gone: counters and histograms.
 *
 * @param options.ruleHits whether the hits of pg_hba.conf lines, which a reload ends, are among them
 */
export function countsOf(metrics: MetricsJson, options: { readonly ruleHits: boolean }): MetricsJson {
  return metrics.filter(
    (metric) =>
      'type' in metric &&
      (metric.type === 'counter' || metric.type === 'histogram') &&
      (options.ruleHits || !isRuleHits(metric)),
  );
}

/** The counts of several processes as one, without those of pg_hba.conf lines. */
export async function addCounts(parts: readonly MetricsJson[]): Promise<MetricsJson> {
  const counts = parts.map((part) => countsOf(part, { ruleHits: false }));
  return await AggregatorRegistry.aggregate(counts).getMetricsAsJSON();
}

function isRuleHits(metric: object): boolean {
  return 'name' in metric && metric.name === 'gatehouse_rule_hits_total';
}
