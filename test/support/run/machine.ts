// A machine of the test's own to install packages on: this one's files under a layer that is thrown away, with no Node and
// no service manager. Needs root on Linux; the network is this machine's.

import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TAP } from 'tap';
import { runToEnd, type Finished } from './program.ts';
import type { Scope } from './scope.ts';
import { atEnd } from './scope.ts';
import { supervise } from './supervise.ts';
import { temporaryDirectory } from './temporary.ts';
import { leftOutForWantOf, requireTools, toolPath } from './tools.ts';
import { Arrivals } from './waiting.ts';

const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/** Debian starts no service where this file says no; and a real machine's manager is out of sight. */
const SET_UP = `set -e
mount -t tmpfs -o mode=755 tmpfs "$0"
mkdir "$0/changed" "$0/work" "$0/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$0/changed,workdir=$0/work" "$0/root"
mount -t proc proc "$0/root/proc"
mount --rbind /dev "$0/root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$0/root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$0/root/run"
for place in /usr/bin /usr/local/bin; do rm -f "$0/root$place/node" "$0/root$place/npm" "$0/root$place/npx"; done
for file in "$@"; do cp "$file" "$0/root/tmp/"; done
echo ready
exec sleep infinity`;

/** First thing in a file: where no such machine can be made, the file is left out. */
export function requireMachine(t: TAP): void {
  requireTools(t, 'unshare', 'mount');
  const tried = spawnSync(toolPath('unshare'), ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']);
  if (tried.status !== 0) leftOutForWantOf(t, 'root, for a machine of its own');
}

/** A running one. */
export interface Machine {
  /** Runs a shell's lines as root, until they end. */
  readonly run: (script: string) => Promise<Finished>;
  /** Every file that is there now and was changed or made on this machine, as its own path. */
  readonly changed: () => Promise<readonly string[]>;
}

/**
 * Starts a machine that is gone with its test.
 * @param files lie in its /tmp
 * @throws Error when it cannot be made
 */
export async function startMachine(t: Scope, ...files: readonly string[]): Promise<Machine> {
  const directory = join(temporaryDirectory(t), 'machine');
  mkdirSync(directory);
  const holder = await supervise({
    command: toolPath('unshare'),
    args: ['--mount', '/bin/sh', '-c', SET_UP, directory, ...files],
    env: { PATH },
    stopSignal: 'SIGKILL',
  });
  atEnd(t, async () => await holder.stop());
  const said = new Arrivals<string>();
  holder.stdout.setEncoding('utf8').on('data', (text: string) => said.push(text));
  holder.stderr.setEncoding('utf8').on('data', (text: string) => said.push(`failed: ${text}`));
  const first = await said.next(
    () => true,
    () => 'the machine to be made',
  );
  if (!first.startsWith('ready')) throw new Error(first);
  const inside = async (...command: readonly string[]): Promise<Finished> =>
    await runToEnd('nsenter', ['--mount', '--target', String(holder.pid), ...command], {
      env: { PATH, HOME: '/root' },
      timeoutMs: 90_000,
    });
  return {
    run: async (script) => await inside('chroot', join(directory, 'root'), '/bin/sh', '-c', script),
    changed: async () => {
      const { stdout } = await inside(
        'find',
        join(directory, 'changed'),
        '-not',
        '-type',
        'c',
        '-printf',
        '/%P\\n',
      );
      return stdout.trim().split('\n');
    },
  };
}
