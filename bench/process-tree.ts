// What a process and everything below it has used: CPU time and memory, from /proc. Linux only.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

interface Stat {
  readonly pid: number;
  readonly parent: number;
  /** User and system time of the process, and of those children of it that it has waited for. */
  readonly ticks: number;
}

const TICKS_PER_SECOND = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100;

/**
 * CPU seconds, user and system, that the tree has used so far: every thread of every process in it, and every child
 * that has ended and was waited for. It counts in ticks, usually of 10 ms.
 */
export function cpuSeconds(root: number): number {
  return tree(root).reduce((sum, { ticks }) => sum + ticks, 0) / TICKS_PER_SECOND;
}

/** Memory of the tree in bytes: its proportional set size, in which a page shared by n processes counts a nth in each. */
export function memoryBytes(root: number): number {
  return tree(root).reduce((sum, { pid }) => sum + proportionalSetSize(pid), 0);
}

/** Resident memory of the tree in bytes; a page that two processes share counts twice. */
export function residentBytes(root: number): number {
  return tree(root).reduce(
    (sum, { pid }) => sum + numberIn(readOrNull(`/proc/${pid}/status`), /^VmRSS:\s+(\d+) kB/m) * 1024,
    0,
  );
}

/** How often the threads of the tree that are alive have gone to sleep so far, each time to be woken. */
export function wakeUps(root: number): number {
  return ofThreads(root, 'status', /^voluntary_ctxt_switches:\s+(\d+)/m);
}

/** CPU seconds of the threads of the tree that are alive, to the nanosecond. */
export function runSeconds(root: number): number {
  return ofThreads(root, 'schedstat', /^(\d+)/) / 1e9;
}

function ofThreads(root: number, file: string, pattern: RegExp): number {
  return tree(root)
    .flatMap(({ pid }) => readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}`))
    .reduce((sum, thread) => sum + numberIn(readOrNull(`${thread}/${file}`), pattern), 0);
}

/** A number in a file of /proc; 0 where its thread has ended meanwhile. */
function numberIn(text: string | null, pattern: RegExp): number {
  return Number(pattern.exec(text ?? '')?.[1] ?? 0);
}

/** The process and its descendants that are alive. */
function tree(root: number): readonly Stat[] {
  const children = Map.groupBy(everyProcess(), ({ parent }) => parent);
  const own = readStat(root);
  if (own === null) throw new Error(`process ${root} is gone`);
  const found = [own];
  // The loop sees what it appends.
  for (const { pid } of found) found.push(...(children.get(pid) ?? []));
  return found;
}

function everyProcess(): Stat[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => readStat(Number(entry)))
    .filter((stat) => stat !== null);
}

/** proc(5): after the command, which may hold blanks and parentheses, come state, ppid and, from field 14, the times. */
function readStat(pid: number): Stat | null {
  const text = readOrNull(`/proc/${pid}/stat`);
  if (text === null) return null;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { pid, parent: Number(fields[1]), ticks };
}

function proportionalSetSize(pid: number): number {
  const text = readOrNull(`/proc/${pid}/smaps_rollup`) ?? '';
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
}

/** Processes end while they are looked at. */
function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
