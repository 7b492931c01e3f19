// An expired server certificate does not keep the gate from starting (PostgreSQL starts with one too), and is an error
// in the log and in /readyz until it is replaced; so are the CA's, in /readyz, when none of them is valid.

import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startGate } from '../support/run/gate.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

await test('an expired server certificate', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const authority = testAuthority(t);
  const server = authority.server({ expired: true });
  const gate = await startGate(t, { hba: 'host all all all trust\n', upstream, authority, server });
  const line = gate.log.find(({ msg }) => msg.includes('has expired on'));
  t.match(line, { level: 'error', file: gate.path('server.crt') });
  const before = await gate.admin('/readyz');
  t.equal(before.status, 503);
  t.match(before.body, 'the server certificate has expired');

  const { cert, key } = authority.server();
  gate.rewrite('server.key', key);
  gate.rewrite('server.crt', cert);
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
  t.equal((await gate.admin('/readyz')).status, 200);
});

await test('an expired CA certificate, alone and beside one that is valid', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const expired = testAuthority(t, { ca: { expired: true } });
  const valid = testAuthority(t);
  const gate = await startGate(t, { hba: 'host all all all trust\n', upstream, authority: valid });
  t.equal((await gate.admin('/readyz')).status, 200);
  gate.rewrite('ca.crt', expired.cert);
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
  const alone = await gate.admin('/readyz');
  t.equal(alone.status, 503);
  t.match(alone.body, 'the CA certificate has expired');
  gate.rewrite('ca.crt', expired.cert + valid.cert);
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
  t.equal((await gate.admin('/readyz')).status, 200, 'the old one keeps nobody out');
});
