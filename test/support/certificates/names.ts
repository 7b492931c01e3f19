// Distinguished names as X.501 lays them out, with values of any string type.

import { der, oid, sequence, setOf } from './der.ts';

/** An attribute's value: text as UTF8String, or the bytes of a string type by its universal tag number. */
export type AttributeValue = string | { readonly tag: number; readonly bytes: Uint8Array };

/** RDNs in certificate order; several keys in one make it multi-valued. Keys are short names or dotted OIDs. */
export type DistinguishedName = readonly Readonly<Record<string, AttributeValue>>[];

const ATTRIBUTES: Readonly<Record<string, string>> = {
  CN: '2.5.4.3',
  SN: '2.5.4.4',
  serialNumber: '2.5.4.5',
  C: '2.5.4.6',
  L: '2.5.4.7',
  ST: '2.5.4.8',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  UID: '0.9.2342.19200300.100.1.1',
  DC: '0.9.2342.19200300.100.1.25',
  emailAddress: '1.2.840.113549.1.9.1',
};

export const UTF8_STRING = 0x0c;
export const BMP_STRING = 0x1e;

/** A Name, DER: also what OpenSSL's hashed file names are made of. */
export function name(dn: DistinguishedName): Buffer {
  const rdns = dn.map((rdn) =>
    setOf(
      ...Object.entries(rdn).map(([type, value]) => {
        const text = typeof value === 'string' ? { tag: UTF8_STRING, bytes: Buffer.from(value) } : value;
        return sequence(oid(ATTRIBUTES[type] ?? type), der(text.tag, text.bytes));
      }),
    ),
  );
  return sequence(...rdns);
}
