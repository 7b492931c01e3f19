// The npm package as a consumer gets it: installed without a compiler, run by the pinned Node, and refused by an old one
// with the command that works.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { t as tap, test } from 'tap';
import { requirePackages } from '../support/run/packages.ts';
import { runToEnd } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { leftOutForWantOf } from '../support/run/tools.ts';

const { npm, version } = requirePackages(tap);
const oldNode = findOldNode() ?? leftOutForWantOf(tap, 'a Node older than 24.17 on the PATH');

await test('installed from the registry, with no script run', async (t) => {
  const folder = temporaryDirectory(t);
  const install = ['install', '--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund', '--prefer-offline', npm];
  const { code, stderr } = await runToEnd('npm', install, {
    cwd: folder,
    env: { HOME: process.env['HOME'] ?? '/nonexistent', ...reachTheRegistry() },
    timeoutMs: 100_000,
  });
  t.equal(code, 0, stderr);

  const installed = join(folder, 'node_modules/pg-gatehouse');
  const manifest: Record<string, unknown> = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  t.notOk(manifest['scripts'], 'nothing runs on a consumer, prepare least of all');
  t.notOk(manifest['devDependencies']);
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
  t.strictSame(
    files.filter((file) => /\.map$|\.d\.ts$|^(?:src|test|tools)\b/.test(file)),
    [],
  );
  t.ok(existsSync(join(installed, 'config/gatehouse.yaml')));

  const program = join(folder, 'node_modules/.bin/pg-gatehouse');
  const run = await runToEnd(process.execPath, [program, '--version']);
  t.strictSame([run.code, run.stdout], [0, `${version}\n`]);
  const check = await runToEnd(process.execPath, [program, 'check', '--config', 'missing.yaml'], { cwd: folder });
  t.equal(check.code, 1);

  const refused = await runToEnd(oldNode, [program, 'serve', '--config', "it's mine.yaml"]);
  t.equal(refused.code, 1);
  t.match(refused.stderr, /pg-gatehouse needs Node 24\.17 or newer; this is Node \d+/);
  t.match(
    refused.stderr,
    `npx -p node@26 -p pg-gatehouse@${version} pg-gatehouse serve --config 'it'\\''s mine.yaml'`,
  );
});

/** What npm needs of this machine's environment to get anywhere. */
function reachTheRegistry(): Record<string, string> {
  const kept = /^(?:(?:https?|no|all)_proxy|npm_config_(?:registry|cache|cafile)|node_extra_ca_certs|ssl_cert_file)$/i;
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      kept.test(name) && value !== undefined ? [[name, value]] : [],
    ),
  );
}

function findOldNode(): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const program = join(folder, 'node');
    const said = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout ?? '';
    const [, major = '99', minor = '0'] = /^v(\d+)\.(\d+)\./.exec(said) ?? [];
    if (Number(major) < 24 || (major === '24' && Number(minor) < 17)) return program;
  }
  return null;
}
