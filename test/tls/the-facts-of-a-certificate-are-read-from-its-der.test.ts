// Serial, dates, fingerprint and subjectAltName entries, each against what was asked of the authority or what
// Node's own X509Certificate says.

import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { createAuthority } from '../../src/pki/authority.ts';
import { readCertificateFacts, verifiedIdentity } from '../../src/x509/identity.ts';

const authority = createAuthority({ subject: 'a root' });
const subjectOf = (cn: string) =>
  readCertificateFacts(authority.issue({ subject: cn, purposes: [] }).der).subject;

void t.test('facts', (test) => {
  const { der } = authority.issue({
    subject: [
      { type: 'O', value: 'Org' },
      { type: 'CN', value: 'alice' },
    ],
    purposes: ['clientAuth'],
    serial: 1234567890123456789012345678901234567890n,
    notBefore: new Date('2001-02-03T04:05:06Z'),
    notAfter: new Date('2051-12-31T23:59:59Z'),
  });
  const facts = readCertificateFacts(der);
  test.match(facts, {
    subject: '/O=Org/CN=alice',
    issuer: '/CN=a root',
    subjectDn: 'CN=alice,O=Org',
    issuerDn: 'CN=a root',
    serial: '1234567890123456789012345678901234567890',
    notBefore: new Date('2001-02-03T04:05:06Z'),
    notAfter: new Date('2051-12-31T23:59:59Z'),
    fingerprint: new X509Certificate(der).fingerprint256.toLowerCase(),
  });
  test.end();
});

void t.test('the log form is cut to its last 71 bytes, before bytes are escaped', (test) => {
  const fits = 'x'.repeat(71 - '/CN='.length);
  test.equal(subjectOf(fits), `/CN=${fits}`);
  test.equal(subjectOf(`${fits}y`), `...${'x'.repeat(67)}y`);
  test.equal(subjectOf(`${'x'.repeat(100)}é`), `...${'x'.repeat(66)}\\xc3\\xa9`);
  test.end();
});

void t.test('alternative names, by type and as raw bytes', (test) => {
  const { der } = authority.issue({
    subject: [],
    purposes: ['clientAuth'],
    altNames: [
      { type: 'uri', value: 'spiffe://prod/ns/a/sa/app' },
      { type: 'dns', value: 'B.example' },
      { type: 'email', value: 'a@b.example' },
      { type: 'ip', value: '192.0.2.1' },
      { type: 'dns', value: 'a, DNS:evil.example' },
      { type: 'email', value: '\xe9@b.example' },
    ],
  });
  const { names } = verifiedIdentity(der);
  test.strictSame(names, {
    cn: null,
    dn: null,
    uri: ['spiffe://prod/ns/a/sa/app'],
    dns: ['B.example', 'a, DNS:evil.example'],
    email: ['a@b.example', '\xe9@b.example'],
  });
  test.end();
});

void t.test('an alternative name that is empty or holds a NUL is none', (test) => {
  const { der } = authority.issue({
    subject: 'alice',
    purposes: ['clientAuth'],
    altNames: [
      { type: 'dns', value: 'alice\0.example' },
      { type: 'uri', value: '' },
      { type: 'uri', value: 'spiffe://a\0' },
      { type: 'dns', value: 'good.example' },
    ],
  });
  const { names } = verifiedIdentity(der);
  test.strictSame(names, { cn: 'alice', dn: 'CN=alice', uri: [], dns: ['good.example'], email: [] });
  test.end();
});
