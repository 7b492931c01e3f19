// sumMetrics: what workers did is added up; what each of them knows of the same thing is told once. Their data comes
// through JSON, as it does between processes.

import { test } from 'tap';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { sumMetrics } from '../../src/telemetry/sum.ts';
import type { Metrics, MetricsJson } from '../../src/telemetry/metrics.ts';
import { exercisedMetrics, parseExposition } from './exercised.ts';

async function scrape(workers: readonly Metrics[]): Promise<ReadonlyMap<string, number>> {
  const parts = await Promise.all(workers.map((worker) => worker.json()));
  const sent: MetricsJson[] = parts.map((part) => JSON.parse(JSON.stringify(part)));
  return new Map(
    [...parseExposition(await sumMetrics(sent)).values()].flatMap((family) => [...family.samples]),
  );
}

await test('two workers that did the same', async (t) => {
  const one = await scrape([exercisedMetrics()]);
  const two = await scrape([exercisedMetrics(), exercisedMetrics()]);
  const told =
    /^gatehouse_(certificate_not_|crl_(last|next)_update|upstream_up|catalog_|config_info|reload_|sessions_limit|handshakes_limit)/;
  let added = 0;
  for (const [sample, value] of one) {
    if (!sample.startsWith('gatehouse_')) continue;
    if (sample.startsWith('gatehouse_reload_last_success_timestamp')) continue;
    t.equal(two.get(sample), told.test(sample) ? value : 2 * value, sample);
    if (!told.test(sample) && value > 0) added += 1;
  }
  t.ok(added > 20, 'most of them were not zero');
  t.strictSame(
    [...two.keys()].filter((name) => name.startsWith('gatehouse_')),
    [...one.keys()].filter((name) => name.startsWith('gatehouse_')),
  );
});

await test('workers that know different things', async (t) => {
  const idle = {
    sessions: () => 1,
    handshakesInProgress: () => 0,
    sessionsNoLongerAdmitted: () => 0,
    bannedAddresses: () => 0,
  };
  const [first, second, third] = [createMetrics(), createMetrics(), createMetrics()];
  first.bindGauges({ ...idle, upstreamUp: () => true });
  second.bindGauges({ ...idle, upstreamUp: () => false });
  third.bindGauges({ ...idle, upstreamUp: () => null });
  first.reload('success', 1000);
  second.reload('failure', 1000);
  const samples = await scrape([first, second, third]);
  t.equal(samples.get('gatehouse_sessions'), 3);
  t.equal(samples.get('gatehouse_upstream_up'), 0, 'down for one is down');
  t.equal(samples.get('gatehouse_reload_last_successful'), 0, 'failed in one is failed');
  t.equal(samples.get('gatehouse_reload_total{result="success"}'), 1);
  for (const [sample, value] of samples) t.type(value, 'number', sample);
  t.notOk([...samples.values()].some(Number.isNaN), 'nothing is lost in JSON');
});
