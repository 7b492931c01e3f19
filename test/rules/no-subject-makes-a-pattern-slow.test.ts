// A client chooses the subject, up to a certificate's name of 10 kB: the time may grow with its length only, for
// the patterns that make backtracking matchers hang; and what could take too long is refused at once.

import { test } from 'tap';
import { compilePattern, PatternError } from '../../src/regex/pattern.ts';

const LENGTH = 10_000;
/** For four times the length: linear is 4, quadratic 16. */
const MAX_RATIO = 10;
/** What takes less, in milliseconds, is too short for the clock: it is repeated until it takes as long. */
const COARSE_MS = 2;
const MIN_TIMES = 3;
const MAX_TIMES = 20;

/** Pattern, and a subject of about a given length that it finds hard. */
const hard: readonly (readonly [string, (length: number) => string])[] = [
  ['(a+)+$', (length) => `${'a'.repeat(length)}!`],
  ['^(a|aa)+$', (length) => `${'a'.repeat(length)}!`],
  ['^(a|a*b)*$', (length) => 'a'.repeat(length)],
  ['(a|a*b)*', (length) => 'a'.repeat(length)],
  ['((a*)*)*b', (length) => 'a'.repeat(length)],
  ['(.*)(.*)(.*)(.*)x', (length) => 'a'.repeat(length)],
  ['(.*)(.*)(.*)(.*)$', (length) => 'a'.repeat(length)],
  ['(x+x+)+y', (length) => 'x'.repeat(length)],
  ['[ab]*a[ab]{100}$', (length) => 'abbaab'.repeat(length / 6)],
  ['(?<=a*b)(?=.*c)(a|b)*c', (length) => `${'ab'.repeat(length / 2)}c`],
  ['\\m(\\w+)\\M.*\\m(\\w+)$', (length) => 'ab '.repeat(length / 3)],
  ['(a|ab|b){0,9}$', (length) => 'ab'.repeat(length / 2)],
  ['^CN=([^,]+),.*OU=([^,]*)(,.*)?$', (length) => 'CN=x,OU=y,'.repeat(length / 10)],
];

await test('four times the subject takes about four times as long', (t) => {
  for (const [pattern, subjectOf] of hard) {
    const compiled = compilePattern(pattern);
    const [short, long] = [subjectOf(LENGTH), subjectOf(4 * LENGTH)];
    const runs = [(subject: string) => compiled.test(subject), (subject: string) => compiled.exec(subject)];
    for (const run of runs) {
      const { shortMs, ratio } = compare(
        () => run(short),
        () => run(long),
      );
      t.comment(`${pattern} on ${LENGTH} bytes: ${shortMs.toFixed(2)} ms`);
      t.ok(ratio < MAX_RATIO, `${pattern}: ${ratio.toFixed(1)} times as long`);
    }
  }
  t.end();
});

await test('what would take long is refused', (t) => {
  const tooComplex = [
    '(((a{255}){255}){255}){255}',
    '((((){255}){255}){255}){255}',
    '('.repeat(100_000),
    'a*b*?'.repeat(20_000),
    '()'.repeat(20_000),
    'x'.repeat(1_000_000),
    '(?=(a{0,255}b{0,255}){0,3})x',
    '(a?b?c?d?){60}',
  ];
  for (const pattern of tooComplex) {
    t.throws(
      () => compilePattern(pattern),
      new PatternError('regular expression is too complex'),
      pattern.slice(0, 40),
    );
  }
  t.end();
});

/**
 * How many times as long `long` takes, by the cheapest of several times of each. A processor whose cache others use as
 * well takes more of them: it goes on while the ratio is one that must not be.
 */
function compare(short: () => unknown, long: () => unknown): { shortMs: number; ratio: number } {
  let rounds = 1;
  while (costOf(short, rounds) < COARSE_MS) rounds *= 2;
  let [shortMs, longMs] = [Infinity, Infinity];
  for (let count = 1; count <= MAX_TIMES; count++) {
    shortMs = Math.min(shortMs, costOf(short, rounds));
    longMs = Math.min(longMs, costOf(long, rounds));
    if (count >= MIN_TIMES && longMs / shortMs < MAX_RATIO) break;
  }
  return { shortMs: shortMs / rounds, ratio: longMs / shortMs };
}

/** Processor time in milliseconds: what other programs do meanwhile does not count. */
function costOf(run: () => unknown, rounds: number): number {
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round++) run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
