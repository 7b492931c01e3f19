// Every test file of this folder is in docs/compatibility.md, and no other; each file compares its own rows itself.

import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { COMPATIBILITY_PAGE } from '../support/pages/compatibility-page.ts';

await test('the files linked are the files there are', async (t) => {
  const page = readFileSync(COMPATIBILITY_PAGE, 'utf8');
  const linked = new Set([...page.matchAll(/\(\.\.\/test\/clients\/(.+?)\)/g)].map(([, file = '']) => file));
  const here = readdirSync(fileURLToPath(new URL('.', import.meta.url))).filter(
    (file) => file.endsWith('.test.ts') && file !== basename(fileURLToPath(import.meta.url)),
  );
  t.strictSame([...linked].toSorted(), here.toSorted());
});
