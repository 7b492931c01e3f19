// config/systemd against systemd itself, where it is installed.

import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { runToEnd } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs, toolPath } from '../support/run/tools.ts';

const folder = fileURLToPath(new URL('../../config/systemd', import.meta.url));

await test('systemd-analyze has nothing to say', needs('systemd-analyze'), async (t) => {
  const directory = temporaryDirectory(t);
  cpSync(folder, directory, { recursive: true });
  const units = ['pg-gatehouse.service', 'pg-gatehouse.socket'].map((unit) => join(directory, unit));
  const { code, stdout, stderr } = await runToEnd(toolPath('systemd-analyze'), ['verify', ...units]);
  t.strictSame({ code, said: stdout + stderr }, { code: 0, said: '' });
});

await test('what the hardening leaves open is little', needs('systemd-analyze'), async (t) => {
  const unit = join(folder, 'pg-gatehouse.service');
  const args = ['security', '--offline=yes', '--threshold=20', '--no-pager', unit];
  const { code, stdout } = await runToEnd(toolPath('systemd-analyze'), args);
  t.equal(code, 0, stdout);
  t.match(stdout, /Overall exposure level for pg-gatehouse.service: [01]\.\d/);
});
