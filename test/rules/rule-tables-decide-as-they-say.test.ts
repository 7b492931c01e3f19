// Every NAME.expect in test/fixtures/rules, one assertion a line; README.md there describes the form.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { fromText } from '../../src/base/bytestring.ts';
import { decide } from '../../src/rules/decide.ts';
import { explain } from '../../src/rules/explain.ts';
import { never } from '../../src/rules/never.ts';
import type { Verdict } from '../../src/rules/types.ts';
import { bookOf, factsOf, parseExpectations } from '../support/oracles/rules.ts';

const directory = join(import.meta.dirname, '../fixtures/rules');
const read = (file: string) => readFileSync(join(directory, file), 'utf8');
const files = readdirSync(directory);

function say(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'admit':
      return `${verdict.record.line} admit`;
    case 'refuse':
      return verdict.record === null ? 'no entry' : `${verdict.record.line} refuse ${verdict.code}`;
    case 'look-up':
      return `look-up ${verdict.want}`;
    default:
      return never(verdict);
  }
}

for (const file of files.filter((name) => name.endsWith('.expect'))) {
  await test(file, (t) => {
    const name = file.slice(0, -'.expect'.length);
    const { roles, expectations } = parseExpectations(read(file));
    const ident = files.includes(`${name}.ident`) ? read(`${name}.ident`) : '';
    const book = bookOf(read(`${name}.hba`), { ident, roles });
    t.ok(expectations.length > 0, 'the table is not empty');
    for (const { line, connection, verdict, message } of expectations) {
      const facts = factsOf(connection);
      const actual = decide(book, facts);
      t.equal(say(actual), verdict, `${file}:${line}`);
      if (message !== null) {
        t.equal(
          actual.kind === 'refuse' ? actual.message : null,
          fromText(message),
          `${file}:${line} message`,
        );
      }
      const explanation = explain(book, facts);
      t.same(explanation.verdict, actual, `${file}:${line} explained alike`);
      const decidedBy = actual.kind === 'look-up' ? null : actual.record;
      t.equal(
        explanation.considered.length,
        decidedBy === null ? book.hba.records.length : book.hba.records.indexOf(decidedBy),
        `${file}:${line} every line above the deciding one has its reason`,
      );
    }
    t.end();
  });
}
