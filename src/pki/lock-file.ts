// One command at a time on a folder: what each has read is still so when it writes.

import { open, readFile, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** How long a command waits for another, in milliseconds: each takes a fraction of a second. */
const PATIENCE_MS = 30_000;
const RETRY_MS = 20;

/** Another command holds the lock, or has left it behind. The message is for the person who asked. */
export class LockedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LockedError';
  }
}

/**
 * Runs `work` while this process alone holds the lock file. A lock file that a dead process has left is not removed
 * here: of two commands that do so at the same time, the slower one would remove the lock that the faster one has just
 * made.
 *
 * @throws LockedError when the lock cannot be had
 */
export async function locked<T>(file: string, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await tryLock(file))) {
    const holder = await holderOf(file);
    // Read the lock again after its holder is found dead: a process that ended normally removed its lock first.
    if (holder !== null && !isAlive(holder) && (await holderOf(file)) === holder)
      throw new LockedError(
        `${file} was left behind by process ${holder}; remove it when no other pki command runs`,
      );
    if (performance.now() > deadline)
      throw new LockedError(`${file} is held by process ${holder ?? 'unknown'}; try again when it has ended`);
    await delay(RETRY_MS);
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function tryLock(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.writeFile(`${process.pid}\n`);
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Null while its holder is about to write it, or has just removed it. */
async function holderOf(file: string): Promise<number | null> {
  const text = await readFile(file, 'latin1').catch(() => '');
  return /^\d+\n$/.test(text) ? Number(text) : null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
