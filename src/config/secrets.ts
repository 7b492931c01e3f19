// auth_file: the secrets of database users, read together with the rules (contract §12), and what passwords are checked
// with beside them.

import { createPrivateKey, randomBytes } from 'node:crypto';
import { mockNonce } from '../auth/mock-secret.ts';
import type { Secret } from '../auth/secret.ts';
import { parseUserlist } from '../auth/userlist.ts';
import type { ByteString } from '../base/bytestring.ts';
import { LoadError, type Problem } from '../base/problems.ts';
import { systemErrorText } from '../rules/bad-line.ts';
import { assertPrivate } from '../tls/material/key-file.ts';
import { refusalAt } from '../tls/material/load-problem.ts';
import type { TlsMaterial } from '../tls/types.ts';
import type { RecordingFileSystem } from './files.ts';
import type { Settings } from './schema.ts';

/** The users of auth_file. SECURITY: passwords stand in it. It goes to workers and nowhere else. */
export type Secrets = ReadonlyMap<ByteString, Secret>;

/** What the gate checks passwords with. */
export interface Passwords {
  readonly secrets: Secrets;
  /** scram_iterations. */
  readonly iterations: number;
  /** What the salts of users without a SCRAM secret are made of; the same in every worker (login.md §9.3). */
  readonly mockNonce: Buffer;
}

/** Null = auth_file is not set. */
export interface LoadedSecrets {
  readonly secrets: Secrets | null;
  readonly warnings: readonly Problem[];
}

/**
 * Reads auth_file whole or not at all.
 *
 * @throws LoadError with every problem; no secret is ever in one
 */
export async function loadSecrets(
  settings: Pick<Settings, 'auth_file' | 'file' | 'placeOf'>,
  fs: RecordingFileSystem,
): Promise<LoadedSecrets> {
  const { auth_file: authFile } = settings;
  if (authFile === '') return { secrets: null, warnings: [] };
  const refuse = refusalAt(settings, 'auth_file', authFile);
  // SECURITY: judged before it is opened and once it is open, as a private key.
  await fs.fetchSecret(authFile, (status) => assertPrivate(authFile, status, refuse, 'auth file'));
  let text: ByteString;
  try {
    text = fs.readFile(authFile);
  } catch (error) {
    if (error instanceof LoadError) throw error;
    throw refuse(`could not open auth file "${authFile}": ${systemErrorText(error)}`);
  }
  const { secrets, problems, warnings } = parseUserlist(text, authFile);
  if (problems.length > 0) throw new LoadError(problems);
  return { secrets, warnings };
}

/** Where there is no private key to derive it from. Workers get the first process's. */
const randomNonce = randomBytes(32);

const derived = new WeakMap<TlsMaterial, Buffer>();

/** The nonce of mock salts: from the private key in force, or of this start where there is none. */
export function mockNonceFor(material: TlsMaterial | null): Buffer {
  if (material === null) return randomNonce;
  const known = derived.get(material);
  if (known !== undefined) return known;
  const { key, passphrase } = material.options;
  if (typeof key !== 'string') return randomNonce;
  const privateKey = createPrivateKey({ key, ...(passphrase === undefined ? {} : { passphrase }) });
  const nonce = mockNonce(privateKey.export({ type: 'pkcs8', format: 'der' }));
  derived.set(material, nonce);
  return nonce;
}
