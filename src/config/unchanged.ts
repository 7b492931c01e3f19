// A reload does not read again what has not changed: the part that is in force stays, as the same object. A reload with
// nothing new in it then costs a look at the files, and none of the handshakes under way is stale (contract §7.32).

import { isDeepStrictEqual } from 'node:util';
import { errorCode } from '../rules/bad-line.ts';
import { readRegularFile } from '../base/regular-file.ts';
import { digestSource } from './files.ts';
import type { Attempt, LoadedPart, TlsPart } from './parts.ts';
import type { Settings } from './settings.ts';

/** What a part was loaded by beside the files that it read: settings, and who may read a key. */
export type Inputs = readonly unknown[];

/** A part in force, and what it was loaded by. */
export interface InForce<T> {
  readonly part: LoadedPart<T>;
  readonly inputs: Inputs;
}

/**
 * Loads a part, unless the one in force would come out again.
 *
 * @param inputs by which it would be loaded now
 * @param load called where anything is different, or cannot be compared
 */
export async function unlessUnchanged<T>(
  { part, inputs: before }: InForce<T>,
  inputs: Inputs,
  load: () => Promise<Attempt<T>>,
): Promise<Attempt<T>> {
  return isDeepStrictEqual(before, inputs) && (await readsTheSame(part)) ? part : await load();
}

async function readsTheSame({ sources }: LoadedPart<unknown>): Promise<boolean> {
  for (const [path, { kind, digest }] of sources) {
    if (digest === null || (await digestSource(path, kind)) !== digest) return false;
  }
  return true;
}

export function inputsOfRules({ hbaFile, tls, roles }: Settings): Inputs {
  return [hbaFile, tls.enabled, roles];
}

export function inputsOfMaps({ identFile, roles }: Settings): Inputs {
  return [identFile, roles];
}

export async function inputsOfTls({ tls, admin }: Settings): Promise<Inputs> {
  const { certFile, keyFile, caFile } = admin;
  // SECURITY: a key that others can read by now is refused, though its content is the same.
  return [tls, certFile, keyFile, caFile, await statusOfKey(tls.keyFile), await statusOfKey(keyFile)];
}

/** Whether a key is encrypted: what a reload does then is PostgreSQL's, whatever has changed (semantics §2.5). */
export function needsPassphrase({ material, admin }: TlsPart): boolean {
  return [material, admin].some((each) => each?.options.passphrase !== undefined);
}

async function statusOfKey(path: string): Promise<string | null> {
  if (path === '') return '';
  let status = '';
  try {
    await readRegularFile(path, { judge: ({ uid, mode }) => void (status = `${uid} ${mode}`) });
    return status;
  } catch (error) {
    return errorCode(error);
  }
}
