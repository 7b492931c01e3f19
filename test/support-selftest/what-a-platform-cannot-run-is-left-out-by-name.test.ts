// Away from linux-x64 `npm test` runs what it can and names the rest.

import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { filesForPlatform } from '../support/run/platform-files.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const files = globSync('test/**/*.test.ts', { cwd: root }).map((file) => resolve(root, file));
const named = (name: string) => (file: string) => file.endsWith(`/${name}.test.ts`);

await test('linux-x64 runs everything', async (t) => {
  t.strictSame(filesForPlatform(files, 'linux-x64'), { run: files, leftOut: [] });
});

await test('linux-arm64 leaves out what needs PostgreSQL 10, and nothing else', async (t) => {
  const { run, leftOut } = filesForPlatform(files, 'linux-arm64');
  t.ok(leftOut.length > 0 && leftOut.length < files.length / 5, `${leftOut.length} of ${files.length}`);
  t.strictSame(new Set(leftOut.map(({ wants }) => wants)), new Set(['PostgreSQL 10 for linux-arm64']));
  t.ok(leftOut.map(({ file }) => file).some(named('psql-of-both-libpq-versions-reaches-a-server')));
  t.ok(run.some(named('the-gate-starts-logs-and-ends-as-told')));
});

await test('macOS runs what starts no process', async (t) => {
  const { run, leftOut } = filesForPlatform(files, 'darwin-arm64');
  t.ok(run.length > 40, `${run.length} files run`);
  t.strictSame(new Set(leftOut.map(({ wants }) => wants)), new Set(['Linux']));
  t.ok(leftOut.map(({ file }) => file).some(named('the-gate-starts-logs-and-ends-as-told')));
  t.equal(run.length + leftOut.length, files.length);
});
