// A certificate revocation list as bytes: what it says of itself, and whether it revokes a serial number. Entries are
// never made into objects of their own: a list may hold a million.

import { decodeInteger, decodeTime, DerError, DerReader, tags } from './der.ts';
import { readName, type DistinguishedName } from './name.ts';

/** What a certificate revocation list says (RFC 5280 §5.1). */
export interface RevocationList {
  readonly issuer: DistinguishedName;
  /** The issuer as it stands in the list, DER. */
  readonly issuerDer: Uint8Array;
  readonly lastUpdate: Date;
  /** Null when the list does not say. */
  readonly nextUpdate: Date | null;
  readonly revoked: RevokedSerials;
}

export interface Revocation {
  readonly serial: bigint;
  readonly date: Date;
}

/** Longest serial that is printed; RFC 5280 §4.1.2.2 allows 20 bytes, and some authorities use more. */
const MAX_SERIAL_BYTES = 1024;

/** Context tag of TBSCertList's extensions. */
const EXTENSIONS = 0xa0;

/** Reads a list's DER. Its signature is OpenSSL's business, at each handshake. Throws DerError. */
export function readRevocationList(der: Uint8Array): RevocationList {
  const file = new DerReader(der);
  const outer = file.enter(tags.sequence);
  file.finish();
  const tbs = outer.enter(tags.sequence);
  if (tbs.nextIs(tags.integer)) tbs.read(); // version
  tbs.read(tags.sequence); // signature
  const issuerElement = tbs.read(tags.sequence);
  const issuer = readName(new DerReader(der, issuerElement.start, issuerElement.end));
  const lastUpdate = decodeTime(tbs);
  const saysNext = tbs.nextIs(tags.utcTime) || tbs.nextIs(tags.generalizedTime);
  const nextUpdate = saysNext ? decodeTime(tbs) : null;
  const entries = tbs.nextIs(tags.sequence) ? tbs.read(tags.sequence) : null;
  const revoked = new RevokedSerials(der, entries?.contentStart ?? 0, entries?.end ?? 0);
  if (tbs.nextIs(EXTENSIONS)) tbs.read();
  tbs.finish();
  outer.read(tags.sequence); // signatureAlgorithm
  outer.read(tags.bitString); // signatureValue
  outer.finish();
  return { issuer, issuerDer: tbs.encodingOf(issuerElement), lastUpdate, nextUpdate, revoked };
}

/**
 * The serial numbers of a list's entries, found in its own bytes.
 *
 * The first question makes an index of four bytes for each slot; until then a list costs no more than its bytes.
 */
export class RevokedSerials {
  /** Number of entries. */
  readonly size: number;
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  #slots: Uint32Array | null = null;

  /** Bounds are those of the entries' bytes. Throws DerError when they are not a row of entries. */
  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    let size = 0;
    for (let at = start; at < end; at = elementEnd(bytes, at, end)) {
      if (bytes[at] !== tags.sequence) throw new DerError('unexpected tag');
      serialStart(bytes, at, end);
      size += 1;
    }
    this.size = size;
  }

  /** @param serial in hexadecimal, either case, leading zeros or none, `-` before a negative one */
  has(serial: string): boolean {
    if (this.size === 0) return false;
    const wanted = integerContents(serial);
    const slots = (this.#slots ??= this.#index());
    for (
      let slot = hashOf(wanted, 0, wanted.length) & (slots.length - 1);
      ;
      slot = (slot + 1) & (slots.length - 1)
    ) {
      const at = slots[slot] ?? 0;
      if (at === 0) return false;
      if (isContents(this.#bytes, at, wanted)) return true;
    }
  }

  /** Every entry, in the list's order. Throws DerError. */
  *entries(): Generator<Revocation, void> {
    const reader = new DerReader(this.#bytes, this.#start, this.#end);
    while (!reader.atEnd) {
      const entry = reader.enter(tags.sequence);
      const serial = decodeInteger(entry.contents(tags.integer), MAX_SERIAL_BYTES);
      yield { serial, date: decodeTime(entry) };
    }
  }

  /** A hash table with open addressing: where each entry's serial stands. Zero, which no entry can have, is empty. */
  #index(): Uint32Array {
    const bytes = this.#bytes;
    const slots = new Uint32Array(2 ** Math.ceil(Math.log2(this.size * 2)));
    for (let at = this.#start; at < this.#end; at = elementEnd(bytes, at, this.#end)) {
      const serial = serialStart(bytes, at, this.#end);
      const start = contentStart(bytes, serial);
      let slot = hashOf(bytes, start, elementEnd(bytes, serial, this.#end)) & (slots.length - 1);
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
      slots[slot] = serial;
    }
    return slots;
  }
}

/** Where an element's contents begin: its length takes one octet, or as many more as the first one says. */
function contentStart(bytes: Uint8Array, at: number): number {
  const first = bytes[at + 1] ?? 0;
  return first < 0x80 ? at + 2 : at + 2 + (first & 0x7f);
}

/** Where an element ends. Throws DerError when that is not before `limit`, or its length is indefinite. */
function elementEnd(bytes: Uint8Array, at: number, limit: number): number {
  const first = bytes[at + 1] ?? 0x80;
  const start = contentStart(bytes, at);
  if (first === 0x80) throw new DerError('indefinite length');
  if (first > 0x84) throw new DerError('element is longer than what holds it');
  let length = first;
  if (first > 0x80) {
    length = 0;
    for (let octet = at + 2; octet < start; octet += 1) length = length * 256 + (bytes[octet] ?? 0);
  }
  // SECURITY: no entry reaches beyond the list that holds it.
  if (start + length > limit) throw new DerError('element is longer than what holds it');
  return start + length;
}

/** Where the serial of the entry at `at` begins. Throws DerError when the entry begins with something else. */
function serialStart(bytes: Uint8Array, at: number, limit: number): number {
  const serial = contentStart(bytes, at);
  const end = elementEnd(bytes, at, limit);
  if (serial >= end || bytes[serial] !== tags.integer) throw new DerError('unexpected tag');
  elementEnd(bytes, serial, end);
  return serial;
}

/** FNV-1a. An authority that wanted to make it slow could as well sign a longer list. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let value = 0x811c9dc5;
  for (let at = start; at < end; at += 1) value = Math.imul(value ^ (bytes[at] ?? 0), 0x01000193);
  return value >>> 0;
}

function isContents(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  const start = contentStart(bytes, at);
  if (elementEnd(bytes, at, bytes.length) - start !== wanted.length) return false;
  return wanted.every((octet, index) => bytes[start + index] === octet);
}

/** The contents of a DER INTEGER. */
function integerContents(serial: string): Buffer {
  const isNegative = serial.startsWith('-');
  const value = BigInt(`0x${isNegative ? serial.slice(1) : serial}`) * (isNegative ? -1n : 1n);
  const magnitude = isNegative ? -value - 1n : value;
  // One bit more than the number has, for its sign.
  const size = Math.floor(magnitude.toString(2).replace(/^0$/, '').length / 8) + 1;
  const hex = BigInt.asUintN(size * 8, value)
    .toString(16)
    .padStart(size * 2, '0');
  return Buffer.from(hex, 'hex');
}
