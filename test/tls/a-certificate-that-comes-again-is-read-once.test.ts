// A client comes again and again with the same certificate. Reading it once must not mean that another one passes for it.

import { X509Certificate } from 'node:crypto';
import { test } from 'tap';
import { verifiedIdentity } from '../../src/x509/identity.ts';
import { testAuthority } from '../support/certificates/certificates.ts';

await test('the same bytes give the same identity, and others another', async (t) => {
  const authority = testAuthority(t);
  const alice = der(authority.client('alice'));
  const bob = der(authority.client('bob'));
  const first = verifiedIdentity(alice);
  t.equal(verifiedIdentity(Buffer.from(alice)), first, 'by content, not by object');
  t.equal(verifiedIdentity(bob).names.cn, 'bob');
  t.equal(verifiedIdentity(alice).names.cn, 'alice');
  const renewed = verifiedIdentity(der(authority.client('alice')));
  t.not(renewed, first, 'another certificate of the same name');
  t.not(renewed.facts.serial, first.facts.serial);
});

await test('what cannot be read is refused each time', async (t) => {
  const broken = der(testAuthority(t).client('alice')).subarray(0, -1);
  for (const time of ['first', 'second']) {
    t.throws(() => verifiedIdentity(broken), { code: 'client-cert-invalid' }, time);
  }
});

await test('so many certificates are remembered and no more', async (t) => {
  const original = der(testAuthority(t).client('alice'));
  // Only the signature's last byte differs, which nothing here looks at: each is a certificate of its own all the same.
  const variants = Array.from({ length: 300 }, (_, n) => {
    const copy = Buffer.from(original);
    copy.writeUInt16BE(n, copy.length - 2);
    return copy;
  });
  const identities = variants.map((variant) => verifiedIdentity(variant));
  t.equal(new Set(identities.map(({ facts }) => facts.fingerprint)).size, 300);
  t.equal(verifiedIdentity(variants[299]!), identities[299], 'the latest is remembered');
  t.not(verifiedIdentity(variants[0]!), identities[0], 'the first is forgotten, and read again');
  t.same(verifiedIdentity(variants[0]!).facts, identities[0]!.facts);
});

function der({ cert }: { readonly cert: string }): Buffer {
  return new X509Certificate(cert).raw;
}
