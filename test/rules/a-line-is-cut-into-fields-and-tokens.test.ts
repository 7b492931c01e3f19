// Semantics §3, T1 to T7, as a table: a file's content, then each record's line number and fields. A quoted token
// stands in angle brackets.

import { test } from 'tap';
import { readLines } from '../../src/rules/tokens.ts';
import type { Token } from '../../src/rules/types.ts';
import { HBA_FILE, memoryFiles } from '../support/oracles/rules.ts';

type Row = readonly [what: string, content: string, records: readonly string[]];

const table: readonly Row[] = [
  // T1, T2: logical lines
  ['lines end at LF', 'a\nb\n', ['1: a', '2: b']],
  ['the last line needs no LF', 'a\nb', ['1: a', '2: b']],
  ['trailing CRs are stripped', 'a b\r\r\nc\r\n', ['1: a | b', '2: c']],
  ['a lone CR is a blank, not a line end', 'a\rb\n', ['1: a | b']],
  ['empty lines are counted and nothing else', '\n \t\n,\n# x\na\n', ['5: a']],
  ['a backslash joins the next line', 'a \\\nb\nc\n', ['1: a | b', '3: c']],
  ['also in the middle of a token', 'al\\\nl\n', ['1: all']],
  ['several times', 'a\\\nb\\\n c\nd\n', ['1: ab | c', '4: d']],
  ['before CR LF', 'a\\\r\nb\n', ['1: ab']],
  ['not before a blank', 'a\\ \nb\n', ['1: a\\', '2: b']],
  ['two backslashes: one is kept, and does not continue', 'a\\\\\nb\nc\n', ['1: a\\b', '3: c']],
  ['a kept backslash does not join again', 'a\\\\\n\nb\n', ['1: a\\', '3: b']],
  ['a comment is continued too', '# x \\\na\nb\n', ['3: b']],
  ['quoted text is continued too', '"a \\\nb" c\n', ['1: <a b> | c']],
  ['a backslash at the end of the file', 'a\\', ['1: a']],
  ['a line of a backslash', '\\\na\n', ['1: a']],
  // T3: blanks
  ['space, tab and CR separate', 'a b\tc\rd\n', ['1: a | b | c | d']],
  ['VT, FF and NBSP do not', 'a\vb\fc\u00a0d\n', ['1: a\vb\fc\u00c2\u00a0d']],
  ['a byte order mark is part of the first token', '\ufeffhost\n', ['1: \u00ef\u00bb\u00bfhost']],
  // T4: comments
  ['# ends the line', 'a b # c\n', ['1: a | b']],
  ['even in a token', 'a cert#x y\n', ['1: a | cert']],
  ['but not in quotes', '"a#b" c\n', ['1: <a#b> | c']],
  // T5, T6: quotes
  ['quotes are not part of the token', '"a b" c\n', ['1: <a b> | c']],
  ['they may start anywhere', 'a"b c"d e\n', ['1: ab cd | e']],
  ['a doubled quote is one', '"a""b"\n', ['1: <a"b>']],
  ['four quotes are one', '""""\n', ['1: <">']],
  ['an unterminated quote runs to the end of the line', 'a "b c\nd\n', ['1: a | <b c>', '2: d']],
  ['two quotes are an empty token', '""\n', ['1: <>']],
  ['a quote before the first character counts', '"a"ll ""all\n', ['1: <all> | <all>']],
  ['a later one does not', 'a"ll" all""\n', ['1: all | all']],
  ['blanks, commas and # may be quoted', '"a, b # c"\n', ['1: <a, b # c>']],
  // T7: lists
  ['a comma after a token joins the next', 'a,b c\n', ['1: a,b | c']],
  ['also over a blank', 'a, b c\n', ['1: a,b | c']],
  ['a blank before the comma ends the field', 'a ,b\n', ['1: a | b']],
  ['a comma between blanks is skipped', 'a , b\n', ['1: a | b']],
  ['empty elements vanish', 'a,,b ,c d,\n', ['1: a,b | c | d']],
  ['a trailing comma joins the next word', 'a, b, c\n', ['1: a,b,c']],
  ['a trailing comma before a comment joins nothing', 'a, # b\nc\n', ['1: a', '2: c']],
  ['quoted elements', '"a",b,"c d"\n', ['1: <a>,b,<c d>']],
];

function show({ text, quoted }: Token): string {
  return quoted ? `<${text}>` : text;
}

await test('lines, fields and tokens', (t) => {
  for (const [what, content, records] of table) {
    const { entries } = readLines(HBA_FILE, memoryFiles({ [HBA_FILE]: content }));
    const shown = entries.map((entry) =>
      'line' in entry
        ? `${entry.line.line}: ${entry.line.fields.map((field) => field.map(show).join(',')).join(' | ')}`
        : entry.problem.message,
    );
    t.same(shown, records, what);
  }
  t.end();
});

await test('a record keeps its logical line as it was written', (t) => {
  const content = ' host  "all" \\\n all\t# why\r\n';
  const { entries } = readLines(HBA_FILE, memoryFiles({ [HBA_FILE]: content }));
  t.match(entries, [{ line: { line: 1, raw: ' host  "all"  all\t# why' } }]);
  t.end();
});
