// .ci/run installs what the tests would otherwise leave out, and a test that runs such a program asks for it first: without it
// `npm test` names what it leaves out, and nothing fails.

import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { PACKAGES } from '../support/run/tools.ts';

/** On the smallest Debian too. */
const IN_EVERY_DEBIAN = new Set(['unshare', 'mount']);

await test('the pairs in .ci/run are those of test/support/run/tools.ts', async (t) => {
  const script = readFileSync(new URL('../../.ci/run', import.meta.url), 'utf8');
  const list = /^tools=\(\n([^)]*)\)/m.exec(script)?.[1] ?? '';
  const pairs = list
    .trim()
    .split(/\s+/)
    .map((pair) => pair.split(':'));
  t.strictSame(Object.fromEntries(pairs), PACKAGES);
});

/** What stands for a program of PACKAGES in the text of a test. */
const USES: readonly RegExp[] = [
  /\b(?:psql|runClient|startClient|startPrometheus|toolPath)\(/,
  // Helpers that are psql: a console's statements.
  /\bnew Talk\(|\bask\('(?:alice|bob|carol)'/,
  new RegExp(
    String.raw`\b(?:execFileSync|spawnSync|execFile|spawn|runToEnd)\(\s*'(?:${Object.keys(PACKAGES)
      .filter((tool) => !tool.includes('/') && !IN_EVERY_DEBIAN.has(tool))
      .join('|')})'`,
  ),
];

await test('a test that runs a program of Debian is left out without it', async (t) => {
  const root = fileURLToPath(new URL('../', import.meta.url));
  const files = globSync('*/**/*.test.ts', { cwd: root, exclude: ['fixtures/**'] });
  t.ok(files.length > 200);
  const asks = /\b(?:needs|requireTools|requireNetworkNamespace|requireMachine|requirePackages)\(/;
  const unasked = files.filter((file) => {
    const text = readFileSync(`${root}${file}`, 'utf8');
    return USES.some((use) => use.test(text)) && !asks.test(text);
  });
  t.strictSame(unasked, []);
});
