// The hash of a distinguished name by which OpenSSL looks for files in a directory of lists: X509_NAME_hash, that is
// SHA-1 over the name's canonical form.

import { hash } from 'node:crypto';
import { toBytes } from '../base/bytestring.ts';
import { DerReader, tags } from './der.ts';
import { utf8Form } from './name.ts';

/** String types that have a canonical form; the others are hashed as they are. */
const CANONICAL: ReadonlySet<number> = new Set([
  tags.utf8String,
  tags.printableString,
  tags.t61String,
  tags.ia5String,
  tags.iso646String,
  tags.universalString,
  tags.bmpString,
]);

/**
 * Eight lower-case hex digits, as `openssl crl -hash` prints them.
 * @param name a Name, DER
 * Throws DerError.
 */
export function nameHash(name: Uint8Array): string {
  const digest = hash('sha1', canonicalName(name), 'buffer');
  return digest.readUInt32LE(0).toString(16).padStart(8, '0');
}

/**
 * A Name's canonical form: two names are the same for OpenSSL when these bytes are.
 * Case, blanks at either end, runs of blanks and the string type make no difference.
 * Throws DerError.
 */
export function canonicalName(name: Uint8Array): Buffer {
  const sequence = new DerReader(name).enter(tags.sequence);
  const sets: Buffer[] = [];
  while (!sequence.atEnd) {
    const set = sequence.enter(tags.set);
    const attributes: Buffer[] = [];
    while (!set.atEnd) attributes.push(canonicalAttribute(set.enter(tags.sequence)));
    // DER sorts a SET OF by its elements' bytes.
    attributes.sort((a, b) => Buffer.compare(a, b));
    sets.push(element(tags.set, ...attributes));
  }
  return Buffer.concat(sets);
}

function canonicalAttribute(reader: DerReader): Buffer {
  const type = reader.encodingOf(reader.read(tags.oid));
  const value = reader.read();
  reader.finish();
  if (!CANONICAL.has(value.tag)) return element(tags.sequence, type, reader.encodingOf(value));
  const text = utf8Form(reader.contentsOf(value), value.tag);
  const folded = text
    .replaceAll(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, '')
    .replaceAll(/[ \t\n\v\f\r]+/g, ' ')
    .replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
  return element(tags.sequence, type, element(tags.utf8String, toBytes(folded)));
}

function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const contents = Buffer.concat(parts);
  const { length } = contents;
  const size = length < 0x80 ? [] : bigEndian(length);
  return Buffer.concat([
    Buffer.from(size.length === 0 ? [tag, length] : [tag, 0x80 | size.length, ...size]),
    contents,
  ]);
}

function bigEndian(length: number): number[] {
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return octets;
}
