// test/fixtures/patterns/matches.txt, line by line (semantics §5.8).

import { test } from 'tap';
import { compilePattern } from '../../src/regex/pattern.ts';
import { readMatches } from '../support/oracles/pattern-table.ts';

await test('patterns match what their table says', (t) => {
  const lines = readMatches();
  t.ok(lines.length > 100, 'the table was found');
  for (const { line, pattern, subject, groups } of lines) {
    const where = `line ${line}: ${pattern} on ${JSON.stringify(subject)}`;
    const compiled = compilePattern(pattern);
    t.equal(compiled.test(subject), groups !== null, where);
    t.strictSame(compiled.exec(subject)?.groups ?? null, groups, where);
    t.equal(compiled.source, pattern);
    if (groups !== null) t.equal(compiled.groupCount, groups.length, where);
  }
  t.end();
});
