// What the gate can answer an upstream with: the matrix of login.md §1 as one function for each question.

import type { ByteString } from '../base/bytestring.ts';
import { md5Hash, md5Response } from './md5.ts';
import { keysOf, type SaltedPasswords, type ScramKeys } from './scram-keys.ts';
import type { ScramChallenge } from './scram-client.ts';
import type { ScramSecret, Secret } from './secret.ts';

/** What is known of a user when the upstream asks. */
export interface KnownOfUser {
  readonly user: ByteString;
  /** Null: the user is not in auth_file, and auth_query did not know it either. */
  readonly secret: Secret | null;
  /** The password that the client has just sent in clear and that was right. */
  readonly shownPassword: ByteString | null;
  /** What the client's own SCRAM exchange has shown; it fits `secret` alone. */
  readonly shownKey: { readonly clientKey: Buffer; readonly secret: ScramSecret } | null;
}

/** An answer, or why there is none, for the log: never a secret in it. */
export type Answer<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly missing: string };

/** For AuthenticationCleartextPassword. */
export function answerInClear(known: KnownOfUser): Answer<ByteString> {
  const password = plainPasswordOf(known);
  return password === null ? missing(known, 'a cleartext password') : { ok: true, value: password };
}

/** For AuthenticationMD5Password. */
export function answerMd5(known: KnownOfUser, salt: Buffer): Answer<ByteString> {
  const { user, secret } = known;
  const password = plainPasswordOf(known);
  if (password !== null) return { ok: true, value: md5Response(md5Hash(user, password), salt) };
  if (secret?.kind === 'md5') return { ok: true, value: md5Response(secret.hash, salt) };
  return missing(known, 'md5');
}

/**
 * What the gate can answer for a client that a line has let in, by the names of the methods.
 *
 * @param method of the line that has checked the client's password; null = none was checked
 */
export function canAnswer(
  secret: Secret,
  method: 'password' | 'md5' | 'scram-sha-256' | null,
): readonly string[] {
  if (secret.kind === 'plain' || method === 'password')
    return ['a password in clear', 'md5', 'scram-sha-256'];
  if (secret.kind === 'md5') return ['md5'];
  return secret.kind === 'scram' && method !== null ? ['scram-sha-256 with the same secret'] : [];
}

/** Why a SCRAM exchange need not even begin; null where it can be tried. */
export function scramObjection(known: KnownOfUser): string | null {
  if (plainPasswordOf(known) !== null || known.shownKey !== null) return null;
  const { user, secret } = known;
  // The text that is most asked about: the client has shown nothing, and the secret alone makes no proof.
  const beside = secret?.kind === 'scram' ? ', and the client has not shown its SCRAM keys' : '';
  return `the upstream server asks for scram-sha-256, ${held(user, secret)}${beside}`;
}

/** For AuthenticationSASL, once the upstream has named its salt and iterations. */
export async function answerScram(
  known: KnownOfUser,
  { salt, iterations }: ScramChallenge,
  salted: SaltedPasswords,
): Promise<Answer<ScramKeys>> {
  const password = plainPasswordOf(known);
  if (password !== null) {
    return { ok: true, value: keysOf(await salted.of(known.user, password, salt, iterations)) };
  }
  const { shownKey } = known;
  if (shownKey === null) return missing(known, 'scram-sha-256');
  const { secret, clientKey } = shownKey;
  // SECURITY: keys of another salt would be refused as a wrong password, and the log would blame the user.
  if (!secret.salt.equals(salt) || secret.iterations !== iterations) {
    const what = secret.iterations === iterations ? 'salt' : 'number of iterations';
    return {
      ok: false,
      missing: `the SCRAM secret of "${known.user}" has another ${what} than the upstream server's`,
    };
  }
  return { ok: true, value: { clientKey, serverKey: secret.serverKey } };
}

function plainPasswordOf({ secret, shownPassword }: KnownOfUser): ByteString | null {
  return shownPassword ?? (secret?.kind === 'plain' ? secret.password : null);
}

function missing({ user, secret }: KnownOfUser, asked: string): Answer<never> {
  return { ok: false, missing: `the upstream server asks for ${asked}, ${held(user, secret)}` };
}

function held(user: ByteString, secret: Secret | null): string {
  switch (secret?.kind) {
    case 'md5':
      return `the secret of "${user}" is an MD5 hash`;
    case 'scram':
      return `the secret of "${user}" is a SCRAM secret`;
    case 'plain':
      return `the secret of "${user}" is a plain password`;
    case 'none':
      return `"${user}" has no password`;
    case undefined:
      return `there is no secret of "${user}"`;
    default:
      return secret satisfies never;
  }
}
