// README.md's own way from nothing to `select 1`, carried out as it is printed, before a real server, and then its line
// that revokes a client. Only the ports differ.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'tap';
import { freePort } from '../support/run/free-port.ts';
import { cleanEnvironment, programCommand, runToEnd } from '../support/run/program.ts';
import { atEnd } from '../support/run/scope.ts';
import { supervise } from '../support/run/supervise.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';
import { PATIENCE_MS, within } from '../support/run/waiting.ts';
import { startPostgres } from '../support/servers/postgres.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const readme = read('README.md');
const section = readme.slice(readme.indexOf('## From nothing'), readme.indexOf('## Day to day'));
const [certificates = '', settings = '', rules = '', commands = '', proof = ''] = [
  ...section.matchAll(/^```\w*\n([^]*?)^```$/gm),
].map(([, text]) => text ?? '');

await test('from nothing to select 1', needs('psql'), async (t) => {
  await using server = await startPostgres({ version: 15 });
  await server.createUser('alice');
  const directory = temporaryDirectory(t);
  const port = await freePort();
  // A shell function in place of an installed program.
  const program = `pg-gatehouse() { ${programCommand('dist')
    .map((word) => `'${word}'`)
    .join(' ')} "$@"; }\n`;
  const shell = async (text: string) =>
    await runToEnd('/bin/bash', ['-ec', program + text], { cwd: directory });

  t.match(await shell(certificates), { code: 0 }, 'certificates');
  writeFileSync(
    join(directory, 'gatehouse.yaml'),
    settings
      .replace('port: 6432', `port: ${port}`)
      .replace('port: 5432', `port: ${server.port}`)
      .replace(':9432', ':0'),
  );
  writeFileSync(join(directory, 'pg_hba.conf'), rules);
  const [check = '', serve = ''] = commands.trim().split('\n');
  const checked = await shell(check);
  t.equal(checked.code, 0, checked.stdout);
  t.match(checked.stdout, /^gatehouse\.yaml: ok$/m);
  t.notMatch(checked.stdout, /warning/i, 'and nothing to warn of');

  const gate = await supervise({
    command: '/bin/bash',
    args: ['-c', serve.replace('pg-gatehouse', `exec ${programCommand('dist').join(' ')}`)],
    cwd: directory,
    env: cleanEnvironment(),
  });
  atEnd(t, async () => await gate.stop());
  const lines = createInterface({ input: gate.stdout });
  const logged = async (text: string): Promise<void> => {
    const line = new Promise<void>((resolve) => {
      lines.on('line', (each) => {
        if (each.includes(text)) resolve();
      });
    });
    await within(line, `the gate to log "${text}"`, 2 * PATIENCE_MS);
  };
  await logged('ready to accept connections');
  const prove = async () => await shell(proof.replace('port=6432', `port=${port}`));
  const proven = await prove();
  t.match(proven.stdout, /^\s+1\n\(1 row\)$/m, proven.stderr);

  const [, revoke = ''] = /^\| revoke a client \| `([^`]+)`/m.exec(readme) ?? [];
  const reloaded = logged('reloaded: ');
  t.match(await shell(revoke), { code: 0, stdout: 'alice is revoked' }, revoke);
  await reloaded;
  t.match((await prove()).stderr, 'client certificate verification failed: certificate revoked');
});

await test('each way to install is of this version, and every picture is there', async (t) => {
  const { version }: { version: string } = JSON.parse(read('package.json'));
  const deb = `pg-gatehouse_${version}_amd64.deb`;
  for (const name of [deb, `pg-gatehouse-${version}-linux-x64`]) t.match(readme, name);
  t.match(read('docs/operations.md'), deb);
  t.match(JSON.parse(read('package-lock.json')), { version, packages: { '': { version } } });
  for (const path of ['config/kubernetes/postgres.yaml', 'config/kubernetes/component/sidecar.yaml'])
    t.match(read(path), `/pg-gatehouse:${version}\n`, path);
  t.match(read('CHANGELOG.md'), `## ${version}`);
  t.match(read('SECURITY.md'), `| ${version.split('.').slice(0, 2).join('.')} | yes`);
  t.match(readme, /npm ci && npm run demo\n[^]*npm ci && npm test\n/);
  for (const [, path = ''] of readme.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)) t.match(read(path), '<svg', path);
});
