// test/README.md: a row for every folder of tests and for every helper, and none for what is not there.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';

const folder = fileURLToPath(new URL('../', import.meta.url));
const page = readFileSync(`${folder}README.md`, 'utf8');
const words = new Set([...page.matchAll(/`([^`\s]+)`/g)].map(([, word = '']) => word));

await test('every folder', async (t) => {
  const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  t.strictSame(
    folders.map(({ name }) => name).filter((name) => !words.has(name)),
    [],
  );
});

await test('every helper, and no other', async (t) => {
  const helpers = readdirSync(`${folder}support`, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  t.strictSame([...words].filter((word) => word.endsWith('.ts')).toSorted(), helpers.toSorted(), 'each once');
});
