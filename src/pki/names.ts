// Subjects and alternative names as the development authority is asked for them, and their DER.

import { isIP } from 'node:net';
import { tags } from '../x509/der.ts';
import { attributeNames } from '../x509/attribute-names.ts';
import { element, oid, sequence, setOf } from '../x509/encode.ts';

const stringTags = {
  utf8: tags.utf8String,
  numeric: tags.numericString,
  printable: tags.printableString,
  t61: tags.t61String,
  ia5: tags.ia5String,
  universal: tags.universalString,
  bmp: tags.bmpString,
} as const;

/** One attribute of a subject. */
export interface SubjectAttribute {
  /** Short name (`CN`, `O`, `UID`, …) or dotted OID. */
  readonly type: string;
  /** Text is written as UTF-8; bytes are written as they are, whatever the string type. */
  readonly value: string | Uint8Array;
  /** ASN.1 string type; UTF8String unless told. */
  readonly stringType?: keyof typeof stringTags;
}

/** A subject: a string is its one common name; a list is its RDNs in certificate order. */
export type SubjectName = string | readonly (SubjectAttribute | readonly SubjectAttribute[])[];

/** The DER of a Name. Throws RangeError for an unknown attribute type. */
export function encodeName(subject: SubjectName): Buffer {
  const rdns = typeof subject === 'string' ? [{ type: 'CN', value: subject }] : subject;
  return sequence(...rdns.map((rdn) => setOf((isList(rdn) ? rdn : [rdn]).map(encodeAttribute))));
}

function isList(rdn: SubjectAttribute | readonly SubjectAttribute[]): rdn is readonly SubjectAttribute[] {
  return Array.isArray(rdn);
}

const oidsByName = new Map([...attributeNames].map(([dotted, name]) => [name, dotted]));

function encodeAttribute({ type, value, stringType = 'utf8' }: SubjectAttribute): Buffer {
  const dotted = /^\d+(\.\d+)+$/.test(type) ? type : oidsByName.get(type);
  if (dotted === undefined) throw new RangeError(`unknown attribute type "${type}"`);
  return sequence(oid(dotted), element(stringTags[stringType], Buffer.from(value)));
}

/** One subjectAltName entry. An `ip` is numeric. */
export interface AltName {
  readonly type: 'dns' | 'email' | 'ip' | 'uri';
  readonly value: string;
}

/** The DER of GeneralNames. Throws RangeError for an `ip` that is none. */
export function encodeAltNames(altNames: readonly AltName[]): Buffer {
  return sequence(...altNames.map(encodeAltName));
}

/** Context tags of GeneralName (RFC 5280 §4.2.1.6). */
const altNameTags = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const;

function encodeAltName({ type, value }: AltName): Buffer {
  return element(altNameTags[type], type === 'ip' ? addressBytes(value) : Buffer.from(value, 'latin1'));
}

function addressBytes(address: string): Buffer {
  switch (isIP(address)) {
    case 4:
      return Buffer.from(address.split('.').map(Number));
    case 6:
      return Buffer.from(hextets(address));
    default:
      throw new RangeError(`"${address}" is not an IP address`);
  }
}

/** The 16 bytes of an IPv6 address, a dotted tail included. */
function hextets(address: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  if (dotted !== null) {
    const [a = 0, b = 0, c = 0, d = 0] = dotted.slice(2).map(Number);
    return hextets(`${dotted[1] ?? ''}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`);
  }
  const [head = [], tail = []] = address.split('::').map((part) =>
    part
      .split(':')
      .filter((group) => group !== '')
      .map((group) => Number.parseInt(group, 16)),
  );
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => 0);
  return [...head, ...zeros, ...tail].flatMap((group) => [group >> 8, group & 0xff]);
}
