// .ci/run installs what the tests would otherwise leave out.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { PACKAGES } from '../support/run/tools.ts';

await test('the pairs in .ci/run are those of test/support/run/tools.ts', async (t) => {
  const script = readFileSync(new URL('../../.ci/run', import.meta.url), 'utf8');
  const list = /^tools=\(\n([^)]*)\)/m.exec(script)?.[1] ?? '';
  const pairs = list
    .trim()
    .split(/\s+/)
    .map((pair) => pair.split(':'));
  t.strictSame(Object.fromEntries(pairs), PACKAGES);
});
