// Where OpenSSL cannot verify a client's certificate at all, an error of its own may stay in its queue, and the handshake
// ends by it when the client's messages come in several segments. The log says what it was about (contract §7.28).

import process from 'node:process';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { recordByRecordTo } from '../support/peers/dribble.ts';
import { startGate } from '../support/run/gate.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  await test(`${version}: a list whose issuer nobody has, and a client without its intermediate`, async (t) => {
    const authority = testAuthority(t, { keyType: 'rsa' });
    const intermediate = authority.intermediate('Lower CA', { keyType: 'rsa' });
    const client = intermediate.client('alice', { keyType: 'rsa' });
    const cert = client.cert.replace(intermediate.chain, '');
    // Without the identifier of the issuer's key OpenSSL tries the list with the client's own key.
    const lists = authority.crl() + intermediate.crl({ bare: true });
    const upstream = await scriptedUpstream(t, scripts.trust);
    const gate = await startGate(t, {
      hba: 'hostssl all all all trust\n',
      upstream,
      authority,
      config: { ssl_crl_file: authority.write('lists.crl', lists) },
    });
    const visitor = await connectRaw(t, await recordByRecordTo(t, gate.port));
    await visitor.openTls({ cert, key: client.key, maxVersion: version }).catch(() => null);
    // By TLS 1.3 a client believes in the handshake before the server has judged it.
    const answer = visitor.login({ user: 'alice' }).catch(() => null);
    const line = await gate.waitForLog(({ code }) => code !== undefined);
    t.match(line, {
      code: 'client-cert-untrusted',
      level: 'warn',
      msg: 'could not accept SSL connection: certificate verify failed',
      reason: 'unable to verify the first certificate',
      certificate: { subject: '/CN=alice', serial: String(client.serial) },
    });
    t.match(
      line.detail,
      /^Client certificate verification failed at depth 0: unable to get local issuer certificate\.\n/,
    );
    if (process.platform === 'linux') t.equal(await answer, null, 'the handshake itself has failed');
    t.strictSame(upstream.connections, []);
  });
}
