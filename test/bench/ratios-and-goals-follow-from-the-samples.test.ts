// From samples to the table's cells, by table: medians, spreads, which peer is the best, which goal is met.

import { test } from 'tap';
import type { Figure } from '../../bench/measures/measure.ts';
import type { Result } from '../../bench/rounds.ts';
import { quantile, summarize, summarizeRatio } from '../../bench/statistics.ts';
import { renderTable } from '../../bench/table.ts';
import { judge } from '../../bench/verdict.ts';

await test('medians and quartiles', async (t) => {
  for (const [samples, share, expected] of [
    [[7], 0.5, 7],
    [[3, 1, 2], 0.5, 2],
    [[4, 1, 3, 2], 0.5, 2.5],
    [[1, 2, 3, 4, 5], 0.25, 2],
    [[1, 2], 0.99, 1.99],
  ] as const) {
    t.equal(quantile(samples, share), expected, `${share} of ${samples.join(' ')}`);
  }
  t.throws(() => quantile([], 0.5), RangeError);
  t.strictSame(summarize([1, 2, 3, 4, 5]), { median: 3, spread: 1 / 3 });
  t.strictSame(summarize([5]), { median: 5, spread: null }, 'one sample has no spread');
  t.strictSame(summarize([0, 0, 0]), { median: 0, spread: null }, 'nothing is no share of 0');
  t.equal(summarizeRatio([1, 4, 30], [2, 4, 10]).median, 1, 'ratios are taken round by round');
});

interface Case {
  readonly better: Figure['better'];
  readonly goals: Figure['goals'];
  readonly samples: Result['samples'];
  /** The cells from the gate's on, the two bounds left out. */
  readonly cells: readonly string[];
}

const cases: readonly Case[] = [
  {
    better: 'less',
    goals: [{ ratioTo: 'best', limit: 0.9 }],
    samples: { gate: [0.4], stunnel: [0.5], pgbouncer: [0.8] },
    cells: ['0.400', '0.500', '0.800', '0.80 (stunnel)', '≤ 0.90 of the best: 0.80 met'],
  },
  {
    better: 'more',
    goals: [{ ratioTo: 'best', limit: 1 }],
    samples: { gate: [700], stunnel: [800], pgbouncer: [1000] },
    cells: ['700', '800', '1000', '0.70 (pgbouncer)', '≥ 1.00 of the best: 0.70 missed'],
  },
  {
    better: 'less',
    goals: [
      { ratioTo: 'stunnel', limit: 0.95 },
      { ratioTo: 'pgbouncer', limit: 1.2 },
    ],
    samples: { gate: [10, 11, 12], stunnel: [10, 11, 12], pgbouncer: [10, 10, 10] },
    cells: [
      '11.0 ±5%',
      '11.0 ±5%',
      '10.0 ±0%',
      '1.10 ±5% (pgbouncer)',
      '≤ 0.95 of stunnel: 1.00 missed; ≤ 1.20 of pgbouncer: 1.10 met',
    ],
  },
  {
    better: 'less',
    goals: [{ ratioTo: 'stunnel', limit: 0.5 }, { limit: 45 }],
    samples: { gate: [45] },
    cells: ['45.0', '', '', '', '≤ 0.50 of stunnel; ≤ 45 kB: 45.0 met'],
  },
  {
    better: 'less',
    goals: [],
    samples: { gate: [1, 1], stunnel: [0, 0], pgbouncer: [0, 2] },
    cells: ['1.00 ±0%', '0.00', '1.00 ±50%', '', ''],
  },
];

await test('cells', async (t) => {
  for (const { better, goals, samples, cells } of cases) {
    const figure = { id: 'x', title: 'a thing', unit: 'kB', better, goals };
    const row = judge({ measure: 'thing', figure, samples });
    const [gate, stunnel, pgbouncer, ratio, goal] = cells;
    t.strictSame(lastLine(renderTable([row], { conclusive: true })), [
      'a thing',
      'kB',
      gate,
      stunnel,
      pgbouncer,
      '',
      '',
      ratio,
      goal,
    ]);
    const open = renderTable([row], { conclusive: false });
    t.notMatch(open, /\b(met|missed)\b/, 'a busy machine meets no goal and misses none');
  }
});

await test('a second gate has a column of its own', async (t) => {
  const figure = { id: 'x', title: 'a thing', unit: 'kB', better: 'less', goals: [] } as const;
  const row = judge({ measure: 'thing', figure, samples: { gate: [4], variant: [3] } });
  t.equal(lastLine(renderTable([row], { conclusive: true }))[3], '3.00, ratio 0.75');
});

function lastLine(table: string): string[] {
  const line = table.trimEnd().split('\n').at(-1) ?? '';
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}
