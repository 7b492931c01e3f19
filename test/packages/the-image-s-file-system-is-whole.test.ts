// The image's file system, laid out as the Dockerfile does it and entered as a container is: by a user without a name, with
// nothing to write to. What the executable loads is there, and nothing that is not needed.

import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { t as tap, test } from 'tap';
import { requirePackages } from '../support/run/packages.ts';
import { runToEnd, type Finished } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { leftOutForWantOf, requireTools, toolPath } from '../support/run/tools.ts';

const { executable, version } = requirePackages(tap);
requireTools(tap, 'unshare', 'mount', 'tini');
if (spawnSync(toolPath('unshare'), ['-m', 'true']).status !== 0)
  leftOutForWantOf(tap, 'root, for a file system of its own');

const repository = fileURLToPath(new URL('../../', import.meta.url));

/** As the runtime mounts them: /proc, and the folder of certificates. */
const ENTER = `set -e
mount --bind "$0" "$0"; mount -t proc proc "$0/proc"; mount --bind "$1" "$0/run"
mount -o remount,bind,ro "$0"
exec chroot --userspec="$2" "$0" "\${@:3}"`;

await test('the image', async (t) => {
  const root = join(temporaryDirectory(t), 'root');
  const folder = temporaryDirectory(t);
  mkdirSync(root);
  const made = await runToEnd(join(repository, 'packaging/image/rootfs.sh'), [executable, root]);
  t.equal(made.code, 0, made.stderr);
  const enter = async (user: string, ...command: string[]): Promise<Finished> =>
    await runToEnd(toolPath('unshare'), ['-m', '/bin/bash', '-c', ENTER, root, folder, user, ...command]);
  const inside = async (...args: string[]): Promise<Finished> =>
    await enter('10001:10001', ...entryPoint(), ...args);

  // /bin and /lib are links into /usr.
  const files = readdirSync(join(root, 'usr'), { recursive: true, withFileTypes: true }).filter((file) =>
    file.isFile(),
  );
  const bytes = files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
  t.ok(bytes < 135_000_000, `${bytes} bytes`);
  t.notOk(files.some(({ name }) => /^(?:node|npm|npx|apt|dpkg)$/.test(name)), 'no Node, no npm, no apt');

  t.match(await inside('--version'), { code: 0, stdout: `${version}\n`, stderr: '' });

  const started = await inside('serve', '--config', '/etc/pg-gatehouse/gatehouse.yaml');
  t.equal(started.code, 1, 'a start without certificates');
  t.match(started.stderr, 'pg-gatehouse pki init --dir /etc/pg-gatehouse');

  chownSync(folder, 10001, 10001);
  for (const step of ['init', 'server']) t.match(await inside('pki', step, '--dir', '/run/tls'), { code: 0 });
  const settings = ['cert_file=server.crt', 'key_file=server.key', 'ca_file=ca.crt'].flatMap((setting) => [
    '--set',
    `ssl_${setting.replace('=', '=/run/tls/')}`,
  ]);
  const checked = await inside('check', '--config', '/etc/pg-gatehouse/gatehouse.yaml', ...settings);
  t.equal(checked.code, 0, checked.stdout);
  const shell = await enter('10001:10001', '/bin/sh', '-c', 'sleep 0; cat /etc/passwd; kill -0 $$');
  t.match(shell, { code: 0, stdout: /gatehouse:x:10001/ }, 'a passphrase command and a hook have a shell');
  t.not((await enter('10001:10001', '/bin/sh', '-c', 'echo > /etc/x')).code, 0, 'nothing can be written');
  const health = await enter('10001:10001', '/bin/bash', '/opt/pg-gatehouse/healthcheck.sh', '/healthz', '1');
  t.equal(health.code, 1, 'the health check runs, and nobody answers it');
  t.notMatch(health.stderr, /not found|No such file/);
});

/** The Dockerfile's. tini is not the first process here, so that it takes orphans by the other way. */
function entryPoint(): readonly string[] {
  const dockerfile = readFileSync(join(repository, 'Dockerfile'), 'utf8');
  const words: string[] = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(dockerfile)?.[1] ?? '[]');
  return words.map((word) => (word === '--' ? '-s' : word)).toSpliced(2, 0, '--');
}
