// pg-gatehouse(1) as tools/man-page.ts makes it: readers of man pages find nothing wrong with it, and every command and
// option is on it.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { commandTree } from '../../src/commands/command-tree.ts';
import { createProgram } from '../../src/commands/program.ts';
import { manPage } from '../../tools/man-page.ts';
import { runToEnd } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs, toolPath } from '../support/run/tools.ts';

await test('mandoc finds nothing to complain about', needs('mandoc'), async (t) => {
  const file = join(temporaryDirectory(t), 'pg-gatehouse.1');
  writeFileSync(file, manPage());
  const lint = await runToEnd(toolPath('mandoc'), ['-T', 'lint', '-W', 'warning', file]);
  t.strictSame([lint.code, lint.stdout, lint.stderr], [0, '', '']);
});

await test('groff neither, and what it prints has every command and option', needs('groff'), async (t) => {
  const { code, stdout, stderr } = await runToEnd(
    toolPath('groff'),
    ['-man', '-ww', '-Tutf8', '-P-c', '-P-b', '-P-u', '-rLL=1000n', '-rHY=0'],
    { input: manPage() },
  );
  t.strictSame([code, stderr], [0, '']);
  const text = stdout.replaceAll(/\s+/g, ' ');
  for (const { path, options, description } of commandTree(createProgram())) {
    t.ok(text.includes(`pg-gatehouse ${path}`.trim()), `${path} is there`);
    for (const { flags, names } of options) {
      if (path === '' || names.includes('--help')) continue;
      t.ok(text.includes(flags), `${path} ${flags} is there`);
    }
    if (path !== '' && path !== 'pki') t.ok(text.includes(description.slice(1)), `${path} is described`);
  }
  for (const section of ['CONFIGURATION', 'ENVIRONMENT', 'SIGNALS', 'EXIT STATUS', 'FILES'])
    t.match(text, section);
});
