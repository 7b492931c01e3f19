// Starts a process under supervisor.ts, so that nothing of it is left behind however the test ends.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Order, Report, Word } from './supervisor.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Supervised {
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the process itself has ended and all its output was read. */
  readonly exited: Promise<Exit>;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Ends the process (stopSignal, later SIGKILL), waits for that and, unless told to keep them, for its directories to be gone. */
  readonly stop: (options?: { readonly keepDirectories?: boolean }) => Promise<Exit>;
}

const SUPERVISOR = fileURLToPath(new URL('supervisor.ts', import.meta.url));

export type SuperviseOptions = Pick<Order, 'command' | 'args' | 'env'> & Partial<Order>;

/** @throws Error when the command cannot be started. */
export async function supervise(options: SuperviseOptions): Promise<Supervised> {
  const order: Order = { cwd: '/', stopSignal: 'SIGTERM', graceMs: 15_000, directories: [], ...options };
  // tap puts a loader of its own into the NODE_OPTIONS of whatever a test spawns; the program under test shall run
  // as it is, and start as fast. env(1) takes it away again, and becomes the supervisor.
  const supervisor = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, SUPERVISOR], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const closed = once(supervisor, 'close');
  const { stdout, stderr } = supervisor;
  if (stdout === null || stderr === null) throw new Error('the supervisor has no output');

  const started = Promise.withResolvers<number>();
  const ended = Promise.withResolvers<Exit>();
  ended.promise.catch(() => undefined);
  supervisor.on('message', (report: Report) => {
    if ('pid' in report) started.resolve(report.pid);
    else if ('error' in report) started.reject(new Error(`${order.command}: ${report.error}`));
    else ended.resolve(report);
  });
  supervisor.once('close', () => {
    const reason = new Error('the supervisor ended before its process');
    started.reject(reason);
    ended.reject(reason);
  });
  supervisor.send(order);

  const exited = closed.then(() => ended.promise);
  exited.catch(() => undefined);
  const pid = await started.promise;
  return {
    pid,
    stdout,
    stderr,
    exited,
    kill: (signal) => {
      process.kill(pid, signal);
    },
    stop: ({ keepDirectories = false } = {}) => {
      const word: Word = keepDirectories ? 'stop, keep directories' : 'stop';
      if (supervisor.connected) supervisor.send(word, () => undefined);
      return exited;
    },
  };
}
