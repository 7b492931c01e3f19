// A client's password against a user's secret: what to ask for and whether the answer is right, as PostgreSQL's
// CheckPWChallengeAuth and crypt.c decide it (login.md §4).

import { timingSafeEqual } from 'node:crypto';
import type { ByteString } from '../base/bytestring.ts';
import { equalsInConstantTime, md5Hash, md5Response } from './md5.ts';
import { mockSalt, mockSecret } from './mock-secret.ts';
import { preparePassword } from './saslprep.ts';
import { keysOf, secretOf, type SaltedPasswords } from './scram-keys.ts';
import type { ScramSecret, Secret } from './secret.ts';

/** The methods of pg_hba.conf that ask for a password. */
export type PasswordMethod = 'password' | 'md5' | 'scram-sha-256';

/** What the client is asked. A doomed exchange is carried out and then refused. */
export type Challenge =
  | { readonly kind: 'cleartext' }
  | { readonly kind: 'md5'; readonly hash: ByteString }
  | { readonly kind: 'scram'; readonly secret: ScramSecret; readonly doomed: boolean };

/** What a secret is looked at with. */
export interface PasswordContext {
  readonly user: ByteString;
  /** Null: the user is not known. */
  readonly secret: Secret | null;
  /** scram_iterations, for users who have no SCRAM secret. */
  readonly iterations: number;
  readonly mockNonce: Buffer;
  readonly salted: SaltedPasswords;
}

/** What a line of `method` asks the user for. */
export async function challengeFor(method: PasswordMethod, context: PasswordContext): Promise<Challenge> {
  const { user, secret } = context;
  if (method === 'password') return { kind: 'cleartext' };
  if (method === 'md5') {
    if (secret?.kind === 'md5') return { kind: 'md5', hash: secret.hash };
    // Clients of the md5 era know nothing else, and a plain secret can answer them.
    if (secret?.kind === 'plain') return { kind: 'md5', hash: md5Hash(user, secret.password) };
  }
  if (secret?.kind === 'scram') return { kind: 'scram', secret: secret.scram, doomed: false };
  if (secret?.kind !== 'plain') {
    return { kind: 'scram', secret: mockSecret(context.mockNonce, user, context.iterations), doomed: true };
  }
  return { kind: 'scram', secret: await scramSecretOf(secret.password, context), doomed: false };
}

/** SECURITY: its salt is the one that the user would get without a password, so that the two look alike. */
async function scramSecretOf(
  password: ByteString,
  { user, iterations, mockNonce, salted }: PasswordContext,
): Promise<ScramSecret> {
  const salt = mockSalt(mockNonce, user);
  return secretOf(await salted.of(user, password, salt, iterations), salt, iterations);
}

/** Whether a password that came in clear is the user's (plain_crypt_verify). */
export async function isPasswordRight(
  password: ByteString,
  { user, secret, salted }: Pick<PasswordContext, 'user' | 'secret' | 'salted'>,
): Promise<boolean> {
  switch (secret?.kind) {
    case 'plain':
      return equalsInConstantTime(await preparePassword(secret.password), await preparePassword(password));
    case 'md5':
      return equalsInConstantTime(secret.hash, md5Hash(user, password));
    case 'scram': {
      const { salt, iterations, serverKey } = secret.scram;
      return timingSafeEqual(keysOf(await salted.of(user, password, salt, iterations)).serverKey, serverKey);
    }
    case 'none':
    case undefined:
      return false;
    default:
      return secret satisfies never;
  }
}

/** Whether the answer to AuthenticationMD5Password is the one that `hash` and `salt` make. */
export function isMd5Right(answer: ByteString, hash: ByteString, salt: Buffer): boolean {
  return equalsInConstantTime(answer, md5Response(hash, salt));
}

/** PostgreSQL's errdetail_log for a password that was refused; null where it has none (a wrong SCRAM proof). */
export function refusalDetail(challenge: Challenge, { user, secret }: PasswordContext): string | null {
  // SECURITY: this text has lines of its own in the log. A name with a line break would write one of them.
  const name = user.replaceAll('\n', String.raw`\n`).replaceAll('\r', String.raw`\r`);
  if (secret === null) return `Role "${name}" does not exist.`;
  if (secret.kind === 'none') return `User "${name}" has no password assigned.`;
  if (challenge.kind !== 'scram') return `Password does not match for user "${name}".`;
  return challenge.doomed ? `User "${name}" does not have a valid SCRAM secret.` : null;
}
