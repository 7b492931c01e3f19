// Where log lines go: to a file descriptor, each whole, at once where it takes them, and never waiting for it.
//
// A reader that has stopped fills a pipe. From then on lines queue up to a limit, and those beyond it are dropped and
// counted. A line that cannot be written for another reason (a full disk, a reader that is gone) is dropped and counted
// at once. When lines can be written again, one line says how many are missing. So the log never ends the process and
// never holds a session up.

import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { systemErrors } from '../base/system-error.ts';

/** How many bytes of each process may wait for a reader that has stopped. */
const MAX_QUEUED_BYTES = 1024 * 1024;

/** A descriptor that is full, or that has failed, is tried again after this long, in milliseconds. */
const RETRY_FULL_MS = 50;
const RETRY_FAILED_MS = 1_000;

/** At the end of the process: how long without progress, and how long altogether, in milliseconds. */
const LAST_FLUSH_MS = 1_000;
const LONGEST_FLUSH_MS = 5_000;

export interface LogSinkOptions {
  /** Makes the line that says how many were dropped and why, with its line end. */
  readonly droppedLine: (count: number, reason: string) => string;
  /** Called when the first line of a row is dropped: the log itself cannot say so. */
  readonly onTrouble: (reason: string) => void;
}

/** The result of a write: null = written, else the name of the error. `EAGAIN` = no room. */
type Failure = string | null;

/** A destination for pino. */
export class LogSink {
  /** Lines dropped since the start. */
  dropped = 0;
  readonly #fd: number;
  readonly #options: LogSinkOptions;
  /** The rest of a line of which a part has been taken: nothing else may come before it. */
  #rest: Buffer | null = null;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  /** Lines dropped that no line has reported yet, and why the first of them was dropped. */
  #untold: { count: number; readonly reason: string } | null = null;
  #retry: NodeJS.Timeout | null = null;

  constructor(fd: number, options: LogSinkOptions) {
    this.#fd = withoutWaiting(fd);
    this.#options = options;
  }

  /** Takes one line with its line end. Never throws and never waits. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    const failure = this.#drain() ?? this.#put(bytes);
    // SECURITY: strangers can cause any number of lines, so the queue has a limit.
    if (failure === 'EAGAIN' && this.#queuedBytes + bytes.length <= MAX_QUEUED_BYTES) {
      this.#queue.push(bytes);
      this.#queuedBytes += bytes.length;
    } else if (failure !== null) {
      this.#drop(1, failure);
    }
    this.#retryLater(failure);
  }

  /** Gives a reader that works the time to take what is queued. Blocks: for the end of the process only. */
  flushAtEnd(): void {
    const begun = performance.now();
    let lastProgress = begun;
    let left = this.#queuedBytes;
    while (this.#drain() === 'EAGAIN') {
      const now = performance.now();
      if (this.#queuedBytes < left) [left, lastProgress] = [this.#queuedBytes, now];
      if (now - lastProgress > LAST_FLUSH_MS || now - begun > LONGEST_FLUSH_MS) return;
      sleep(10);
    }
  }

  /** Writes what waits, in its order; the failure where something is left. */
  #drain(): Failure {
    if (this.#rest !== null) {
      const { written, failure } = this.#attempt(this.#rest);
      this.#rest = failure === null ? null : this.#rest.subarray(written);
      if (failure !== null) return this.#failed(failure);
    }
    for (let line = this.#queue[0]; line !== undefined; line = this.#queue[0]) {
      const failure = this.#put(line);
      if (failure !== null) return this.#failed(failure);
      this.#queue.shift();
      this.#queuedBytes -= line.length;
    }
    if (this.#untold === null) return this.#full();
    const { count, reason } = this.#untold;
    const failure = this.#put(Buffer.from(this.#options.droppedLine(count, reason)));
    if (failure !== null) return failure;
    this.#untold = null;
    return this.#full();
  }

  /** Whether the rest of a line waits to be written. */
  #full(): Failure {
    return this.#rest === null ? null : 'EAGAIN';
  }

  /** Where the failure is not lack of room, nothing that waits for room will get any. */
  #failed(failure: string): string {
    if (failure === 'EAGAIN') return failure;
    // Anyone who has read the beginning of that line is gone.
    if (failure === 'EPIPE') this.#rest = null;
    this.#drop(this.#queue.length, failure);
    this.#queue = [];
    this.#queuedBytes = 0;
    return failure;
  }

  /** Writes a line. One of which a part is taken counts as taken: its rest is the next that is written. */
  #put(line: Buffer): Failure {
    if (this.#rest !== null) return 'EAGAIN';
    const { written, failure } = this.#attempt(line);
    if (failure === null || written === 0) return failure;
    this.#rest = line.subarray(written);
    return null;
  }

  #attempt(bytes: Buffer): { readonly written: number; readonly failure: Failure } {
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#fd, bytes, written);
      return { written, failure: null };
    } catch (error) {
      return { written, failure: errorName(error) };
    }
  }

  #drop(count: number, failure: string): void {
    if (count === 0) return;
    this.dropped += count;
    if (this.#untold !== null) {
      this.#untold.count += count;
      return;
    }
    const reason = failure === 'EAGAIN' ? 'its reader does not read' : (systemErrors[failure] ?? failure);
    this.#untold = { count, reason };
    this.#options.onTrouble(reason);
  }

  #retryLater(failure: Failure): void {
    if (this.#retry !== null || (failure === null && this.#rest === null)) return;
    const delay = failure === null || failure === 'EAGAIN' ? RETRY_FULL_MS : RETRY_FAILED_MS;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#retryLater(this.#drain());
    }, delay).unref();
  }
}

/** Sockets that keep a descriptor from waiting, so that they are not collected, which would close it. */
const kept: Socket[] = [];

/**
 * A descriptor for the same file whose writes never wait. A pipe or terminal is opened a second time, because the mark
 * on the first descriptor would be everybody's who shares it. What cannot be opened (a socket of journald's, a pipe of
 * another user's) is marked all the same. A regular file waits for its disk alone.
 */
export function withoutWaiting(fd: number): number {
  try {
    const stats = fstatSync(fd);
    if (stats.isFile()) return fd;
    const own = stats.isSocket() ? null : reopened(fd);
    if (own !== null) return own;
    if (!stats.isSocket() && !stats.isFIFO()) return fd;
    const socket = new Socket({ fd, readable: false, writable: true });
    socket.on('error', () => undefined).unref();
    kept.push(socket);
  } catch {
    // It is closed, or of a kind that Node does not know. The first write fails then.
  }
  return fd;
}

function reopened(fd: number): number | null {
  try {
    return openSync(
      `/proc/self/fd/${fd}`,
      constants.O_WRONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0),
    );
  } catch {
    return null;
  }
}

function errorName(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'EIO';
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
