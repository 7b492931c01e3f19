// Without a certificate Node reports one of OpenSSL's verification errors, as if there were a bad one (semantics §2.7).

import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { gateOf, presenting, TlsClient } from '../support/certificates/tls.ts';

await test('with ssl_ca_file a client that sends no certificate is absent, not unverified', async (t) => {
  const gate = await gateOf(t, testAuthority(t));
  const client = new TlsClient(t, gate);
  const session = await gate.session();
  t.same(session.certificate, { state: 'absent' });
  await client.secured();
});

await test('without ssl_ca_file no certificate is asked for, and one at hand is not sent', async (t) => {
  const authority = testAuthority(t);
  const gate = await gateOf(t, authority, { ssl_ca_file: '' });
  const client = new TlsClient(t, gate, presenting(authority.client('alice')));
  t.same((await gate.session()).certificate, { state: 'absent' });
  await client.secured();
});
