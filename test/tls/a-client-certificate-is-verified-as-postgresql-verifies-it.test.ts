// Purpose, validity, chain and revocation, each with a certificate that is wrong in that one way (semantics §2.7 to
// §2.9), over TLS 1.2 and 1.3.

import type { TlsSettings } from '../../src/tls/settings.ts';
import { mkdirSync, symlinkSync } from 'node:fs';
import { test } from 'tap';
import { loadAuthority } from '../../src/pki/authority.ts';
import {
  bmpString,
  testAuthority,
  type Credentials,
  type RevocationListOptions,
  type TestAuthority,
} from '../support/certificates/certificates.ts';
import type { Scope } from '../support/run/scope.ts';
import { gateOf, presenting, TlsClient } from '../support/certificates/tls.ts';

type Client = Pick<Credentials, 'cert' | 'key' | 'serial'>;

interface Case {
  readonly name: string;
  readonly client: (authority: TestAuthority, t: Scope) => Client;
  readonly settings?: (authority: TestAuthority, client: Client) => Partial<TlsSettings>;
  /** `verified`, or `code: reason`. */
  readonly expected: string;
}

const alice = (authority: TestAuthority): Client => authority.client('alice');

/** A revocation list of the root, for a CRL setting. */
function crlFile(authority: TestAuthority, options: RevocationListOptions = {}): Partial<TlsSettings> {
  return { ssl_crl_file: authority.write('root.crl', authority.crl(options)) };
}

const HOUR_MS = 3_600_000;
const anHourAgo = new Date(Date.now() - HOUR_MS);
const twoHoursAgo = new Date(Date.now() - 2 * HOUR_MS);

const cases: readonly Case[] = [
  { name: 'issued by the root', client: alice, expected: 'verified' },
  {
    name: 'without extended key usage',
    client: (authority) => authority.client('alice', { extendedKeyUsage: [] }),
    expected: 'verified',
  },
  {
    name: 'issued by an intermediate that the client sends',
    client: (authority) => authority.intermediate().client('alice'),
    expected: 'verified',
  },
  {
    name: 'issued by an intermediate that nobody has',
    client: (authority) => {
      const intermediate = authority.intermediate();
      const issued = intermediate.client('alice');
      return { ...issued, cert: issued.cert.replace(intermediate.chain, '') };
    },
    expected: 'client-cert-untrusted: unable to verify the first certificate',
  },
  {
    name: 'issued by an intermediate that ssl_ca_file holds beside the root',
    client: (authority) => {
      const intermediate = authority.intermediate();
      const issued = intermediate.client('alice');
      authority.write('bundle.crt', authority.cert + intermediate.cert);
      return { ...issued, cert: issued.cert.replace(intermediate.chain, '') };
    },
    settings: (authority) => ({ ssl_ca_file: `${authority.directory}/bundle.crt` }),
    expected: 'verified',
  },
  {
    name: 'issued by an intermediate that stands alone in ssl_ca_file: no anchor',
    client: (authority) => {
      const intermediate = authority.intermediate();
      authority.write('alone.crt', intermediate.cert);
      return intermediate.client('alice');
    },
    settings: (authority) => ({ ssl_ca_file: `${authority.directory}/alone.crt` }),
    expected: 'client-cert-untrusted: unable to get issuer certificate',
  },
  {
    name: 'issued by a foreign CA',
    client: (_, t) => testAuthority(t, { cn: 'Foreign CA' }).client('alice'),
    expected: 'client-cert-untrusted: unable to verify the first certificate',
  },
  {
    name: 'issued by a foreign CA that bears our name',
    client: (_, t) => testAuthority(t).client('alice'),
    expected: 'client-cert-untrusted: unable to verify the first certificate',
  },
  {
    name: 'issued by a foreign CA that the client sends along',
    client: (_, t) => {
      const foreign = testAuthority(t, { cn: 'Foreign CA' });
      const issued = foreign.client('alice');
      return { ...issued, cert: issued.cert + foreign.cert };
    },
    expected: 'client-cert-self-signed: self-signed certificate in certificate chain',
  },
  {
    name: 'self-signed',
    client: (authority) => authority.client('alice', { selfSigned: true }),
    expected: 'client-cert-self-signed: self-signed certificate',
  },
  {
    name: 'expired',
    client: (authority) => authority.client('alice', { expired: true }),
    expected: 'client-cert-expired: certificate has expired',
  },
  {
    name: 'issued by an expired intermediate',
    client: (authority) =>
      authority.intermediate('Old CA', { notBefore: twoHoursAgo, notAfter: anHourAgo }).client('alice'),
    expected: 'client-cert-expired: certificate has expired',
  },
  {
    name: 'not yet valid',
    client: (authority) => authority.client('alice', { notYetValid: true }),
    expected: 'client-cert-not-yet-valid: certificate is not yet valid',
  },
  {
    name: 'for servers only',
    client: (authority) => authority.client('alice', { extendedKeyUsage: ['serverAuth'] }),
    expected: 'client-cert-wrong-purpose: unsuitable certificate purpose',
  },
  {
    name: 'issued by an end entity',
    client: (authority) => {
      const leaf = authority.client('leaf');
      const below = loadAuthority(leaf.cert, leaf.key).issue({ subject: 'alice', purposes: ['clientAuth'] });
      return { ...below, cert: below.certificate + leaf.cert };
    },
    expected: 'client-cert-untrusted: unable to verify the first certificate',
  },
  {
    name: 'with a CN in a BMPString, whose bytes hold NULs',
    client: (authority) => authority.client('', { dn: [{ CN: bmpString('alice') }] }),
    expected: 'client-cert-nul-in-name: common name contains embedded null',
  },
  {
    name: 'not revoked, by ssl_crl_file',
    client: alice,
    settings: (authority) => crlFile(authority),
    expected: 'verified',
  },
  {
    name: 'revoked, by ssl_crl_file',
    client: alice,
    settings: (authority, client) => crlFile(authority, { revoked: [client] }),
    expected: 'client-cert-revoked: certificate revoked',
  },
  {
    name: 'revoked, by ssl_crl_dir',
    client: alice,
    settings: (authority, client) => {
      const crlDir = `${authority.directory}/crls`;
      mkdirSync(crlDir);
      authority.write(`crls/${authority.crlName}`, authority.crl({ revoked: [client] }));
      return { ssl_crl_dir: crlDir };
    },
    expected: 'client-cert-revoked: certificate revoked',
  },
  {
    name: 'revoked, by ssl_crl_dir, when ssl_crl_file is set too',
    client: (authority) => authority.intermediate().client('alice'),
    settings: (authority) => {
      const crlDir = `${authority.directory}/crls`;
      mkdirSync(crlDir);
      return { ...crlFile(authority), ssl_crl_dir: crlDir };
    },
    expected: 'client-cert-crl-unavailable: unable to get certificate CRL',
  },
  {
    name: 'not revoked, by a list of ssl_crl_dir under another name than its own',
    client: alice,
    settings: (authority) => {
      const crlDir = `${authority.directory}/crls`;
      mkdirSync(crlDir);
      authority.write('crls/0123abcd.r0', authority.crl());
      return { ssl_crl_dir: crlDir };
    },
    expected: 'client-cert-crl-unavailable: unable to get certificate CRL',
  },
  {
    name: 'not revoked, by a list that follows one that is missing',
    client: alice,
    settings: (authority) => {
      const crlDir = `${authority.directory}/crls`;
      mkdirSync(crlDir);
      authority.write(`crls/${authority.crlName.replace('.r0', '.r1')}`, authority.crl());
      return { ssl_crl_dir: crlDir };
    },
    expected: 'client-cert-crl-unavailable: unable to get certificate CRL',
  },
  {
    name: "not revoked, while another CA's list in ssl_crl_dir is an error page",
    client: alice,
    settings: (authority) => {
      const crlDir = `${authority.directory}/crls`;
      mkdirSync(crlDir);
      authority.write(`crls/${authority.crlName}`, authority.crl());
      authority.write('crls/0123abcd.r0', '<html>404 Not Found</html>');
      symlinkSync('nowhere', `${crlDir}/0123abce.r0`);
      return { ssl_crl_dir: crlDir };
    },
    expected: 'verified',
  },
  {
    name: 'revoked by a list in ssl_ca_file, once revocation is on',
    client: (authority) => {
      const intermediate = authority.intermediate();
      const issued = intermediate.client('alice');
      authority.write('with-list.crt', authority.cert + intermediate.crl({ revoked: [issued] }));
      return issued;
    },
    settings: (authority) => ({
      ...crlFile(authority),
      ssl_ca_file: `${authority.directory}/with-list.crt`,
    }),
    expected: 'client-cert-revoked: certificate revoked',
  },
  {
    name: 'on a list in ssl_ca_file, while revocation is off',
    client: alice,
    settings: (authority, client) => ({
      ssl_ca_file: authority.write('with-list.crt', authority.cert + authority.crl({ revoked: [client] })),
    }),
    expected: 'verified',
  },
  {
    name: 'while ssl_crl_file holds a certificate and no list',
    client: alice,
    settings: (authority) => ({ ssl_crl_file: authority.write('root.crl', authority.cert) }),
    expected: 'client-cert-crl-unavailable: unable to get certificate CRL',
  },
  {
    name: 'issued by a root that only ssl_crl_file holds',
    client: (authority, t) => {
      const other = testAuthority(t, { cn: 'Other CA' });
      authority.write('other.crl', other.cert + other.crl() + authority.crl());
      return other.client('alice');
    },
    settings: (authority) => ({ ssl_crl_file: `${authority.directory}/other.crl` }),
    expected: 'client-cert-untrusted: unable to verify the first certificate',
  },
  {
    name: 'with an empty ssl_crl_dir',
    client: alice,
    settings: (authority) => {
      const crlDir = `${authority.directory}/crls`;
      mkdirSync(crlDir);
      return { ssl_crl_dir: crlDir };
    },
    expected: 'client-cert-crl-unavailable: unable to get certificate CRL',
  },
  {
    name: 'when only the root has a list, and an intermediate issued it',
    client: (authority) => authority.intermediate().client('alice'),
    settings: (authority) => crlFile(authority),
    expected: 'client-cert-crl-unavailable: unable to get certificate CRL',
  },
  {
    name: 'when the list is past its nextUpdate',
    client: alice,
    settings: (authority) => crlFile(authority, { thisUpdate: twoHoursAgo, nextUpdate: anHourAgo }),
    expected: 'client-cert-crl-expired: CRL has expired',
  },
  {
    name: 'when the list is not yet valid',
    client: alice,
    settings: (authority) => crlFile(authority, { thisUpdate: new Date(Date.now() + HOUR_MS) }),
    expected: 'client-cert-crl-unavailable: CRL is not yet valid',
  },
];

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  for (const { name, client, settings, expected } of cases) {
    await test(`${version}: ${name}`, async (t) => {
      const authority = testAuthority(t);
      const credentials = client(authority, t);
      const gate = await gateOf(t, authority, settings?.(authority, credentials));
      const peer = new TlsClient(t, gate, { ...presenting(credentials), maxVersion: version });
      const { certificate, version: negotiated } = await gate.session();
      t.equal(negotiated, version);
      if (certificate.state === 'unverified') {
        t.equal(`${certificate.code}: ${certificate.reason}`, expected);
        t.equal(certificate.facts?.serial, String(credentials.serial));
      } else {
        t.equal(certificate.state, expected);
        if (certificate.state === 'verified') t.equal(certificate.identity.names.cn, 'alice');
      }
      // Unverifiable or not, the client gets its session: the refusal comes in words.
      await peer.secured();
    });
  }
}
