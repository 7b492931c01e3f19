// A pg_hba.conf of ten thousand lines loads in under a second of processor time, and a decision on its last line
// takes less than a millisecond; one that runs through ten thousand regular expressions takes less than twenty.

import { test } from 'tap';
import { decide } from '../../src/rules/decide.ts';
import { bookOf, factsOf } from '../support/rules.ts';

const LINES = 10_000;

/** Processor time in milliseconds: what other programs do meanwhile does not count. */
function cost(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const kinds: readonly [what: string, line: (i: number) => string, limitMs?: number][] = [
  ['different everything', (i) => `host db${i} u${i},v${i} 10.${i >> 8}.${i & 255}.0/24 trust`],
  ['different users', (i) => `hostssl all u${i} 0.0.0.0/0 cert`],
  ['different databases', (i) => `host "d ${i}" all 0.0.0.0/0 trust`],
  ['different addresses', (i) => `host all all 11.${i >> 8}.${i & 255}.1/32 reject`],
  ['roles', (i) => `host all +r${i} 0.0.0.0/0 trust`],
  ['regular expressions', (i) => `host all /^u${i}$ 0.0.0.0/0 trust`, 20],
];

for (const [what, line, limitMs = 1] of kinds) {
  await test(what, (t) => {
    const hba = Array.from({ length: LINES - 1 }, (_, i) => line(i)).join('\n');
    const roles = Object.fromEntries(
      Array.from({ length: LINES }, (_, i) => [`r${i}`, [`r${i + 1}`, 'zoe']]),
    );
    let book = bookOf('host all all all trust');
    const loading = cost(() => (book = bookOf(`${hba}\nhostssl last alice 10.0.0.1/32 trust`, { roles })));
    t.ok(loading < 1000, `loaded in ${loading.toFixed(0)} ms`);
    t.equal(book.hba.records.length, LINES);

    const facts = factsOf({ database: 'last', tls: true });
    t.match(decide(book, facts), { kind: 'admit', record: { line: LINES } });
    // The best of several batches: a batch that shares the processor's cache with other programs says little.
    const rounds = 20;
    const batches = Array.from({ length: 6 }, () =>
      cost(() => {
        for (let round = 0; round < rounds; round += 1) decide(book, facts);
      }),
    );
    const deciding = Math.min(...batches) / rounds;
    t.ok(deciding < limitMs, `decided in ${deciding.toFixed(3)} ms`);
    t.end();
  });
}
