// Byte strings: names, rules and certificate values are bytes to PostgreSQL (SQL_ASCII before authentication,
// semantics §5.8). Here each is a JavaScript string in which one code unit (0 to 255) is one byte, so that
// comparison, slicing and length are PostgreSQL's. Only this file turns them into text for people.

/** A string whose code units are bytes, 0 to 255. Compare with `===`; `.length` is the number of bytes. */
export type ByteString = string;

/** NAMEDATALEN-1: user and database names are cut to this many bytes (semantics §1.17). */
export const MAX_NAME_BYTES = 63;

/** The byte string of raw bytes. */
export function fromBytes(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** The byte string of ordinary text: its UTF-8 form. */
export function fromText(text: string): ByteString {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The raw bytes of a byte string. */
export function toBytes(value: ByteString): Buffer {
  return Buffer.from(value, 'latin1');
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A byte string as text for logs and JSON: UTF-8 where it is UTF-8; otherwise every byte outside printable
 * ASCII is written `\xNN` (contract §7.6). Never used for what a client is sent: that gets its bytes back.
 */
export function toText(value: ByteString): string {
  // eslint-disable-next-line no-control-regex -- control bytes are what is being looked for
  if (/^[\x20-\x7e]*$/.test(value)) return value;
  try {
    return utf8.decode(toBytes(value));
  } catch {
    return toPrintableAscii(value);
  }
}

/** Every byte outside 0x20..0x7e as `\xNN`, lower case, as PostgreSQL's pg_clean_ascii writes it. */
export function toPrintableAscii(value: ByteString): string {
  return value.replace(/[^\x20-\x7e]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
