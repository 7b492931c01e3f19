// Random rule files and random connections, asked of a real PostgreSQL 18 and of decide(): the same line must decide,
// with the same SQLSTATE, message and log lines. Left out: Unix sockets, GSSAPI, an absent ssl_ca_file, certificates
// that do not verify, names that are no UTF-8, and host names other than localhost.
//
// GATEHOUSE_DIFFERENTIAL_ROUNDS (500) and GATEHOUSE_DIFFERENTIAL_SEED (1) ask for more, or for others.

import root, { test } from 'tap';
import { comparable, Differential } from '../support/oracles/differential.ts';
import type { Answer } from '../support/oracles/differential.ts';
import { Random, randomRound } from '../support/oracles/random-rules.ts';
import type { RandomRound } from '../support/oracles/random-rules.ts';

const ROUNDS = Number(process.env['GATEHOUSE_DIFFERENTIAL_ROUNDS'] ?? 500);
const SEED = Number(process.env['GATEHOUSE_DIFFERENTIAL_SEED'] ?? 1);
const CONNECTIONS = 6;
/** Differences told in full before the test gives up. */
const MAX_FAILURES = 5;

/** What must come up in the end. */
const OUTCOMES = [
  'refused file',
  'admit',
  'password',
  '28000 no pg_hba.conf entry for host …',
  '28000 no pg_hba.conf entry for replication connection from host …',
  '28000 pg_hba.conf rejects connection for host …',
  '28000 pg_hba.conf rejects replication connection for host …',
  '28000 connection requires a valid client certificate',
  '28000 certificate authentication failed for user …',
  '28000 … authentication failed for user …',
] as const;

/** What came up how often: a generator that no longer reaches a branch must not go unnoticed. */
class Tally {
  readonly counts: Record<string, number> = {};

  add(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}

function kindOf({ outcome }: Answer): string {
  if (outcome === 'admit' || outcome === 'password') return outcome;
  return outcome.replaceAll(/"[^"]*"/g, '…').replace(/host …, .*/, 'host …');
}

root.setTimeout(60_000 + ROUNDS * 500);

await test('PostgreSQL 18 and the gate agree', async (t) => {
  const differential = await Differential.start(t);
  const random = new Random(SEED);
  const tally = new Tally();
  let failures = 0;

  const describe = (round: RandomRound) => ({
    seed: SEED,
    hba: round.hba,
    ident: round.ident,
    files: round.files,
  });

  for (let number = 1; number <= ROUNDS && failures < MAX_FAILURES; number += 1) {
    const round = randomRound(random, CONNECTIONS);
    const { ours: book, theirs: errors } = await differential.load(round);
    if (!('hba' in book) || errors.length > 0) {
      tally.add('refused file');
      const same = JSON.stringify('hba' in book ? [] : book) === JSON.stringify(errors);
      if (!same) {
        failures += 1;
        t.same('hba' in book ? [] : book, errors, `round ${number}: the same errors`, describe(round));
      }
      continue;
    }
    const theirs = await differential.theirs(t, round.connections);
    for (const [index, connection] of round.connections.entries()) {
      const ours = await differential.ours(book, connection);
      const [expected, found] = comparable(ours.answer, theirs[index]!, ours.method);
      tally.add(kindOf(theirs[index]!));
      if (JSON.stringify(expected) === JSON.stringify(found)) continue;
      failures += 1;
      t.same(expected, found, `round ${number}: ${JSON.stringify(connection)}`, describe(round));
    }
  }
  t.equal(failures, 0, `${ROUNDS} rounds of ${CONNECTIONS} connections agree`);
  t.comment(JSON.stringify(tally.counts, null, 1));
  if (ROUNDS >= 200) for (const outcome of OUTCOMES) t.ok(tally.counts[outcome], `${outcome} came up`);
  t.end();
});
