// A network of the test's own: a namespace in which every address is local, so that clients may come from any, and in
// which host names come from /etc/hosts and the name server that the test plays. Needs root on Linux.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TAP } from 'tap';
import { leftOutForWantOf, requireTools, toolPath } from '../run/tools.ts';

/** Where the namespace's resolver asks. */
export const NAME_SERVER = '127.0.0.53';

export interface Network {
  /** /etc/hosts; may be written anew while the test runs. */
  readonly hosts: string;
  /** The order of nsswitch.conf, default `files dns`. */
  readonly nss?: string;
}

const INSIDE = 'GATEHOUSE_TEST_NAMESPACE';

/** Two addresses of this machine, one for each half of the IPv4 world; of IPv6 none but ::1. */
const SET_UP = `set -e
for file in hosts nsswitch.conf resolv.conf; do mount --bind "$0/$file" /etc/$file; done
ip link set lo up
ip addr add 10.55.0.2/24 dev lo
ip route add local 0.0.0.0/0 dev lo
ip -6 route add local ::/0 dev lo
echo 1 >/proc/sys/net/ipv4/ip_nonlocal_bind
echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind
exec "$@"`;

/**
 * Starts this very test file again inside a new network and ends with it; inside, returns at once. First thing in a file.
 * Where no namespace can be made, the file is left out.
 */
export function requireNetworkNamespace(t: TAP, { hosts, nss = 'files dns' }: Network): void {
  if (process.env[INSIDE] !== undefined) return;
  requireTools(t, 'ip', 'unshare', 'mount');
  if (spawnSync(toolPath('unshare'), ['-n', '-m', 'true']).status !== 0) {
    leftOutForWantOf(t, 'root, for a network namespace');
  }
  const directory = mkdtempSync(join(tmpdir(), 'network-'));
  writeFileSync(join(directory, 'hosts'), hosts, { mode: 0o644 });
  writeFileSync(join(directory, 'nsswitch.conf'), `passwd: files\ngroup: files\nhosts: ${nss}\n`, {
    mode: 0o644,
  });
  const resolver = `nameserver ${NAME_SERVER}\noptions timeout:30 attempts:1\n`;
  writeFileSync(join(directory, 'resolv.conf'), resolver, { mode: 0o644 });
  const { status } = spawnSync(
    toolPath('unshare'),
    [
      '-n',
      '-m',
      'bash',
      '-c',
      SET_UP,
      directory,
      process.execPath,
      ...process.execArgv,
      ...process.argv.slice(1),
    ],
    { stdio: 'inherit', env: { ...process.env, [INSIDE]: '1' } },
  );
  rmSync(directory, { recursive: true, force: true });
  process.exit(status ?? 1);
}
