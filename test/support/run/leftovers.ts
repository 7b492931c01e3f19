// After a run: which processes of it are still there. Linux only; elsewhere nothing is found.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface Leftover {
  readonly pid: number;
  readonly command: string;
}

/**
 * The processes, other than this one, that still carry a run's directory in their environment, their arguments or
 * as working directory; PostgreSQL writes over the first two. Those about to end are given `graceMs`.
 */
export async function leftovers(run: string, graceMs: number): Promise<Leftover[]> {
  const deadline = Date.now() + graceMs;
  for (;;) {
    const found = processesOf(run);
    if (found.length === 0 || Date.now() > deadline) return found;
    await delay(50);
  }
}

function processesOf(run: string): Leftover[] {
  return processIds()
    .filter((pid) => pid !== process.pid)
    .filter((pid) =>
      [read(pid, 'environ'), read(pid, 'cmdline'), workingDirectory(pid)].some((text) => text.includes(run)),
    )
    .map((pid) => ({ pid, command: read(pid, 'cmdline').replaceAll('\0', ' ').trim() }));
}

function processIds(): number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

/** '' for a process that is gone, or another user's. */
function read(pid: number, file: 'environ' | 'cmdline'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}

function workingDirectory(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}
