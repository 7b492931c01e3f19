// What a pg_hba.conf of ten thousand lines costs grows with its lines and no faster, to load and to decide by. The
// figures, which depend on the machine, are printed: a second to load and a millisecond to decide are the promise.

import { test } from 'tap';
import { decide } from '../../src/rules/decide.ts';
import type { RuleBook } from '../../src/rules/types.ts';
import { bookOf, factsOf } from '../support/oracles/rules.ts';

const LINES = 10_000;

/** Of a connection that only the last line admits. */
const FACTS = factsOf({ database: 'last', tls: true });

const kinds: readonly [what: string, line: (i: number) => string][] = [
  ['different everything', (i) => `host db${i} u${i},v${i} 10.${i >> 8}.${i & 255}.0/24 trust`],
  ['different users', (i) => `hostssl all u${i} 0.0.0.0/0 cert`],
  ['different databases', (i) => `host "d ${i}" all 0.0.0.0/0 trust`],
  ['different addresses', (i) => `host all all 11.${i >> 8}.${i & 255}.1/32 reject`],
  ['roles', (i) => `host all +r${i} 0.0.0.0/0 trust`],
  ['lines that nearly shadow each other', (i) => `hostnossl a,x${i} u,v${i} 10.0.0.0/${8 + (i % 24)} trust`],
  ['regular expressions', (i) => `host all /^u${i}$ 0.0.0.0/0 trust`],
];

/**
 * The lines are also put into ten files of a tenth each. All ten shall cost about as much as the one of all the lines; by
 * a square it would cost ten times as much. Both take the same memory: a processor's cache that other programs use as
 * well makes both dearer.
 */
const FILES = 10;
const MAX_RATIO = 5;

/** Decisions that are measured together: the kernel counts processor time coarsely. */
const DECISIONS = 20;
const MIN_TIMES = 2;
const MAX_TIMES = 20;

for (const [what, line] of kinds) {
  await test(what, (t) => {
    const loadWhole = (): RuleBook => load(LINES, line);
    const loadParts = (): RuleBook[] => Array.from({ length: FILES }, () => load(LINES / FILES, line));
    const [whole, parts] = [loadWhole(), loadParts()];
    const verdict = decide(whole, FACTS);
    t.equal(whole.hba.records.length, LINES);
    t.equal(verdict.kind === 'admit' ? verdict.record.line : undefined, LINES, 'the last line decides');
    const loading = compare(loadWhole, loadParts);
    const deciding = compare(
      () => decideBy([whole]),
      () => decideBy(parts),
    );
    const decidedMs = deciding.wholeMs / DECISIONS;
    t.comment(`${what}: loaded in ${loading.wholeMs.toFixed(0)} ms, decided in ${decidedMs.toFixed(3)} ms`);
    for (const [step, { ratio }] of Object.entries({ loading, deciding }))
      t.ok(ratio < MAX_RATIO, `${step}: ${ratio.toFixed(1)} times the cost of ten files of a tenth`);
    t.end();
  });
}

function load(lines: number, line: (i: number) => string): RuleBook {
  const hba = Array.from({ length: lines - 1 }, (_, i) => line(i)).join('\n');
  const roles = Object.fromEntries(Array.from({ length: lines }, (_, i) => [`r${i}`, [`r${i + 1}`, 'zoe']]));
  return bookOf(`${hba}\nhostssl last alice 10.0.0.1/32 trust`, { roles });
}

function decideBy(books: readonly RuleBook[]): void {
  for (let made = 0; made < DECISIONS; made += 1) for (const book of books) decide(book, FACTS);
}

/**
 * How many times as much the whole costs as its parts, by the cheapest of several times of each, in turns. It goes on
 * while the ratio is one that must not be.
 */
function compare(whole: () => unknown, parts: () => unknown): { wholeMs: number; ratio: number } {
  let [wholeMs, partsMs] = [Infinity, Infinity];
  for (let count = 1; count <= MAX_TIMES; count += 1) {
    wholeMs = Math.min(wholeMs, cost(whole));
    partsMs = Math.min(partsMs, cost(parts));
    if (count >= MIN_TIMES && wholeMs / partsMs < MAX_RATIO) break;
  }
  return { wholeMs, ratio: wholeMs / partsMs };
}

/** Processor time in milliseconds: what other programs do meanwhile does not count. */
function cost(run: () => unknown): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
