// docs/reliability.md: the table of promises and the table of figures name every target that `npm run fuzz` has, and no
// other.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { targetNames } from '../../fuzz/target.ts';

const page = readFileSync(new URL('../../docs/reliability.md', import.meta.url), 'utf8');

await test('each target, in both tables', async (t) => {
  for (const head of ['| target | what |', '| target | inputs |']) {
    const from = page.indexOf(head);
    const table = page.slice(from, page.indexOf('\n\n', from));
    const named = [...table.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, names = '']) =>
      names.replaceAll('`', '').split(', '),
    );
    t.strictSame(named.toSorted(), targetNames.toSorted(), head);
  }
});
