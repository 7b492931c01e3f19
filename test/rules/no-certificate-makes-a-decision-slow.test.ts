// A certificate of many names times a map of many lines: the work of one decision has a limit, above which the client is
// refused, and it can be interrupted on the way. Ordinary certificates are judged by maps of any ordinary length.

import { test } from 'tap';
import { decide, decisionSteps } from '../../src/rules/decide.ts';
import type { Facts, RuleBook } from '../../src/rules/types.ts';
import { bookOf, factsOf } from '../support/oracles/rules.ts';

const HBA = 'hostssl all all all cert clientname=URI map=m\nhost all all all trust';
const names = (count: number, length = 30): string[] =>
  Array.from({ length: count }, (_, i) => `spiffe://example.org/${i}`.padEnd(length, 'x'));
const lines = (count: number): string =>
  Array.from({ length: count }, (_, i) => String.raw`m /^spiffe://(.*)/y${i}$ \1`).join('\n');
const facts = (uri: readonly string[]): Facts => factsOf({ certificate: { cn: 'alice', uri } });

await test('1,000 names on 1,000 lines are refused, and no later line is asked', async (t) => {
  const verdict = decide(bookOf(HBA, { ident: lines(1000) }), facts(names(1000)));
  t.match(verdict, {
    kind: 'refuse',
    code: 'decision-too-expensive',
    record: { line: 1 },
    sqlstate: '28000',
    message: 'judging this connection by the rules would take too long',
    detail: 'The certificate has 1000 names of the kind URI to be tried on each line of the map "m".',
  });
});

await test('patterns that capture nothing count as well', async (t) => {
  const ident = Array.from({ length: 1000 }, (_, i) => `m /^spiffe://.*y${i}$ alice`).join('\n');
  const verdict = decide(bookOf(HBA, { ident }), facts(names(1000, 100)));
  t.match(verdict, { kind: 'refuse', code: 'decision-too-expensive' });
});

await test('one name of 60 kB on patterns that cost much is refused', async (t) => {
  const ident = Array.from({ length: 100 }, (_, i) => String.raw`m /(.*)(.*)(.*)(.*)${i}x \1`).join('\n');
  const verdict = decide(bookOf(HBA, { ident }), facts(names(1, 60_000)));
  t.match(verdict, { kind: 'refuse', code: 'decision-too-expensive' });
});

await test('what is below the limit is judged as ever', async (t) => {
  const ident = `${lines(10_000)}\nm /^spiffe://example.org/0x*$ alice`;
  t.match(decide(bookOf(HBA, { ident }), facts(names(1, 300))), {
    kind: 'admit',
    mapRecord: { line: 10_001 },
  });
  const few = `${lines(30)}\nm /^spiffe://example.org/999x*$ alice`;
  t.match(decide(bookOf(HBA, { ident: few }), facts(names(1000))), {
    kind: 'admit',
    mapRecord: { line: 31 },
  });
  const plain = Array.from({ length: 1000 }, (_, i) => `m other${i} alice`).join('\n');
  const last = `${plain}\nm spiffe://example.org/999xxxxxx alice`;
  t.match(decide(bookOf(HBA, { ident: last }), facts(names(1000))), { kind: 'admit' }, 'equality is cheap');
});

await test('a long decision is interrupted on its way', async (t) => {
  t.ok(pauses(bookOf(HBA, { ident: lines(1000) }), facts(names(1000))) >= 40, 'one that is refused');
  const ident = `${lines(10_000)}\nm /^spiffe://example.org/0x*$ alice`;
  t.ok(pauses(bookOf(HBA, { ident }), facts(names(1, 100))) >= 10, 'one that admits');
  t.equal(pauses(bookOf('host all all all trust'), factsOf()), 0, 'a short one has nothing to interrupt');
  const hba = Array.from({ length: 10_000 }, (_, i) => `host all /u.*${i}$ all trust`).join('\n');
  t.ok(pauses(bookOf(hba), factsOf({ user: 'x'.repeat(63) })) >= 5, 'one over many patterns of pg_hba.conf');
});

function pauses(book: RuleBook, of: Facts): number {
  let count = 0;
  const steps = decisionSteps(book, of);
  while (steps.next().done !== true) count += 1;
  return count;
}
