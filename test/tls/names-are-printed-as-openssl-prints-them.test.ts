// Names that nobody would think of, made by fast-check, as the openssl command prints them in RFC 2253.

import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import t from 'tap';
import { createAuthority } from '../../src/pki/authority.ts';
import type { SubjectAttribute } from '../../src/pki/names.ts';
import { attributeNames } from '../../src/x509/attribute-names.ts';
import { readCertificateFacts } from '../../src/x509/identity.ts';
import { needs } from '../support/run/tools.ts';

const authority = createAuthority({ subject: 'a root' });

/** Characters that one of the escapes is about, and others. */
const character = fc.oneof(
  fc.constantFrom(
    ',',
    '+',
    '"',
    '\\',
    '<',
    '>',
    ';',
    '#',
    '=',
    ' ',
    '\0',
    '\n',
    '\x1f',
    '\x7f',
    '\u0080',
    'é',
    '\u0800',
  ),
  fc.string({ minLength: 1, maxLength: 1, unit: 'grapheme-ascii' }),
);
const text = fc.array(character, { maxLength: 6 }).map((characters) => characters.join(''));
const type = fc.oneof(
  fc.constantFrom(...attributeNames.keys()),
  fc.constantFrom(
    '2.5.4.3',
    '2.5.4.10',
    '1.3.6.1.4.1.99999.1',
    '2.999.3',
    '0.39.128',
    '2.25.329800735698586629295641978511506172918',
  ),
);
const value: fc.Arbitrary<Pick<SubjectAttribute, 'value' | 'stringType'>> = fc.oneof(
  text.map((printed) => ({ value: printed, stringType: 'utf8' as const })),
  fc.uint8Array({ maxLength: 6 }).map((bytes) => ({ value: bytes, stringType: 't61' as const })),
  text.map((printed) => ({ value: printed, stringType: 'printable' as const })),
  text.map((printed) => ({ value: printed, stringType: 'ia5' as const })),
  text.map((printed) => ({ value: Buffer.from(printed, 'utf16le').swap16(), stringType: 'bmp' as const })),
  fc
    .array(
      fc.integer({ min: 0, max: 0x10_ffff }).filter((code) => code < 0xd800 || code > 0xdfff),
      { maxLength: 3 },
    )
    .map((codes) => ({ value: Buffer.concat(codes.map(uint32)), stringType: 'universal' as const })),
);
const attribute: fc.Arbitrary<SubjectAttribute> = fc
  .tuple(type, value)
  .map(([name, content]) => ({ type: name, ...content }));
const subject = fc.array(fc.oneof(attribute, fc.array(attribute, { minLength: 1, maxLength: 3 })), {
  maxLength: 4,
});

function uint32(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
}

void t.test('RFC 2253 form of generated subjects', needs('openssl'), (test) => {
  test.doesNotThrow(() => {
    fc.assert(
      fc.property(subject, (generated) => {
        const { certificate, der } = authority.issue({ subject: generated, purposes: ['clientAuth'] });
        const printed = execFileSync('openssl', ['x509', '-noout', '-subject', '-nameopt', 'RFC2253'], {
          input: certificate,
          encoding: 'latin1',
        });
        return `subject=${readCertificateFacts(der).subjectDn}\n` === printed;
      }),
      { numRuns: 150, seed: 20260101 },
    );
  });
  test.end();
});

void t.test('short names of attribute types', needs('openssl'), (test) => {
  const listed = execFileSync('openssl', ['list', '-objects'], { encoding: 'utf8' });
  const byOid = new Map(
    [...listed.matchAll(/^(\S.*?) = (?:.*, )?([\d.]+)$/gm)].map(([, name = '', oid = '']) => [oid, name]),
  );
  for (const [oid, name] of attributeNames) {
    const known = byOid.get(oid);
    // An older OpenSSL knows fewer types; what it knows it must call the same.
    if (known !== undefined) test.equal(name, known, oid);
  }
  test.ok(byOid.size > 1000, 'openssl listed its objects');
  test.end();
});
