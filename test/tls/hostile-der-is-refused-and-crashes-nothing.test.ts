// Whatever bytes a client calls its certificate: facts, or GatehouseError client-cert-invalid, and nothing else.

import * as fc from 'fast-check';
import t from 'tap';
import { GatehouseError } from '../../src/base/errors.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import type { CertificateRequest } from '../../src/pki/authority.ts';
import { element, integer, oid, sequence, tagged } from '../../src/x509/encode.ts';
import { encodeAltNames } from '../../src/pki/names.ts';
import { readCertificateFacts, verifiedIdentity } from '../../src/x509/identity.ts';

const authority = createAuthority({ subject: 'a root' });
const sound = authority.issue({
  subject: [
    { type: 'O', value: 'Org' },
    [
      { type: 'CN', value: 'alice' },
      { type: 'UID', value: 'u1' },
    ],
  ],
  altNames: [
    { type: 'uri', value: 'spiffe://prod/ns/a/sa/app' },
    { type: 'dns', value: 'a.example' },
    { type: 'ip', value: '192.0.2.1' },
  ],
  purposes: ['clientAuth'],
}).der;

const issue = (request: Partial<CertificateRequest>) =>
  authority.issue({ subject: 'alice', purposes: ['clientAuth'], ...request }).der;
const altNames = (name: string) => ({
  oid: '2.5.29.17',
  value: encodeAltNames([{ type: 'dns', value: name }]),
});
const validFrom = (text: string) =>
  sequence(element(0x18, Buffer.from(text)), element(0x18, Buffer.from('20990101000000Z')));
const fromHex = (text: string) => Buffer.from(text, 'hex');

/** What became of the bytes: `read`, or the code of the refusal. Any other error is the test's failure. */
function outcome(der: Uint8Array): string {
  try {
    readCertificateFacts(der);
    verifiedIdentity(der);
    return 'read';
  } catch (error) {
    if (error instanceof GatehouseError) return error.code;
    throw error;
  }
}

const allowed = (der: Uint8Array) =>
  ['read', 'client-cert-invalid', 'client-cert-nul-in-name'].includes(outcome(der));

void t.test('arbitrary bytes', (test) => {
  test.doesNotThrow(() => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => outcome(bytes) === 'client-cert-invalid'),
      { numRuns: 2000 },
    );
  });
  test.end();
});

void t.test('a real certificate with some bytes changed', (test) => {
  const change = fc.tuple(fc.nat(sound.length - 1), fc.nat(255));
  test.doesNotThrow(() => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const bytes = Buffer.from(sound);
        for (const [offset, octet] of changes) bytes[offset] = octet;
        return allowed(bytes);
      }),
      { numRuns: 5000 },
    );
  });
  test.end();
});

void t.test('a real certificate cut short or followed by anything', (test) => {
  for (let length = 0; length < sound.length; length += 1) {
    if (outcome(sound.subarray(0, length)) !== 'client-cert-invalid')
      test.fail(`cut to ${length} bytes it was read`);
  }
  test.equal(outcome(Buffer.concat([sound, Buffer.from([0])])), 'client-cert-invalid', 'trailing byte');
  test.equal(outcome(sound), 'read', 'and whole it is read');
  test.end();
});

void t.test('certificates that a careless authority could sign', (test) => {
  const utf8 = Buffer.from('ff', 'hex');
  const table: readonly (readonly [why: string, der: Buffer, expected: string])[] = [
    ['a serial of 64 bytes', issue({ serial: 2n ** 511n - 1n }), 'read'],
    ['a serial of 600 bytes', issue({ serial: 2n ** 4800n - 1n }), 'read'],
    [
      '101 KiB',
      issue({ extensions: [{ oid: '1.2.3', value: Buffer.alloc(101 * 1024) }] }),
      'client-cert-invalid',
    ],
    ['a name that is no UTF-8', issue({ subject: [{ type: 'O', value: utf8 }] }), 'client-cert-invalid'],
    [
      'half a BMP character',
      issue({ subject: [{ type: 'O', value: utf8, stringType: 'bmp' }] }),
      'client-cert-invalid',
    ],
    ['an empty RDN', issue({ subject: [[]] }), 'client-cert-invalid'],
    ['NUL in the common name', issue({ subject: 'post\0gres' }), 'client-cert-nul-in-name'],
    ['NUL in another attribute', issue({ subject: [{ type: 'O', value: 'a\0b' }] }), 'read'],
    ['no subject at all', issue({ subject: [] }), 'read'],
  ];
  for (const [why, der, expected] of table) test.equal(outcome(der), expected, why);
  test.end();
});

void t.test('alternative names that cannot be told are none, and concern no other name', (test) => {
  const many = Array.from({ length: 1025 }, () => ({ type: 'dns', value: 'a' }) as const);
  const broken = { oid: '2.5.29.17', value: fromHex('308003820161') };
  const table: readonly (readonly [why: string, der: Buffer, count: number])[] = [
    ['1024 of them', issue({ altNames: many.slice(1) }), 1024],
    ['1025 of them', issue({ altNames: many }), 0],
    ['two extensions', issue({ extensions: [altNames('a'), altNames('b')] }), 0],
    ['no strict DER', issue({ extensions: [broken] }), 0],
  ];
  for (const [why, der, count] of table) {
    const { names } = verifiedIdentity(der);
    test.equal(names.cn, 'alice', why);
    test.equal(names.dns.length, count, why);
    test.strictSame([...names.uri, ...names.email], [], why);
  }
  test.end();
});

void t.test('DER in another than its one form', (test) => {
  const name = sequence();
  const validity = sequence(
    element(0x17, Buffer.from('260101000000Z')),
    element(0x17, Buffer.from('270101000000Z')),
  );
  const algorithm = sequence(oid('1.2.3'));
  const certificate = (parts: { serial?: Buffer; subject?: Buffer; validity?: Buffer }) =>
    sequence(
      sequence(
        tagged(0, integer(2n)),
        parts.serial ?? integer(1n),
        algorithm,
        name,
        parts.validity ?? validity,
        parts.subject ?? name,
        sequence(),
      ),
      algorithm,
      element(0x03, Buffer.from([0])),
    );
  const table: readonly (readonly [why: string, der: Buffer, expected: string])[] = [
    ['the sound one', certificate({}), 'read'],
    ['a negative serial', certificate({ serial: integer(-5n) }), 'read'],
    ['an empty integer', certificate({ serial: fromHex('0200') }), 'client-cert-invalid'],
    ['a padded integer', certificate({ serial: fromHex('02020001') }), 'client-cert-invalid'],
    ['a long length for a short one', certificate({ serial: fromHex('02810101') }), 'client-cert-invalid'],
    ['a length with a leading zero', certificate({ serial: fromHex('0282000101') }), 'client-cert-invalid'],
    ['an indefinite length', certificate({ subject: fromHex('30800000') }), 'client-cert-invalid'],
    ['a length of 2^32', certificate({ subject: fromHex('30850100000000') }), 'client-cert-invalid'],
    ['a multi-byte tag', certificate({ subject: fromHex('3f1000') }), 'client-cert-invalid'],
    ['a leap day', certificate({ validity: validFrom('20240229000000Z') }), 'read'],
    [
      'the 29th of February 2026',
      certificate({ validity: validFrom('20260229000000Z') }),
      'client-cert-invalid',
    ],
    [
      'a time with a zone',
      certificate({ validity: validFrom('20260101000000+0100') }),
      'client-cert-invalid',
    ],
    ['a time without seconds', certificate({ validity: validFrom('202601010000Z') }), 'client-cert-invalid'],
  ];
  for (const [why, der, expected] of table) test.equal(outcome(der), expected, why);
  test.end();
});
