// Memory that V8 does not see. A SecureContext is a small object to V8, though OpenSSL holds 20 MB in it for a revocation
// list of 100,000 entries: left to V8, twenty reloads of such a list would pile up half a gigabyte.

import type { TlsOptions } from 'node:tls';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options?: { readonly type: 'major'; readonly flavor: 'last-resort' }) => void;

let collect: Collect | null = null;

/** Collects all garbage now, and frees what belongs to it. Takes some ten milliseconds of the thread. */
export function collectGarbage(): void {
  collector()();
}

/** With a larger heap the collections take longer than their gain is worth: a long list of rules is no garbage. */
const SMALL_HEAP_BYTES = 32 * 1024 * 1024;

/**
 * Collects what is left of loading the program, its own compiled code included: what runs again is compiled again. 3 MB
 * less are resident. It takes 40 ms, so it is for a process that nobody waits for yet.
 */
export function collectLoading(): void {
  if (getHeapStatistics().used_heap_size < SMALL_HEAP_BYTES)
    collector()({ type: 'major', flavor: 'last-resort' });
}

function collector(): Collect {
  if (collect === null) {
    setFlagsFromString('--expose-gc');
    const gc: unknown = runInNewContext('gc');
    setFlagsFromString('--no-expose-gc');
    collect = typeof gc === 'function' ? (options) => void Reflect.apply(gc, undefined, [options]) : () => {};
  }
  return collect;
}

/** Bytes of PEM from which on lists are worth a collection. */
const LONG_LISTS = 256 * 1024;

/** Whether OpenSSL holds a lot for a context that is made of these options. */
export function hasLongLists({ crl }: Pick<TlsOptions, 'crl'>): boolean {
  const lists = Array.isArray(crl) ? crl : [crl ?? ''];
  return lists.reduce((sum, list) => sum + list.length, 0) >= LONG_LISTS;
}
