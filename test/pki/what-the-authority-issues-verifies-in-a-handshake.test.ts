// Each key type, through an intermediate, in a real TLS handshake with revocation lists; and what must not verify.

import { once } from 'node:events';
import { connect, createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import t from 'tap';
import { createAuthority, inDays, loadAuthority } from '../../src/pki/authority.ts';
import type { Authority, CertificateRequest, Issued } from '../../src/pki/authority.ts';
import { verifiedIdentity } from '../../src/x509/identity.ts';

const root = createAuthority({ subject: 'root' });
const lower = root.intermediate({ subject: 'lower', keyType: 'rsa' });
const server = root.issue({
  subject: 'localhost',
  altNames: [
    { type: 'dns', value: 'localhost' },
    { type: 'ip', value: '127.0.0.1' },
    { type: 'ip', value: '::1' },
  ],
  purposes: ['serverAuth'],
});

interface Case {
  readonly client: Issued;
  readonly chain?: readonly Authority[];
  readonly crl?: readonly string[];
}

/** What a server that trusts the root says of the client's certificate: null when it is good. */
async function verdict({ client, chain = [], crl }: Case): Promise<unknown> {
  const listener = createServer({
    cert: server.certificate,
    key: server.key,
    ca: root.certificate,
    ...(crl === undefined ? {} : { crl: [...crl] }),
    requestCert: true,
    rejectUnauthorized: false,
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  const socket = connect({
    port: address.port,
    // The client verifies the server's certificate by its address.
    host: '127.0.0.1',
    ca: root.certificate,
    cert: [client, ...chain].map(({ certificate }) => certificate).join(''),
    key: client.key,
  });
  try {
    const [accepted]: TLSSocket[] = await once(listener, 'secureConnection');
    return accepted?.authorized === true ? null : accepted?.authorizationError;
  } finally {
    socket.destroy();
    listener.close();
  }
}

const forAlice = (request: Partial<CertificateRequest> = {}): CertificateRequest => ({
  subject: 'alice',
  purposes: ['clientAuth'],
  ...request,
});
const alice = root.issue(forAlice());
const revoked = [{ serial: alice.serial, date: new Date() }];
const empty = root.crl();

const table: readonly (readonly [why: string, expected: string | null, Case])[] = [
  ['EC key', null, { client: alice }],
  ['RSA key', null, { client: root.issue(forAlice({ keyType: 'rsa' })) }],
  ['Ed25519 key', null, { client: root.issue(forAlice({ keyType: 'ed25519' })) }],
  ['through an intermediate', null, { client: lower.issue(forAlice()), chain: [lower] }],
  ['its intermediate missing', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', { client: lower.issue(forAlice()) }],
  ['no extended key usage', null, { client: root.issue(forAlice({ purposes: [] })) }],
  ['for servers only', 'INVALID_PURPOSE', { client: root.issue(forAlice({ purposes: ['serverAuth'] })) }],
  [
    'expired',
    'CERT_HAS_EXPIRED',
    { client: root.issue(forAlice({ notBefore: inDays(-2), notAfter: inDays(-1) })) },
  ],
  ['from tomorrow', 'CERT_NOT_YET_VALID', { client: root.issue(forAlice({ notBefore: inDays(1) })) }],
  ['after 2050', null, { client: root.issue(forAlice({ notAfter: new Date('2060-01-01T00:00:00Z') })) }],
  ['with an empty revocation list', null, { client: alice, crl: [empty] }],
  ['revoked', 'CERT_REVOKED', { client: alice, crl: [root.crl({ revoked })] }],
  ['another one revoked', null, { client: root.issue(forAlice()), crl: [root.crl({ revoked })] }],
  [
    'list past its next update',
    'CRL_HAS_EXPIRED',
    { client: alice, crl: [root.crl({ lastUpdate: inDays(-2), nextUpdate: inDays(-1) })] },
  ],
  ['list without next update', null, { client: alice, crl: [root.crl({ nextUpdate: null })] }],
  [
    'only the list of the root',
    'UNABLE_TO_GET_CRL',
    { client: lower.issue(forAlice()), chain: [lower], crl: [empty] },
  ],
  ['both lists', null, { client: lower.issue(forAlice()), chain: [lower], crl: [empty, lower.crl()] }],
];

for (const [why, expected, parts] of table) {
  void t.test(why, async (test) => {
    test.equal(await verdict(parts), expected);
  });
}

void t.test('an authority that was written and read again is the same', async (test) => {
  const again = loadAuthority(lower.certificate, lower.key);
  test.equal(await verdict({ client: again.issue(forAlice()), chain: [lower] }), null);
  test.throws(() => loadAuthority(root.certificate, lower.key), /does not belong/);
});

void t.test('serial and names come out as they were asked for', (test) => {
  const { der } = root.issue({
    subject: [
      { type: 'O', value: 'Org' },
      { type: '1.2.3.4', value: 'x' },
      { type: 'CN', value: 'a,b' },
    ],
    purposes: ['clientAuth'],
    serial: 42n,
  });
  const { facts } = verifiedIdentity(der);
  test.equal(facts.serial, '42');
  test.equal(facts.subjectDn, 'CN=a\\,b,1.2.3.4=#0C0178,O=Org');
  test.throws(() => root.issue(forAlice({ subject: [{ type: 'nonsense', value: '' }] })), RangeError);
  test.throws(() => root.issue(forAlice({ altNames: [{ type: 'ip', value: 'localhost' }] })), RangeError);
  test.end();
});
