// PostgreSQL's MD5 authentication, both sides (login.md §4).

import { createHash, timingSafeEqual } from 'node:crypto';
import { toBytes, type ByteString } from '../base/bytestring.ts';

/** Bytes of the salt in AuthenticationMD5Password. */
export const MD5_SALT_LENGTH = 4;

function md5Hex(...parts: readonly Buffer[]): string {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** The hash that PostgreSQL stores: `md5` and the digest of password and role name. */
export function md5Hash(user: ByteString, password: ByteString): ByteString {
  return `md5${md5Hex(toBytes(password), toBytes(user))}`;
}

/**
 * What a client answers to AuthenticationMD5Password.
 *
 * @param hash the stored form, `md5…`
 * @param salt the four bytes of the request
 */
export function md5Response(hash: ByteString, salt: Buffer): ByteString {
  return `md5${md5Hex(toBytes(hash.slice(3)), salt)}`;
}

/** SECURITY: compares in a time that says nothing of how much of a guess is right (CVE-2026-6478). */
export function equalsInConstantTime(ours: ByteString, theirs: ByteString): boolean {
  const [a, b] = [toBytes(ours), toBytes(theirs)];
  return a.length === b.length && timingSafeEqual(a, b);
}
