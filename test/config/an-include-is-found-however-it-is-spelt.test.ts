// PostgreSQL takes a quote out of the middle of a word, and joins continued lines, before it looks for `include`. What such
// a line names is read as well.

import { test } from 'tap';
import { check } from '../support/run/check.ts';

await test('quotes and continuations in the word', async (t) => {
  for (const include of ['include', 'incl"ude"', 'inc\\\nlude', 'inc\\\r\nlude']) {
    const { lines, code } = await check(t, {
      hba: `${include} more.conf`,
      files: { 'more.conf': 'hostssl all all all cert\n' },
    });
    t.equal(lines.at(-1), '1 of 1 line of pg_hba.conf can admit anybody', JSON.stringify(include));
    t.equal(code, 0);
  }
});
