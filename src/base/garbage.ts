// Memory that V8 does not see. A SecureContext is a small object to V8, though OpenSSL holds 20 MB in it for a revocation
// list of 100,000 entries: left to V8, twenty reloads of such a list would pile up half a gigabyte.

import type { TlsOptions } from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | null = null;

/** Collects all garbage now, and frees what belongs to it. Takes some ten milliseconds of the thread. */
export function collectGarbage(): void {
  if (collect === null) {
    setFlagsFromString('--expose-gc');
    const gc: unknown = runInNewContext('gc');
    setFlagsFromString('--no-expose-gc');
    collect = typeof gc === 'function' ? () => void Reflect.apply(gc, undefined, []) : () => {};
  }
  collect();
}

/** Bytes of PEM from which on lists are worth a collection. */
const LONG_LISTS = 256 * 1024;

/** Whether OpenSSL holds a lot for a context that is made of these options. */
export function hasLongLists({ crl }: Pick<TlsOptions, 'crl'>): boolean {
  const lists = Array.isArray(crl) ? crl : [crl ?? ''];
  return lists.reduce((sum, list) => sum + list.length, 0) >= LONG_LISTS;
}
