// A daemon from a distribution's package, with a directory of its own, as an unprivileged user: PgBouncer refuses root.

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { serverAccount } from '../../test/support/servers/postgres-binaries.ts';
import { cleanEnvironment } from '../../test/support/run/program.ts';
import { atEnd, type Scope } from '../../test/support/run/scope.ts';
import { supervise } from '../../test/support/run/supervise.ts';
import { Arrivals } from '../../test/support/run/waiting.ts';
import type { Stage } from '../stage.ts';

/** Where a daemon finds its certificates. */
export interface DaemonFiles {
  readonly directory: string;
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface Daemon {
  readonly command: string;
  /** Its configuration file's text. */
  readonly config: (files: DaemonFiles) => string;
  /** Further files of its directory, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** What it logs when it takes connections. */
  readonly ready: RegExp;
}

/** No promise of any daemon's: a busy machine may take long to start one. */
const READY_WITHIN_MS = 60_000;

/** Starts a daemon; its log, at its default level, goes to a pipe, as the gate's does. @returns its process id */
export async function startDaemon(stage: Stage, scope: Scope, daemon: Daemon): Promise<number> {
  const account = serverAccount();
  const directory = mkdtempSync(join(tmpdir(), 'peer-'));
  chownSync(directory, account.uid, account.gid);
  chmodSync(directory, 0o700);
  const write = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    chownSync(path, account.uid, account.gid);
    return path;
  };
  const files = {
    directory,
    cert: write('server.crt', stage.server.cert),
    key: write('server.key', stage.server.key),
    ca: write('ca.crt', stage.authority.cert),
  };
  for (const [name, text] of Object.entries(daemon.files ?? {})) write(name, text);
  const child = await supervise({
    command: daemon.command,
    args: [write('config', daemon.config(files))],
    cwd: directory,
    env: cleanEnvironment(),
    stopSignal: 'SIGTERM',
    directories: [directory],
    ...account,
  });
  atEnd(scope, async () => await child.stop());
  const log = new Arrivals<string>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => log.push(line));
  }
  const tail = (): string => `${daemon.command} logged:\n${log.items.slice(-20).join('\n')}`;
  void child.exited.then(() => log.end(new Error(`${daemon.command} ended; ${tail()}`)));
  await log.next(
    (line) => daemon.ready.test(line),
    () => `${daemon.command} to be ready; ${tail()}`,
    { timeoutMs: READY_WITHIN_MS },
  );
  return child.pid;
}

/** What a program says of its version, on either stream; '' where it cannot be run. */
export function versionText(command: string, args: readonly string[]): string {
  const { stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: 60_000 });
  return error === undefined ? `${stdout}${stderr}` : '';
}

/** The first of these that can be run, or null: daemons are often outside an ordinary user's PATH. */
export function firstThatRuns(commands: readonly string[], versionArg: string): string | null {
  return commands.find((command) => versionText(command, [versionArg]) !== '') ?? null;
}
