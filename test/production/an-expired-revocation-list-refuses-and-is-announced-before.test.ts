// Past its nextUpdate a list lets nobody in, as with OpenSSL. That it comes to that is said before: by a metric that an
// alert can look at, and in the log.

import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startGate } from '../support/run/gate.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { openClient, openSession } from '../session/clients.ts';
import { answering, reloaded } from './clients.ts';

const DAY_MS = 86_400_000;
const days = (count: number): Date => new Date(Date.now() + count * DAY_MS);

await test('announced, then refused, then mended', async (t) => {
  const authority = testAuthority(t);
  const alice = { credentials: authority.client('alice'), parameters: { user: 'alice' } };
  const soon = days(2);
  const gate = await startGate(t, {
    hba: 'hostssl all all all cert\n',
    upstream: await scriptedUpstream(t, answering),
    authority,
    config: { ssl_crl_file: 'ca.crl', reload: { watch: 'off' } },
    files: { 'ca.crl': authority.crl({ thisUpdate: days(-28), nextUpdate: soon }) },
  });
  t.match(await gate.waitForLog({ msg: /^certificate revocation list of "\/CN=Test CA" expires on / }), {
    level: 'warn',
    file: gate.path('ca.crl'),
    msg: /, in 47 hours$/,
    hint: 'From then on every client with a certificate of this issuer is refused.',
  });
  const issuer = { issuer: '/CN=Test CA' };
  const nextUpdate = async () => (await gate.metrics()).value('crl_next_update_timestamp_seconds', issuer);
  t.equal(await nextUpdate(), Math.floor(soon.getTime() / 1000));
  await openSession(t, gate, alice);

  gate.rewrite('ca.crl', authority.crl({ thisUpdate: days(-28), nextUpdate: days(-1) }));
  t.match(await reloaded(gate), { ok: true }, 'it is a list, and it takes effect');
  await gate.waitForLog({ msg: /^certificate revocation list of "\/CN=Test CA" has expired on / });
  t.ok((await nextUpdate()) < Date.now() / 1000);
  const refused = await openClient(t, gate, alice);
  t.match((await refused.login(alice.parameters)).error, {
    C: '28000',
    M: 'client certificate verification failed: CRL has expired',
  });
  t.match(await gate.waitForLog({ code: 'client-cert-crl-expired' }), { level: 'error' });

  gate.rewrite('ca.crl', authority.crl());
  await reloaded(gate);
  await openSession(t, gate, alice);
});
