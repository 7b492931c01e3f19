// Debian's Prometheus scrapes a real admin listener and answers queries about what it read.

import { test } from 'tap';
import { exampleGate, startAdmin } from '../admin/example-gate.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';
import { startPrometheus } from '../support/servers/prometheus.ts';
import { Arrivals } from '../support/run/waiting.ts';
import { exercisedMetrics } from './exercised.ts';

/** A query's answer with one sample of this value. */
function value(number: string): object {
  return { status: 'success', data: { result: [{ value: [Number, number] }] } };
}

await test('a scrape, end to end', needs('prometheus'), async (t) => {
  const metrics = exercisedMetrics();
  const scrapes = new Arrivals<number>();
  const { view } = exampleGate([], {
    metricsText: async () => {
      scrapes.push(scrapes.items.length + 1);
      return { contentType: metrics.contentType, body: await metrics.text() };
    },
  });
  const target = new URL(await startAdmin(t, view)).host;
  const directory = temporaryDirectory(t);
  const configuration = {
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    rule_files: [new URL('../../config/prometheus/alerts.yml', import.meta.url).pathname],
    scrape_configs: [{ job_name: 'gatehouse', static_configs: [{ targets: [target] }] }],
  };
  const url = await startPrometheus(t, directory, configuration);

  // The second scrape begins after the first has been stored.
  await scrapes.next((count) => count >= 2, 'Prometheus to scrape twice', { timeoutMs: 60_000 });
  const ask = async (query: string): Promise<unknown> => {
    const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`);
    return answer.json();
  };
  t.match(await ask('up{job="gatehouse"}'), value('1'));
  t.match(await ask('gatehouse_sessions'), value('3'));
  t.match(await ask('gatehouse_rule_hits_total{line="3",method="cert"}'), value('1'));
  t.match(await ask('sum(gatehouse_connections_total)'), value('2'));
  t.match(await ask('histogram_quantile(1, gatehouse_setup_seconds_bucket)'), value('0.025'));
  t.match(await ask('count(gatehouse_nonsense)'), { status: 'success', data: { result: [] } });
});
