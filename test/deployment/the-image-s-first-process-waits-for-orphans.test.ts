// The image's entry point as the first process of a PID namespace, as a container runtime starts it: a child that has
// lost its parent is waited for when it ends and leaves no zombie, and SIGTERM drains the gate.

import { spawn, spawnSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { t as file, test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { cleanEnvironment, programCommand } from '../support/run/program.ts';
import { atEnd } from '../support/run/scope.ts';
import { leftOutForWantOf, requireTools, toolPath } from '../support/run/tools.ts';
import { until } from '../session/clients.ts';
import { PATIENCE_MS, within } from '../support/run/waiting.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

const namespace = ['--pid', '--fork', '--mount-proc', '--kill-child'];
requireTools(file, 'unshare', 'tini');
if (spawnSync(toolPath('unshare'), [...namespace, 'true']).status !== 0) {
  leftOutForWantOf(file, 'root, for a PID namespace');
}

await test('an orphan of the passphrase command', async (t) => {
  const authority = testAuthority(t);
  const { directory } = authority;
  const server = authority.server();
  const key = createPrivateKey(server.key).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'sesame',
  });
  writeGateFiles(directory, authority, {
    hba: 'host all all all trust\n',
    upstream: { host: '127.0.0.1', port: 1 },
    server: { ...server, key },
    config: {
      admin: { listen: '' },
      ssl_passphrase_command: `(sleep 0.1; touch ${join(directory, 'ended')}) >/dev/null 2>&1 & echo sesame`,
    },
  });
  const command = [...entryPoint(), 'serve', '--config', join(directory, 'gatehouse.yaml')];
  const runtime = spawn(toolPath('unshare'), [...namespace, ...command], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  atEnd(t, () => runtime.kill('SIGKILL'));
  const lines = createInterface({ input: runtime.stdout });
  const ready = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      if (line.includes('ready to accept connections')) resolve();
    });
  });
  await within(ready, 'the gate to be ready', 4 * PATIENCE_MS);
  const [first = 0] = childrenOf(runtime.pid ?? 0);
  await until('the orphan has ended', async () => existsSync(join(directory, 'ended')));
  await until('no zombie is left', async () => !childrenOf(first).some((pid) => isZombie(pid)));

  const exited = once(runtime, 'exit');
  process.kill(first, 'SIGTERM');
  t.strictSame(await within(exited, 'the gate to drain'), [0, null]);
});

/** The Dockerfile's, with this tree in the place of the image's. */
function entryPoint(): readonly string[] {
  const [, form = '[]'] = /^ENTRYPOINT (.*)$/m.exec(readFileSync(join(root, 'Dockerfile'), 'utf8')) ?? [];
  const words: string[] = JSON.parse(form);
  return words.flatMap((word) => (word === '/usr/bin/pg-gatehouse' ? programCommand('dist') : [word]));
}

function childrenOf(parent: number): readonly number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => statOf(pid)[1] === String(parent));
}

function isZombie(pid: number): boolean {
  return statOf(pid)[0] === 'Z';
}

/** Fields 3 and later of /proc/PID/stat; none when it is gone. */
function statOf(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
