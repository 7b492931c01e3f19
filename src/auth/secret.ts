// The secret of a database user, recognised as PostgreSQL recognises rolpassword (get_password_type, login.md §1).

import type { ByteString } from '../base/bytestring.ts';
import { decodeBase64 } from './base64.ts';

/** Bytes of a SHA-256 digest, and so of every SCRAM key. */
export const SCRAM_KEY_LENGTH = 32;

/** More iterations than anybody sets; a larger number in a file would let one login hold a core for minutes. */
export const MAX_STORED_ITERATIONS = 10_000_000;

/** What PostgreSQL stores for SCRAM-SHA-256: enough to check a proof, not enough to make one. */
export interface ScramSecret {
  readonly iterations: number;
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** One user's secret. `none` is a user who exists and has no password. */
export type Secret =
  | { readonly kind: 'none' }
  | { readonly kind: 'plain'; readonly password: ByteString }
  /** `hash` is `md5` and 32 hexadecimal digits, made with the role's name. */
  | { readonly kind: 'md5'; readonly hash: ByteString }
  | { readonly kind: 'scram'; readonly scram: ScramSecret };

/** What a secret is, by its text. Everything that is neither an MD5 hash nor a SCRAM secret is a plain password. */
export function parseSecret(text: ByteString): Secret {
  if (text === '') return { kind: 'none' };
  if (/^md5[0-9a-f]{32}$/.test(text)) return { kind: 'md5', hash: text };
  const scram = parseScramSecret(text);
  return scram === null ? { kind: 'plain', password: text } : { kind: 'scram', scram };
}

/** `SCRAM-SHA-256$ITERATIONS:SALT$StoredKey:ServerKey`, or null when the text is something else. */
function parseScramSecret(text: ByteString): ScramSecret | null {
  const match = /^SCRAM-SHA-256\$(\d{1,10}):([^$]+)\$([^:]+):(.+)$/.exec(text);
  if (match === null) return null;
  const iterations = Number(match[1]);
  const [salt, storedKey, serverKey] = match.slice(2).map(decodeBase64);
  if (!salt || !storedKey || !serverKey || iterations < 1 || iterations > MAX_STORED_ITERATIONS) return null;
  if (storedKey.length !== SCRAM_KEY_LENGTH || serverKey.length !== SCRAM_KEY_LENGTH) return null;
  return { iterations, salt, storedKey, serverKey };
}

/** A SCRAM secret as PostgreSQL stores it and `auth_file` holds it. */
export function formatScramSecret({ iterations, salt, storedKey, serverKey }: ScramSecret): ByteString {
  const [saltText, stored, server] = [salt, storedKey, serverKey].map((key) => key.toString('base64'));
  return `SCRAM-SHA-256$${iterations}:${saltText}$${stored}:${server}`;
}

/** Whether a plain password looks like a SCRAM secret that was damaged, which deserves a warning. */
export function looksDamaged(secret: Secret): boolean {
  return secret.kind === 'plain' && /^(SCRAM-SHA-256\$|md5[0-9a-fA-F]{20,})/.test(secret.password);
}
