// The engine's process. A statement that never ends can only be ended from outside, and a process can be killed at any
// moment, which a thread inside native code cannot. This is its main thread, which never computes anything: it passes
// messages on, and ends the process with the gate.

import { constants, setPriority } from 'node:os';
import { besides, startThread } from '../base/own-process.ts';

/** Most memory for the thread's own values, in MiB; SQLite has a limit of its own. */
const HEAP_LIMIT_MB = 128;

// The console's process ends it; a terminal sends these to all.
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGUSR2'] as const)
  process.on(signal, () => {});
// An orderly exit would wait for the thread, which may be inside a statement that never comes back.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
beSubordinate();

const thread = startThread(besides(import.meta.url, 'engine-thread'), {
  resourceLimits: { maxOldGenerationSizeMb: HEAP_LIMIT_MB },
});
thread.on('message', (response: unknown) => process.send?.(response));
thread.on('error', () => process.exit(1));
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
process.on('message', (request: unknown) => thread.postMessage(request));

/** SECURITY: sessions come first, whatever a statement computes. A thread inherits this from the one that starts it. */
function beSubordinate(): void {
  try {
    setPriority(constants.priority.PRIORITY_LOW);
  } catch {
    // A service manager's filter of system calls may forbid even this. Statements then compute as sessions do.
  }
}
