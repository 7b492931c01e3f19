// Clients whose certificates have expired since they were admitted, judged again by what a reload has brought. Only what
// is certain without a clock counts against them: a withdrawn CA, a list that names them.

import { test } from 'tap';
import { CertificateJudge } from '../../src/tls/judge/certificate-judge.ts';
import { chainOf } from '../../src/tls/judge/presented-chain.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { makeOddChain } from '../support/certificates/odd-chains.ts';
import { PLAIN, type Parts } from '../support/certificates/odd-parts.ts';
import { loadMaterial, tlsSettings } from '../support/certificates/tls.ts';
import { pem } from '../support/certificates/x509.ts';

const REVOKED = 'certificate revoked';
const UNTRUSTED = 'unable to get local issuer certificate';
const EXPIRED = null;

/** What is brought, and why the session ends; null = it is not judged, because its certificate has expired. */
const table: readonly (readonly [what: string, parts: Partial<Parts>, refused: string | null])[] = [
  ['nothing new', {}, EXPIRED],
  ['a list that names the client', { lists: 'leaf revoked' }, REVOKED],
  ['and gives a reason', { lists: 'leaf revoked with a reason' }, REVOKED],
  ['a list that names the intermediate', { lists: 'middle revoked' }, REVOKED],
  ['a CA file without the root', { root: 'not in the file' }, UNTRUSTED],
  ['a newer list that names the client', { lists: 'newer with the leaf' }, REVOKED],
  ['a newer list that names it no longer', { lists: 'newer without the leaf' }, EXPIRED],
  ['a list that has removed it', { lists: 'leaf removed from the list' }, EXPIRED],
  ['an outdated list that named it', { lists: 'outdated revoking beside current' }, EXPIRED],
  ['a list of the future', { lists: 'future beside current' }, EXPIRED],
  ['a list by another key', { lists: 'by another key, revoking, beside a good one' }, EXPIRED],
  ['a list with a scope', { lists: 'scope users' }, EXPIRED],
  ['a delta list beside its base', { lists: 'delta revoking beside its base' }, EXPIRED],
  ['a base that a delta corrects', { lists: 'delta removing beside its base' }, REVOKED],
  ['another root of the same name', { neighbour: 'a root of the same name before' }, EXPIRED],
  ['an expired root beside the same one', { neighbour: 'the expired root of the same key before' }, EXPIRED],
  ['an expired root', { root: 'expired' }, EXPIRED],
  ['an outdated list', { lists: 'outdated' }, EXPIRED],
  [
    'a list that names the intermediate, beside another one of its key',
    { lists: 'middle revoked', neighbour: 'a middle by another root' },
    EXPIRED,
  ],
];

await test('expired since', async (t) => {
  const authority = testAuthority(t);
  const server = authority.server();
  for (const [what, parts, refused] of table) {
    const odd = makeOddChain({ ...PLAIN, depth: 1, lists: 'good', ...parts });
    const material = await loadMaterial(
      tlsSettings(server, {
        ssl_ca_file: authority.write('odd-ca.crt', odd.file.map((der) => pem('CERTIFICATE', der)).join('')),
        ssl_crl_file: authority.write(
          'odd.crl',
          (odd.lists ?? []).map((der) => pem('X509 CRL', der)).join(''),
        ),
      }),
    );
    t.match(
      await new CertificateJudge(material).judgeAdmitted(chainOf(odd.expired)),
      refused === null
        ? { kind: 'not-judged', reason: 'certificate has expired' }
        : { kind: 'refused', error: { reason: refused } },
      what,
    );
  }
});

await test('the judge is of no use where it does not reach the CA file', async (t) => {
  const authority = testAuthority(t);
  const material = await loadMaterial(tlsSettings(authority.server(), { ssl_ca_file: authority.caFile }));
  const other = testAuthority(t, { cn: 'Another CA' });
  const elsewhere = await loadMaterial(tlsSettings(other.server(), { ssl_ca_file: other.caFile }));
  const chain = chainOf([authority.client('alice').der]);
  t.match(await new CertificateJudge(material).judge(chain), { kind: 'verified' });
  t.match(await new CertificateJudge(elsewhere).judge(chain), { kind: 'refused' });
  // As with a Node that takes its CAs from elsewhere.
  t.strictSame(await new CertificateJudge({ ...material, context: elsewhere.context }).judge(chain), {
    kind: 'not-judged',
    reason: 'the judging handshake does not reach ssl_ca_file',
  });
});

await test('a chain that breaks the handshake is not judged', async (t) => {
  const authority = testAuthority(t);
  const material = await loadMaterial(tlsSettings(authority.server(), { ssl_ca_file: authority.caFile }));
  const judge = new CertificateJudge(material);
  t.match(await judge.judge(chainOf([Buffer.from('no certificate')])), { kind: 'not-judged' });
  const { der } = authority.client('alice');
  const tooLong = chainOf([der, ...Array.from({ length: 1000 }, () => der)]);
  t.match(await judge.judge(tooLong), { kind: 'not-judged', reason: /excessive message size/ });
});

await test('every kind of server key', async (t) => {
  for (const keyType of ['ec', 'rsa', 'ed25519'] as const) {
    for (const minProtocolVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const authority = testAuthority(t, { keyType });
      const server = authority.server({ keyType });
      const material = await loadMaterial(
        tlsSettings(server, { ssl_ca_file: authority.caFile, ssl_min_protocol_version: minProtocolVersion }),
      );
      const verdict = await new CertificateJudge(material).judge(chainOf([authority.client('alice').der]));
      t.match(verdict, { kind: 'verified' }, `${keyType}, from ${minProtocolVersion}`);
    }
  }
});
