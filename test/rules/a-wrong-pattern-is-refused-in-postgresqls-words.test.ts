// test/fixtures/patterns/errors.txt and unsupported.txt: pg_regerror's texts, and the names of what the gate does
// not support (semantics §4.4).

import { test } from 'tap';
import { compilePattern, PatternError } from '../../src/regex/pattern.ts';
import { readRefusals } from '../support/oracles/pattern-table.ts';

for (const table of ['errors.txt', 'unsupported.txt'] as const) {
  await test(`a pattern of ${table} is refused with the text beside it`, (t) => {
    const lines = readRefusals(table);
    t.ok(lines.length >= 5, 'the table was found');
    for (const { line, pattern, message } of lines) {
      t.throws(() => compilePattern(pattern), new PatternError(message), `line ${line}: ${pattern}`);
    }
    t.end();
  });
}
