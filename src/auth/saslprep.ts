// A password as SCRAM hashes it: SASLprep where it can be applied, else the raw bytes, as PostgreSQL does (pg_saslprep).

import { saslprep } from '@mongodb-js/saslprep';
import { fromText, toBytes, type ByteString } from '../base/bytestring.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Normalizes a password. A password that is not UTF-8, that becomes empty or that SASLprep forbids stays as it is: a
 * refusal here would lock out a user whom PostgreSQL lets in (login.md §6).
 *
 * @param password as the client or the file gave it, in bytes
 */
export function preparePassword(password: ByteString): ByteString {
  try {
    const prepared = saslprep(utf8.decode(toBytes(password)));
    return prepared === '' ? password : fromText(prepared);
  } catch {
    return password;
  }
}
