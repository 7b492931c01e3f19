// Reads every file that the configuration names. It takes regular files only, opens them without waiting, and has a limit
// of size and of time. It never blocks the event loop.
//
// A read of a dead network mount cannot be interrupted: it holds a thread of libuv's pool until the kernel gives up.
// So reads follow one another. One that is overdue is left to itself, and everything in the same directory fails at
// once until it has come back. Few may be left at a time, so that the pool keeps threads for everything else.

import { open, readdir, readlink, stat } from 'node:fs/promises';
import { constants, type Stats } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';

/** A larger file is refused as EFBIG. A revocation list of a million entries has some 50 MB. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** The longest time that one read may take, in milliseconds. */
const READ_DEADLINE_MS = 10_000;

/** Threads of libuv's pool where UV_THREADPOOL_SIZE does not say. */
const DEFAULT_POOL = 4;
/** Threads of the pool that overdue reads never take: name look-ups and other reads need them. */
const KEPT_THREADS = 2;

/** Linux's makedev(1, 3), the null device. It counts as an empty file. */
const NULL_DEVICE = 0x103;

/** Without O_NONBLOCK opening a FIFO waits for a writer; with O_NOCTTY no terminal becomes this process's own. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

export interface ReadOptions {
  /** In bytes; MAX_FILE_BYTES unless told. */
  readonly limit?: number;
  /** In milliseconds; READ_DEADLINE_MS unless told. */
  readonly deadlineMs?: number;
  /** Throws what the caller has against such a file. Asked before it is opened, and again of what was opened. */
  readonly judge?: (stats: Stats) => void;
  /** Takes the content piece by piece, each only until it returns; the result is then empty, and no memory is used up. */
  readonly onPiece?: (piece: Buffer) => void;
}

/**
 * A regular file's bytes, links followed. The null device is an empty file.
 *
 * @throws what `judge` throws; else an Error with errno's name as `code` (`EISDIR`, `EFBIG`; `EFTYPE` for what is
 *   neither file nor directory, `ETIMEDOUT` when it is overdue), `syscall` where a system call failed, and `reason`
 *   where strerror has no words for it
 */
export async function readRegularFile(path: string, options: ReadOptions = {}): Promise<Buffer> {
  return await inTurn(path, options.deadlineMs, async (job) => {
    await followLinks(path, job);
    assertReadable(path, await stat(path), options);
    const file = await open(path, OPEN_FLAGS);
    try {
      // SECURITY: check again after opening. The name may lead to another file by now, and this one is read.
      const stats = await file.stat();
      assertReadable(path, stats, options);
      if (!stats.isFile()) return Buffer.alloc(0);
      if (options.onPiece !== undefined) {
        await readInPieces(path, file, options.limit ?? MAX_FILE_BYTES, options.onPiece);
        return Buffer.alloc(0);
      }
      return await readToEnd(path, file, stats.size, options.limit ?? MAX_FILE_BYTES);
    } finally {
      await file.close();
    }
  });
}

/**
 * Names in a directory, in byte order, that are not directories themselves once links are followed.
 *
 * @throws as readRegularFile
 */
export async function listDirectory(path: string, deadlineMs?: number): Promise<readonly string[]> {
  return await inTurn(path, deadlineMs, async (job) => {
    await followLinks(path, job);
    job.directory = path;
    refuseBesideOverdue(path, job);
    const entries = await readdir(path, { withFileTypes: true });
    const names: string[] = [];
    for (const entry of entries) {
      const isDirectory = entry.isSymbolicLink()
        ? await leadsToDirectory(join(path, entry.name))
        : entry.isDirectory();
      if (!isDirectory) names.push(entry.name);
    }
    return names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  });
}

/** What a path led to at some moment. Where the same is found later, nobody has written to it, or only just. */
export interface Status {
  /** Device, inode, size and times: another one after each change, and after a link was led elsewhere. */
  readonly identity: string;
  /** When it was last changed, contents or names, in milliseconds since 1970. No program can set this time. */
  readonly changedAtMs: number;
}

/**
 * The status of what a path leads to, links followed, without opening it.
 *
 * @throws as readRegularFile where there is nothing
 */
export async function statusOf(path: string): Promise<Status> {
  return await inTurn(path, undefined, async (job) => {
    await followLinks(path, job);
    const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = await stat(path, { bigint: true });
    // SECURITY: a revocation list of which a look does not see that it is another one would count a minute later.
    return { identity: [dev, ino, size, mtimeNs, ctimeNs].join(' '), changedAtMs: Number(ctimeMs) };
  });
}

async function leadsToDirectory(link: string): Promise<boolean> {
  try {
    return (await stat(link)).isDirectory();
  } catch {
    return false; // a dangling link: the reader that wants it reports it
  }
}

/** Whether some read has not come back in time: such a thread of the pool keeps a process from ending. */
export function hasOverdueReads(): boolean {
  return overdue.size > 0;
}

function assertReadable(path: string, stats: Stats, { judge, limit = MAX_FILE_BYTES }: ReadOptions): void {
  judge?.(stats);
  if (stats.isDirectory()) throw failure(path, 'EISDIR');
  const isNull = stats.isCharacterDevice() && stats.rdev === NULL_DEVICE;
  // SECURITY: reading a FIFO, a terminal or a device may never end.
  if (!stats.isFile() && !isNull) throw failure(path, 'EFTYPE', 'not a regular file');
  if (stats.size > limit) throw failure(path, 'EFBIG');
}

const PIECE_BYTES = 256 * 1024;

async function readInPieces(
  path: string,
  file: Awaited<ReturnType<typeof open>>,
  limit: number,
  onPiece: (piece: Buffer) => void,
): Promise<void> {
  const room = Buffer.allocUnsafeSlow(PIECE_BYTES);
  for (let total = 0; ;) {
    const { bytesRead } = await file.read(room, 0, PIECE_BYTES, null);
    if (bytesRead === 0) return;
    total += bytesRead;
    if (total > limit) throw failure(path, 'EFBIG');
    onPiece(room.subarray(0, bytesRead));
  }
}

async function readToEnd(
  path: string,
  file: Awaited<ReturnType<typeof open>>,
  size: number,
  limit: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  // One byte more than it has, to see its end; files of /proc claim to be empty.
  let room = Math.max(size + 1, 4096);
  for (;;) {
    // Memory of its own, never a slice of Node's common pool: this may be a private key.
    const chunk = Buffer.allocUnsafeSlow(room);
    let filled = 0;
    while (filled < room) {
      const { bytesRead } = await file.read(chunk, filled, room - filled, null);
      if (bytesRead === 0) break;
      filled += bytesRead;
      // Count while reading, too: the size of a file that grows is wrong by the end.
      if (total + filled > limit) throw failure(path, 'EFBIG');
    }
    total += filled;
    chunks.push(chunk.subarray(0, filled));
    if (filled < room) return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, total);
    room = 64 * 1024;
  }
}

/** One read: the directory that it is asking at the moment. */
interface Job {
  directory: string;
}

/** Reads that are overdue. They go on without a reader. */
const overdue = new Set<Job>();
let turn: Promise<unknown> = Promise.resolve();

/** Runs `read` after those before it; rejects when it takes too long, and does not wait for it then. */
async function inTurn<T>(
  path: string,
  deadlineMs: number | undefined,
  read: (job: Job) => Promise<T>,
): Promise<T> {
  const result = turn.then(() => withinDeadline(path, deadlineMs ?? READ_DEADLINE_MS, read));
  turn = result.catch(() => undefined);
  return await result;
}

async function withinDeadline<T>(
  path: string,
  deadlineMs: number,
  read: (job: Job) => Promise<T>,
): Promise<T> {
  const job = { directory: dirname(path) };
  refuseBesideOverdue(path, job);
  const reading = read(job);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      overdue.add(job);
      // Its result is not used: the caller has been given ETIMEDOUT.
      void reading.catch(() => undefined).finally(() => overdue.delete(job));
      reject(failure(path, 'ETIMEDOUT', `no answer within ${deadlineMs / 1000} s`));
    }, deadlineMs);
  });
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** As many links as Linux follows. */
const MAX_LINKS = 40;

/** Follows a file's links to see in which directory it really lies: another one than its name's may be dead. */
async function followLinks(path: string, job: Job): Promise<void> {
  let current = path;
  for (let links = 0; links < MAX_LINKS; links++) {
    job.directory = dirname(current);
    refuseBesideOverdue(path, job);
    const target = await readlink(current).catch(() => null);
    if (target === null) return;
    current = resolve(job.directory, target);
  }
}

/** SECURITY: a reload that asks a dead mount again and again must not use up the threads that everything needs. */
function refuseBesideOverdue(path: string, { directory }: Job): void {
  for (const held of overdue) {
    const below = held.directory !== sep && directory.startsWith(held.directory + sep);
    if (directory === held.directory || below)
      throw failure(path, 'ETIMEDOUT', 'an earlier read of its directory has not come back');
  }
  const pool = Number(process.env['UV_THREADPOOL_SIZE']) || DEFAULT_POOL;
  if (overdue.size >= Math.max(1, pool - KEPT_THREADS))
    throw failure(path, 'ETIMEDOUT', 'too many earlier reads have not come back');
}

function failure(path: string, code: string, reason?: string): Error {
  const message = `${path}: ${reason ?? code}`;
  return Object.assign(new Error(message), { code, ...(reason === undefined ? {} : { reason }) });
}
