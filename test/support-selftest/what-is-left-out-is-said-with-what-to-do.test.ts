// What a run has left out for want of something: at its end `npm test` says what to do, for tools of Debian and for all else.

import { test } from 'tap';
import { howToTestEverything } from '../support/run/tools.ts';

await test('each thing that is missing, once', async (t) => {
  t.strictSame(
    howToTestEverything([
      { test: 'a', tools: ['psql', 'pgbench'] },
      { test: 'b', tools: ['psql'], wants: 'root, for a machine of its own' },
      { test: 'c', tools: [], wants: 'root, for a machine of its own' },
    ]),
    ['apt-get install postgresql-client postgresql', 'have root, for a machine of its own'],
  );
});

await test('nothing is to be installed where no tool is missing', async (t) => {
  t.strictSame(
    howToTestEverything([{ test: 'a', tools: [], wants: 'the packages that npm run package makes' }]),
    ['have the packages that npm run package makes'],
  );
});
