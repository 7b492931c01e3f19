// A password as SCRAM hashes it: SASLprep where it can be applied, else the raw bytes, as PostgreSQL does (pg_saslprep).

import { fromText, toBytes, type ByteString } from '../base/bytestring.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A longer password is not normalized, in bytes. SECURITY: combining marks are put into order in a time that grows with
 * their square: one guess of a stranger, as long as a password message may be, would stop every session for a second.
 */
const MAX_BYTES = 1_024;

/**
 * Normalizes a password. A password that is long or not UTF-8, that becomes empty or that SASLprep forbids stays as it is: a
 * refusal here would lock out a user whom PostgreSQL lets in (login.md §6).
 *
 * @param password as the client or the file gave it, in bytes
 */
export async function preparePassword(password: ByteString): Promise<ByteString> {
  // SASLprep changes nothing in ASCII. Its tables take 4 MB, and most gates never need them.
  if (isAscii(password) || password.length > MAX_BYTES) return password;
  const { saslprep } = await import('@mongodb-js/saslprep');
  try {
    const prepared = saslprep(utf8.decode(toBytes(password)));
    return prepared === '' ? password : fromText(prepared);
  } catch {
    return password;
  }
}

function isAscii(password: ByteString): boolean {
  return toBytes(password).every((byte) => byte < 0x80);
}
