// CONTRIBUTING.md's example of a test is run as it stands there: its imports are found, and it passes.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { runToEnd } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';

const page = readFileSync(new URL('../../CONTRIBUTING.md', import.meta.url), 'utf8');
const [, example = ''] = /^```ts\n([^]*?)^```$/m.exec(page) ?? [];

await test('the example', needs('psql'), async (t) => {
  // The file lies elsewhere, so that a run that is killed leaves nothing in the tree.
  const file = join(temporaryDirectory(t), 'example.test.ts');
  const text = example
    .replaceAll(/from '(\.\.\/[^']+)'/g, (_, path: string) => `from '${new URL(path, import.meta.url).href}'`)
    .replace("from 'tap'", `from '${import.meta.resolve('tap')}'`);
  writeFileSync(file, text);
  const { code, stdout, stderr } = await runToEnd(process.execPath, [file], { timeoutMs: 60_000 });
  t.equal(code, 0, stdout + stderr);
  t.match(stdout, /^ {4}ok \d+/m, 'it looks at something');
});
