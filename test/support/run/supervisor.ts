// The program between a test and a process it started. It outlives the test by design: when the test ends, in
// whatever way, SIGKILL included, its end of the channel closes, and the supervisor ends the process's whole group
// and removes its directories.

import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';

/** What supervise.ts sends first. */
export interface Order {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly gid?: number;
  /** Asks the process to end; SIGKILL follows after `graceMs`. */
  readonly stopSignal: NodeJS.Signals;
  readonly graceMs: number;
  /** Removed, with all that is in them, once the process has ended. */
  readonly directories: readonly string[];
}

/** What may follow it: end the process, and remove its directories or keep them. */
export type Word = 'stop' | 'stop, keep directories';

/** What comes back: the process's id, then how it ended; or why it could not be started. */
export type Report =
  | { readonly pid: number }
  | { readonly code: number | null; readonly signal: NodeJS.Signals | null }
  | { readonly error: string };

process.once('message', (order: Order) => run(order));
// A terminal's Ctrl-C reaches the whole foreground group; the end of the channel is the only order to stop.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit());

function run(order: Order): void {
  const { command, args, cwd, env, uid, gid } = order;
  const child = spawn(command, args, {
    cwd,
    env,
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    // A group of its own: what the process forks goes with it.
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  let ended = false;
  let keepDirectories = false;

  const finish = (report: Report): void => {
    if (ended) return;
    ended = true;
    if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    tell(report);
    void removeAll(keepDirectories ? [] : order.directories).finally(() => process.exit());
  };
  child.once('spawn', () => tell({ pid: child.pid! }));
  child.once('error', (error) => finish({ error: error.message }));
  child.once('exit', (code, signal) => finish({ code, signal }));

  const stop = (): void => {
    if (ended || child.pid === undefined) return;
    child.kill(order.stopSignal);
    setTimeout(() => signalGroup(child.pid!, 'SIGKILL'), order.graceMs).unref();
  };
  process.removeAllListeners('disconnect');
  process.on('disconnect', stop);
  process.on('message', (word: Word) => {
    keepDirectories = word === 'stop, keep directories';
    stop();
  });
}

function tell(report: Report): void {
  if (process.connected) process.send?.(report);
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: nobody of the group is left.
  }
}

async function removeAll(directories: readonly string[]): Promise<void> {
  await Promise.all(
    directories.map((directory) => rm(directory, { recursive: true, force: true, maxRetries: 3 })),
  );
}
