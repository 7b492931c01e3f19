// What a pg_hba.conf of ten thousand lines costs grows with its lines and no faster, to load and to decide by. The
// figures, which depend on the machine, are printed: a second to load and a millisecond to decide are the promise.

import { test } from 'tap';
import { decide } from '../../src/rules/decide.ts';
import { bookOf, factsOf } from '../support/oracles/rules.ts';

const LINES = 10_000;

/** Processor time in milliseconds: what other programs do meanwhile does not count. */
function cost(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const kinds: readonly [what: string, line: (i: number) => string][] = [
  ['different everything', (i) => `host db${i} u${i},v${i} 10.${i >> 8}.${i & 255}.0/24 trust`],
  ['different users', (i) => `hostssl all u${i} 0.0.0.0/0 cert`],
  ['different databases', (i) => `host "d ${i}" all 0.0.0.0/0 trust`],
  ['different addresses', (i) => `host all all 11.${i >> 8}.${i & 255}.1/32 reject`],
  ['roles', (i) => `host all +r${i} 0.0.0.0/0 trust`],
  ['lines that nearly shadow each other', (i) => `hostnossl a,x${i} u,v${i} 10.0.0.0/${8 + (i % 24)} trust`],
  ['regular expressions', (i) => `host all /^u${i}$ 0.0.0.0/0 trust`],
];

/** A tenth of the lines shall cost about a tenth, a few times that where they still fit the cache; a square would be 100. */
const SHARE = 10;
const MAX_RATIO = 50;

for (const [what, line] of kinds) {
  await test(what, (t) => {
    const whole = measure(LINES, line);
    const part = measure(LINES / SHARE, line);
    t.equal(whole.records, LINES);
    t.equal(whole.decidedBy, LINES);
    t.comment(
      `${what}: loaded in ${whole.loadingMs.toFixed(0)} ms, decided in ${whole.decidingMs.toFixed(3)} ms`,
    );
    for (const [step, ratio] of [
      ['loading', whole.loadingMs / part.loadingMs],
      ['deciding', whole.decidingMs / part.decidingMs],
    ] as const) {
      t.ok(ratio < MAX_RATIO, `${step}: ${ratio.toFixed(1)} times the cost of a tenth of the lines`);
    }
    t.end();
  });
}

interface Measured {
  readonly records: number;
  /** The line that decides: the last. */
  readonly decidedBy: number | undefined;
  readonly loadingMs: number;
  readonly decidingMs: number;
}

function measure(lines: number, line: (i: number) => string): Measured {
  const hba = Array.from({ length: lines - 1 }, (_, i) => line(i)).join('\n');
  const roles = Object.fromEntries(Array.from({ length: lines }, (_, i) => [`r${i}`, [`r${i + 1}`, 'zoe']]));
  let book = bookOf('host all all all trust');
  const loadingMs = best(3, () => {
    book = bookOf(`${hba}\nhostssl last alice 10.0.0.1/32 trust`, { roles });
  });
  const facts = factsOf({ database: 'last', tls: true });
  const verdict = decide(book, facts);
  // As much work for fewer lines: the kernel counts processor time coarsely.
  const rounds = (60 * LINES) / lines;
  const batchMs = best(6, () => {
    for (let round = 0; round < rounds; round += 1) decide(book, facts);
  });
  return {
    records: book.hba.records.length,
    decidedBy: verdict.kind === 'admit' ? verdict.record.line : undefined,
    loadingMs,
    decidingMs: batchMs / rounds,
  };
}

/** The cheapest of several times: one that shares the processor's cache with other programs says little. */
function best(times: number, run: () => void): number {
  return Math.min(...Array.from({ length: times }, () => cost(run)));
}
