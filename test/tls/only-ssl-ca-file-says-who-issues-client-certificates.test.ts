// Node comes with public CAs and takes more from its environment: none of them may vouch for a client.

import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import {
  gateOf,
  loadMaterial,
  presenting,
  startTlsGate,
  TlsClient,
  tlsSettings,
} from '../support/certificates/tls.ts';

await test('a CA that Node trusts by default is foreign to the gate', async (t) => {
  const trustedByNode = testAuthority(t, { cn: 'Trusted by Node' });
  const before = getCACertificates('default');
  t.teardown(() => setDefaultCACertificates(before));
  setDefaultCACertificates([...before, trustedByNode.cert]);

  const gate = await gateOf(t, testAuthority(t));
  const client = new TlsClient(t, gate, presenting(trustedByNode.client('alice')));
  // The client, in this process too, finds that root among its default ones and sends it along.
  t.match((await gate.session()).certificate, { state: 'unverified', code: 'client-cert-self-signed' });
  await client.secured();
});

await test('the loaded context holds the CAs of ssl_ca_file, and none when it is not set', async (t) => {
  const authority = testAuthority(t);
  const other = testAuthority(t, { cn: 'Second CA' });
  const caFile = authority.write('two.crt', `# the old one\n${authority.cert}\n# the new one\n${other.cert}`);
  const server = authority.server();
  const both = await loadMaterial(tlsSettings(server, { ssl_ca_file: caFile }));
  t.equal(both.requestsClientCertificate, true);
  t.strictSame(
    both.certificates.filter(({ role }) => role === 'ca').map(({ subjectDn, file }) => [subjectDn, file]),
    [
      ['CN=Test CA', caFile],
      ['CN=Second CA', caFile],
    ],
  );
  const none = await loadMaterial(tlsSettings(server));
  t.strictSame(none.options.ca, []);
  t.equal(none.requestsClientCertificate, false);

  const gate = await startTlsGate(t, both);
  for (const issuer of [authority, other]) {
    const client = new TlsClient(t, gate, presenting(issuer.client('alice')));
    t.match((await gate.session()).certificate, { state: 'verified' });
    await client.secured();
  }
});
