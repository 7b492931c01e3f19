// rule_hits_total and /rules across reloads: unchanged lines keep their count, edited ones begin again, removed ones go.

import { test } from 'tap';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { RuleInForce } from '../../src/telemetry/metrics.ts';
import { parseExposition } from './exercised.ts';

const file = '/etc/pg_hba.conf';
const line = (number: number, raw: string): RuleInForce => ({ file, line: number, method: 'cert', raw });

await test('across a reload', async (t) => {
  const metrics = createMetrics();
  const samples = async (): Promise<[string, number][]> => [
    ...(parseExposition(await metrics.text()).get('gatehouse_rule_hits_total')?.samples ?? []),
  ];
  const series = (number: number): string =>
    `gatehouse_rule_hits_total{file="${file}",line="${number}",method="cert"}`;

  t.strictSame(await samples(), [], 'no rules, no series');
  metrics.rules([line(1, 'one'), line(2, 'two'), line(3, 'three')]);
  t.strictSame(await samples(), [], 'a line that has never decided has no series');
  metrics.ruleHit(file, 1);
  metrics.ruleHit(file, 2);
  metrics.ruleHit(file, 2);
  metrics.ruleHit('/etc/other.conf', 1);
  t.strictSame(await samples(), [
    [series(1), 1],
    [series(2), 2],
  ]);

  metrics.rules([line(1, 'one, edited'), line(2, 'two')]);
  t.strictSame(await samples(), [[series(2), 2]], 'an edited line begins again');
  metrics.ruleHit(file, 3);
  metrics.ruleHit(file, 2);
  t.strictSame(await samples(), [[series(2), 3]], 'a hit on a removed line brings nothing back');
  t.strictSame(metrics.ruleHits(), [{ file, line: 2, hits: 3 }]);
});

await test('a path with quotes, backslashes and line feeds stays one label', async (t) => {
  const metrics = createMetrics();
  metrics.rules([{ file: '/a"\\\nb', line: 1, method: 'trust', raw: '' }]);
  metrics.ruleHit('/a"\\\nb', 1);
  t.match(
    await metrics.text(),
    '\ngatehouse_rule_hits_total{file="/a\\"\\\\\\nb",line="1",method="trust"} 1\n',
  );
});
