// Random patterns on random subjects: accepted or refused with the same words, the same match, the same captures
// as a real PostgreSQL 18's regexp_match(). PATTERN_ROUNDS=n runs n batches, PATTERN_SEED=n starts elsewhere.

import { test } from 'tap';
import type { ByteString } from '../../src/base/bytestring.ts';
import { compilePattern, PatternError } from '../../src/regex/pattern.ts';
import { Matcher } from '../../src/regex/matcher.ts';
import { parsePattern } from '../../src/regex/parser.ts';
import { readMatches, readRefusals } from '../support/oracles/pattern-table.ts';
import { PatternGenerator } from '../support/oracles/random-patterns.ts';
import { RegexpOracle } from '../support/oracles/regexp-oracle.ts';
import type { RegexpAnswer, RegexpQuestion } from '../support/oracles/regexp-oracle.ts';

const PATTERNS_A_ROUND = 250;
const SUBJECTS_A_PATTERN = 6;
const TOO_COMPLEX = /is too complex$/;
const rounds = Number(process.env['PATTERN_ROUNDS'] ?? 6);
const firstSeed = Number(process.env['PATTERN_SEED'] ?? 1);

await test('patterns match as PostgreSQL 18 matches them', { timeout: 3_600_000 }, async (t) => {
  await using oracle = await RegexpOracle.start();

  const matches = readMatches();
  const told = await oracle.ask(matches);
  for (const [index, { line, pattern, subject, groups }] of matches.entries()) {
    const captured = groups !== null && groups.length === 0 ? [wholeMatch(pattern, subject)] : groups;
    const expected: RegexpAnswer = captured === null ? { kind: 'none' } : { kind: 'match', groups: captured };
    t.same(told[index], expected, `matches.txt:${line}`);
  }
  const errors = readRefusals('errors.txt');
  const refused = await oracle.ask(errors.map(({ pattern }) => ({ pattern, subject: '' })));
  for (const [index, { line, message }] of errors.entries()) {
    t.same(refused[index], { kind: 'error', message }, `errors.txt:${line}`);
  }

  const count = { pairs: 0, matches: 0, errors: 0, unsupported: 0 };
  for (let seed = firstSeed; seed < firstSeed + rounds; seed += 1) {
    const questions = questionsOf(new PatternGenerator(seed));
    // What the gate refuses for its price is not asked about: it may be dear to PostgreSQL too.
    const askable = questions.filter(({ pattern, subject }) => answer(pattern, subject) !== 'unsupported');
    count.unsupported += questions.length - askable.length;
    const answers = await oracle.ask(askable);
    for (const [index, { pattern, subject }] of askable.entries()) {
      const theirs = answers[index]!;
      const ours = answer(pattern, subject);
      if (theirs.kind === 'error' && TOO_COMPLEX.test(theirs.message)) {
        // PostgreSQL has a limit of its own, on what it makes of constraints within repetitions.
        count.unsupported += 1;
        continue;
      }
      count.pairs += 1;
      if (theirs.kind === 'match') count.matches += 1;
      if (theirs.kind === 'error') count.errors += 1;
      if (JSON.stringify(ours) !== JSON.stringify(theirs)) {
        t.same(ours, theirs, `seed ${seed}: ${JSON.stringify(pattern)} on ${JSON.stringify(subject)}`);
      }
    }
  }
  t.comment(
    `${count.pairs} pairs, ${count.matches} matches, ${count.errors} errors, ${count.unsupported} unsupported`,
  );
  t.ok(count.pairs > rounds * 1000, 'most of what is generated can be compared');
  t.ok(count.matches > count.pairs / 4, 'much of what is generated matches');
});

function questionsOf(generator: PatternGenerator): RegexpQuestion[] {
  const patterns = Array.from({ length: PATTERNS_A_ROUND }, () => generator.pattern());
  return patterns.flatMap((pattern) =>
    Array.from({ length: SUBJECTS_A_PATTERN }, () => ({ pattern, subject: generator.subject() })),
  );
}

/** What ours says, in regexp_match()'s form. */
function answer(pattern: ByteString, subject: ByteString): RegexpAnswer | 'unsupported' {
  try {
    const compiled = compilePattern(pattern);
    const result = compiled.exec(subject);
    if (compiled.test(subject) !== (result !== null))
      return { kind: 'error', message: 'test and exec disagree' };
    if (result === null) return { kind: 'none' };
    return {
      kind: 'match',
      groups: compiled.groupCount > 0 ? result.groups : [wholeMatch(pattern, subject)],
    };
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    if (TOO_COMPLEX.test(error.message) || error.message.includes('not supported')) return 'unsupported';
    return { kind: 'error', message: error.message };
  }
}

function wholeMatch(pattern: ByteString, bytes: ByteString): ByteString | null {
  const matcher = new Matcher(parsePattern(pattern));
  const span = matcher.find(matcher.constraints.judge(bytes));
  return span === null ? null : bytes.slice(span.from, span.to);
}
