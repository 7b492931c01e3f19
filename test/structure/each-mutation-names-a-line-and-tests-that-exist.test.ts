// The list of tools/mutations.ts still fits src/ and test/; whether the tests notice is for `npm run mutation`.

import { existsSync, readFileSync } from 'node:fs';
import { test } from 'tap';
import { mutations } from '../../tools/mutations.ts';

const FEWEST = 10;

await test('each mutation', async (t) => {
  t.ok(mutations.length >= FEWEST);
  for (const { file, from, to, removes, tests } of mutations) {
    const source = readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8');
    t.equal(source.split(from).length, 2, `${file}: ${removes}: the line is there, once`);
    t.not(from, to, removes);
    t.ok(tests.length > 0, removes);
    for (const each of tests) t.ok(existsSync(new URL(`../${each}`, import.meta.url)), each);
  }
});
