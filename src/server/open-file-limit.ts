// How many connections fit into the process's limit of open files. At that limit every call that opens something fails, a
// reload or a look-up as well as an accept, so the gate stops accepting before it.

import { readFileSync } from 'node:fs';

/** A client and its upstream. */
const PER_CONNECTION = 2;

/** Node's own, the log, the listeners, files that a reload reads, a few requests to the admin listener. */
const RESERVED = 40;

/** This share of a larger limit is kept for everything that is not a connection. */
const RESERVED_SHARE = 1 / 8;

/** How many connections may be open together, at least 1. Infinity where the limit is not known. */
export function connectionsThatFit(limit = openFilesLimit()): number {
  const usable = Math.min(limit - RESERVED, limit * (1 - RESERVED_SHARE));
  return Math.max(1, Math.floor(usable / PER_CONNECTION));
}

/** RLIMIT_NOFILE, which Node has raised to its hard limit. Infinity where the system has no such file (not Linux). */
function openFilesLimit(): number {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? Infinity : Number(limit);
  } catch {
    return Infinity;
  }
}
