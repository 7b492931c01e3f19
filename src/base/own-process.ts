// The program's own processes, threads and texts, in both of its forms: files below dist/ under Node, and one executable that
// holds them all (decision 101).

import { fork, type ChildProcess, type ForkOptions } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { getAsset, isSea } from 'node:sea';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/** The parts that run in a process of their own. */
const PARTS = ['worker', 'console-engine'] as const;
export type Part = (typeof PARTS)[number];

/** PostgreSQL's own word for it. Only a process with a channel to its parent understands it. */
const FLAG = '--forkchild=';

/** Linux's name for the file that a process runs; another system has none, nor has a root without /proc. */
const ITSELF = '/proc/self/exe';

/**
 * Starts a part of the program with a channel to it.
 * @param file where the part begins, when the program is not an executable
 * @param options its `execArgv` are Node's flags; the executable has its own built in and takes no others
 */
export function forkPart(part: Part, file: URL, options: ForkOptions): ChildProcess {
  if (!isSea()) return fork(file, options);
  return fork(`${FLAG}${part}`, {
    ...options,
    execArgv: [],
    // The file may have been replaced by a newer one since the start; processes of two versions do not fit together.
    ...(existsSync(ITSELF) ? { execPath: ITSELF } : {}),
  });
}

/** Which part this process of the executable is: null for the command line. */
export function partOfThisProcess(): Part | null {
  if (process.channel === undefined) return null;
  return PARTS.find((part) => process.argv[2] === `${FLAG}${part}`) ?? null;
}

/**
 * Starts a thread.
 * @param file where the thread begins; the executable has it under the same name, ending in `.js`
 */
export function startThread(file: URL, options: WorkerOptions): Worker {
  if (!isSea()) return new Worker(file, options);
  const name = file.pathname.slice(file.pathname.lastIndexOf('/') + 1);
  return new Worker(getAsset(name, 'utf8'), { ...options, eval: true });
}

/**
 * A text that belongs to the program.
 * @param path below the package's folder; the executable has those that tools/package/executable.ts names
 * @throws Error when it is not there
 */
export function readOwnText(path: string): string {
  // Stands two folders above this file, in src/ and in dist/.
  return isSea() ? getAsset(path, 'utf8') : readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

/** A file beside the one that asks, in src/ or in dist/. */
export function besides(importer: string, name: string): URL {
  return new URL(`./${name}.${importer.endsWith('.ts') ? 'ts' : 'js'}`, importer);
}
