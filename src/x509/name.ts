// Distinguished names, from DER to the two forms that PostgreSQL prints: RFC 2253, which decides (`clientname=DN`,
// the identity), and the log's `/CN=x/O=y`. Promises OpenSSL's output byte for byte, because rules are written for it.

import { isUtf8 } from 'node:buffer';
import { fromBytes, fromText, toPrintableAscii, toText } from '../base/bytestring.ts';
import type { ByteString } from '../base/bytestring.ts';
import { attributeNames } from './attribute-names.ts';
import { decodeOid, DerError, hex, tags } from './der.ts';
import type { DerReader } from './der.ts';

/** One AttributeTypeAndValue. */
export interface Attribute {
  /** Dotted. */
  readonly oid: string;
  /** The value's identifier octet. */
  readonly tag: number;
  /** The value's contents, raw. */
  readonly value: Uint8Array;
  /** The value with its header, for types that are printed in hex. */
  readonly encoding: Uint8Array;
}

/** Relative distinguished names in certificate order, each one attribute or, multi-valued, several. */
export type DistinguishedName = readonly (readonly Attribute[])[];

/** Reads a Name (RFC 5280 §4.1.2.4). Throws DerError. */
export function readName(reader: DerReader): DistinguishedName {
  const sequence = reader.enter(tags.sequence);
  const name: Attribute[][] = [];
  while (!sequence.atEnd) {
    const set = sequence.enter(tags.set);
    if (set.atEnd) throw new DerError('empty relative distinguished name');
    const attributes: Attribute[] = [];
    while (!set.atEnd) attributes.push(readAttribute(set.enter(tags.sequence)));
    name.push(attributes);
  }
  return name;
}

function readAttribute(reader: DerReader): Attribute {
  const oid = decodeOid(reader.contents(tags.oid));
  const element = reader.read();
  reader.finish();
  return { oid, tag: element.tag, value: reader.contentsOf(element), encoding: reader.encodingOf(element) };
}

const COMMON_NAME = '2.5.4.3';

/**
 * The first commonName in certificate order, raw bytes with no character-set conversion; null when there is none
 * (semantics §2.11). Throws DerError for a type that is not a string. OpenSSL would not give its bytes as they stand, so
 * they might not be the name that PostgreSQL sees.
 */
export function commonName(name: DistinguishedName): ByteString | null {
  const first = name.flat().find((attribute) => attribute.oid === COMMON_NAME);
  if (first === undefined) return null;
  if (first.tag === tags.bitString) return bitStringBytes(first.value);
  if (!bytesPerCharacter.has(first.tag)) throw new DerError('common name is not a character string');
  return fromBytes(first.value);
}

/** As OpenSSL reads a BIT STRING: without the octet that counts its unused bits, and with those bits zero. */
function bitStringBytes([unused = 8, ...octets]: Uint8Array): ByteString {
  if (unused > 7 || (unused > 0 && octets.length === 0)) throw new DerError('malformed bit string');
  const last = octets.pop();
  return fromBytes(Uint8Array.from(last === undefined ? octets : [...octets, last & (0xff << unused)]));
}

/**
 * The form of X509_NAME_print_ex with XN_FLAG_RFC2253 (semantics §2.12): reverse order, `,` and `+`, pure ASCII.
 * Empty for an empty name. Throws DerError for a value that is not a valid string of its type.
 */
export function formatRfc2253(name: DistinguishedName): string {
  return name
    .map((attributes) =>
      attributes
        .map((attribute) => `${attributeName(attribute)}=${formatValue(attribute, escapeNonAscii)}`)
        .toReversed()
        .join('+'),
    )
    .toReversed()
    .join(',');
}

/** PostgreSQL cuts names in its log to this many bytes (prepare_cert_name in be-secure-openssl.c). */
const MAX_LOG_NAME_BYTES = 71;

/**
 * The form of PostgreSQL's log (semantics §2.9): `/CN=x/O=y` in certificate order, cut to its last 71 bytes, every
 * byte outside printable ASCII as `\xNN`. PostgreSQL fails on an attribute type that OpenSSL does not know; here it
 * is written as in RFC 2253. Throws DerError as formatRfc2253 does.
 */
export function formatForLog(name: DistinguishedName): string {
  const whole = slashForm(name);
  const cut = whole.length > MAX_LOG_NAME_BYTES ? `...${whole.slice(3 - MAX_LOG_NAME_BYTES)}` : whole;
  return toPrintableAscii(cut);
}

/**
 * The form of pg_stat_ssl (X509_NAME_to_cstring): `/CN=x/O=y` in certificate order, whole, as text. Throws DerError as
 * formatRfc2253 does.
 */
export function formatForStatistics(name: DistinguishedName): string {
  return toText(slashForm(name));
}

function slashForm(name: DistinguishedName): ByteString {
  return name
    .flat()
    .map((attribute) => `/${attributeName(attribute)}=${formatValue(attribute, keepNonAscii)}`)
    .join('');
}

/** OpenSSL prints an unknown type's OID into a buffer of 80 bytes. */
const MAX_OID_CHARACTERS = 79;

function attributeName({ oid }: Attribute): string {
  return attributeNames.get(oid) ?? oid.slice(0, MAX_OID_CHARACTERS);
}

/** Character width by string type; 0 = UTF-8, whose bytes pass unchanged. Other types are printed in hex. */
const bytesPerCharacter: ReadonlyMap<number, 0 | 1 | 2 | 4> = new Map([
  [tags.utf8String, 0],
  [tags.numericString, 1],
  [tags.printableString, 1],
  [tags.t61String, 1],
  [tags.ia5String, 1],
  [tags.utcTime, 1],
  [tags.generalizedTime, 1],
  [tags.iso646String, 1],
  [tags.universalString, 4],
  [tags.bmpString, 2],
]);

type EscapeNonAscii = (character: string) => string;
const escapeNonAscii: EscapeNonAscii = (character) =>
  `\\${character.charCodeAt(0).toString(16).toUpperCase()}`;
const keepNonAscii: EscapeNonAscii = (character) => character;

function formatValue(attribute: Attribute, escape: EscapeNonAscii): ByteString {
  const width = bytesPerCharacter.get(attribute.tag);
  if (width === undefined || !attributeNames.has(attribute.oid)) {
    return `#${hex(attribute.encoding).toUpperCase()}`;
  }
  return escapeValue(utf8Form(attribute.value, attribute.tag), escape);
}

/**
 * A string's UTF-8 bytes. One-byte types are taken as Latin-1, as OpenSSL takes them.
 * @param tag of a string type
 * Throws DerError when it is not a valid string of its type.
 */
export function utf8Form(value: Uint8Array, tag: number): ByteString {
  const width = bytesPerCharacter.get(tag);
  if (width === undefined) throw new DerError('no character string');
  if (width === 0) {
    // SECURITY: here and below, as in OpenSSL, bytes that are not text have no name. Two readers can then not differ on it.
    if (!isUtf8(value)) throw new DerError('string is not UTF-8');
    return fromBytes(value);
  }
  if (width === 1) return fromText(fromBytes(value));
  if (value.length % width !== 0)
    throw new DerError('string length is not a multiple of its character width');
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  let text = '';
  for (let offset = 0; offset < value.length; offset += width) {
    const codePoint = width === 2 ? view.getUint16(offset) : view.getUint32(offset);
    if (codePoint > 0x10_ffff || (codePoint >= 0xd800 && codePoint < 0xe000)) {
      throw new DerError('string holds something that is not a Unicode character');
    }
    text += String.fromCodePoint(codePoint);
  }
  return fromText(text);
}

/** The escapes of RFC 2253 §2.4 as OpenSSL applies them: control bytes in hex, DEL among them. */
function escapeValue(value: ByteString, escape: EscapeNonAscii): ByteString {
  // eslint-disable-next-line no-control-regex -- control bytes are what is being looked for
  const escaped = value.replace(/[\x00-\x1f\x7f]|[,+"\\<>;]|[\x80-\xff]/g, (character) => {
    const code = character.charCodeAt(0);
    if (code >= 0x80) return escape(character);
    if (code < 0x20 || code === 0x7f) return `\\${code.toString(16).toUpperCase().padStart(2, '0')}`;
    return `\\${character}`;
  });
  return escapeEnds(value, escaped);
}

/** A leading `#` or blank and a trailing blank. OpenSSL treats a lone character as the last one, not the first. */
function escapeEnds(value: ByteString, escaped: ByteString): ByteString {
  const leading = value.length > 1 && /^[# ]/.test(value) ? '\\' : '';
  return value.endsWith(' ') ? `${leading}${escaped.slice(0, -1)}\\ ` : `${leading}${escaped}`;
}
