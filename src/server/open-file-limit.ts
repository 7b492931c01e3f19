// How many connections fit into the process's limit of open files. Past that limit the kernel would fail whatever comes
// next, a reload or a log line as well as an accept, so the gate stops before it.

import { readFileSync } from 'node:fs';

/** A client and its upstream. */
const PER_CONNECTION = 2;

/** Node's own, the log, the listeners, files that a reload reads, a few requests to the admin listener. */
const RESERVED = 40;

/** Of a larger limit, this share is kept for what is not a connection. */
const RESERVED_SHARE = 1 / 8;

/** The most connections at one time; Infinity where the limit is not known. At least 1. */
export function connectionsThatFit(limit = openFilesLimit()): number {
  const usable = Math.min(limit - RESERVED, limit * (1 - RESERVED_SHARE));
  return Math.max(1, Math.floor(usable / PER_CONNECTION));
}

/** RLIMIT_NOFILE, which Node has raised to its hard limit; Infinity where there is no such file (not Linux). */
function openFilesLimit(): number {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? Infinity : Number(limit);
  } catch {
    return Infinity;
  }
}
