// A reload does not read again what has not changed: the part that is in force stays, as the same object. A reload with
// nothing new in it then costs a look at the files, and none of the handshakes under way is stale (contract §7.32).

import { isDeepStrictEqual } from 'node:util';
import { digestAccess, digestSource } from '../base/sources.ts';
import type { Attempt, LoadedPart, TlsPart } from './parts.ts';
import { isSettingName, schema, type SettingName, type Settings } from './schema.ts';
import { valueOf } from './setting-values.ts';

/** The settings that a part was loaded by. */
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
  for (const [path, { kind, digest, access }] of sources) {
    if (digest === null || (await digestSource(path, kind)) !== digest) return false;
    // SECURITY: a key that others can read by now is refused, though its content is the same.
    if (access !== undefined && (await digestAccess(path)) !== access) return false;
  }
  return true;
}

export function inputsOfRules({
  hba_file: hbaFile,
  ssl,
  roles,
  auth_user: authUser,
  auth_file: authFile,
}: Settings): Inputs {
  return [hbaFile, ssl, roles, authUser, authFile];
}

export function inputsOfMaps({ ident_file: identFile, roles, auth_user: authUser }: Settings): Inputs {
  return [identFile, roles, authUser];
}

/** Every setting that TLS is made by, the admin listener's own included: a new one counts at once. */
export const tlsNames: readonly SettingName[] = Object.keys(schema)
  .filter(isSettingName)
  .filter((name) => name === 'hosts_file' || /^(?:admin\.)?ssl(?:_|$)/.test(name));

/** The places too: some warnings stand at a setting's line, which another line above it has moved. */
export function inputsOfTls(settings: Settings): Inputs {
  return tlsNames.map((name) => [valueOf(settings, name), settings.placeOf(name)]);
}

/** Whether a key is encrypted: what a reload does then is PostgreSQL's, whatever has changed (semantics §2.5). */
export function needsPassphrase({ hosts, admin }: TlsPart): boolean {
  const materials = [...(hosts?.materials ?? []), ...(admin === null ? [] : [admin])];
  return materials.some(({ options }) => options.passphrase !== undefined);
}

/** The passphrases in force. SECURITY: for a dry run to open the same keys with, and for nothing else. */
export function passphrasesOf({ hosts, admin }: TlsPart): readonly string[] {
  const materials = [...(hosts?.materials ?? []), ...(admin === null ? [] : [admin])];
  return materials.flatMap(({ options }) => options.passphrase ?? []);
}
