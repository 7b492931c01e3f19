// The names of files in ssl_crl_dir come from a hash of the issuer's name, in a canonical form of its own: here of
// generated names of every string type, beside OpenSSL's own hash.

import * as fc from 'fast-check';
import { test } from 'tap';
import { DerError } from '../../src/x509/der.ts';
import { nameHash } from '../../src/x509/name-hash.ts';
import { opensslOracle } from '../support/oracles/openssl-oracle.ts';
import { needs } from '../support/run/tools.ts';
import { name, type AttributeValue, type DistinguishedName } from '../support/certificates/names.ts';

const text = fc.string({
  unit: fc.constantFrom(...Array.from('aA zZ9\t\n\v\f\r\0  \u00e9\u00c9\u0130,+@*')),
  maxLength: 12,
});

function encoded(tag: number, value: string): AttributeValue {
  if (tag === 0x1e) return { tag, bytes: Buffer.from(value, 'utf16le').swap16() };
  if (tag === 0x1c)
    return { tag, bytes: Buffer.from(value, 'utf16le').swap16().reduce(wider, Buffer.alloc(0)) };
  return { tag, bytes: Buffer.from(value, tag === 0x0c ? 'utf8' : 'latin1') };
}

/** Two bytes of a UniversalString's four are zero for the characters here. */
function wider(wide: Buffer, octet: number, index: number): Buffer {
  return Buffer.concat([wide, index % 2 === 0 ? Buffer.from([0, 0, octet]) : Buffer.from([octet])]);
}

// UTF8, Printable, T61, IA5, Visible, Universal, BMP and, with no canonical form, Numeric and General strings.
const tag = fc.constantFrom(0x0c, 0x13, 0x14, 0x16, 0x1a, 0x1c, 0x1e, 0x12, 0x1b);
const value = fc.oneof(
  { weight: 9, arbitrary: fc.tuple(tag, text).map(([each, string]) => encoded(each, string)) },
  {
    weight: 1,
    arbitrary: fc.tuple(tag, fc.uint8Array({ maxLength: 8 })).map(([each, bytes]) => ({ tag: each, bytes })),
  },
);
const type = fc.constantFrom('CN', 'O', 'OU', 'C', 'DC', 'emailAddress', '1.2.3.4', '1.3.6.1.4.1.99999.1');
const dn: fc.Arbitrary<DistinguishedName> = fc.array(fc.dictionary(type, value, { minKeys: 1, maxKeys: 4 }), {
  maxLength: 5,
});

function ours(der: Uint8Array): string | null {
  try {
    return nameHash(der);
  } catch (error) {
    if (error instanceof DerError) return null;
    throw error;
  }
}

await test('2,500 generated names', needs('/usr/bin/python3', 'openssl'), async (t) => {
  const oracle = opensslOracle(t);
  let hashed = 0;
  for (const each of fc.sample(dn, { numRuns: 2500, seed: 9 })) {
    const der = name(each);
    const { hash = null } = await oracle.ask({ op: 'hash', name: der.toString('hex') });
    const found = ours(der);
    // Where OpenSSL reads no name, no certificate with it is ever verified.
    if (hash !== null) {
      hashed += 1;
      if (found !== hash) t.equal(found, hash, der.toString('hex'));
    }
  }
  t.ok(hashed > 800, `${hashed} of them are names for OpenSSL`);
});

await test('case, blanks and the string type make no difference', async (t) => {
  const same: readonly AttributeValue[] = [
    'My Root CA',
    '  my   ROOT\tca ',
    encoded(0x13, 'MY ROOT CA'),
    encoded(0x1e, 'my root ca'),
    encoded(0x1c, 'My root  CA'),
  ];
  t.equal(new Set(same.map((each) => nameHash(name([{ CN: each }])))).size, 1);
  t.not(nameHash(name([{ CN: 'my rootca' }])), nameHash(name([{ CN: 'my root ca' }])));
  t.not(
    nameHash(name([{ CN: 'a' }, { O: 'b' }])),
    nameHash(name([{ O: 'b' }, { CN: 'a' }])),
    'the order does',
  );
});
