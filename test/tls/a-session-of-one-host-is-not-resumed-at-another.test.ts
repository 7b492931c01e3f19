// A session that was resumed under another host would bring a certificate along that this host's CA has never verified
// (CVE-2025-23419 is such a hole). No host takes what another has given, by session id or ticket, and each looks at the
// certificate anew.

import { once } from 'node:events';
import { test } from 'tap';
import { TlsHosts } from '../../src/tls/hosts.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import {
  loadMaterial,
  presenting,
  startTlsGate,
  TlsClient,
  tlsSettings,
} from '../support/certificates/tls.ts';
import { within } from '../support/run/waiting.ts';

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  await test(version, async (t) => {
    const [one, other] = [testAuthority(t, { cn: 'One CA' }), testAuthority(t, { cn: 'Other CA' })];
    // The same server certificate for both: the client has no reason not to offer the session.
    const server = one.server();
    const all = [];
    for (const [name, authority] of [
      ['one.example', one],
      ['other.example', other],
    ] as const) {
      const material = await loadMaterial(tlsSettings(server, { ssl_ca_file: authority.caFile }));
      all.push({
        names: { kind: 'names', names: [name] } as const,
        label: name,
        certFile: server.certFile,
        caFile: authority.caFile,
        material,
      });
    }
    const gate = await startTlsGate(t, new TlsHosts(true, all));
    const options = {
      ...presenting(one.client('alice')),
      minVersion: version,
      maxVersion: version,
    };
    const first = new TlsClient(t, gate, { ...options, servername: 'one.example' });
    const given: Buffer[] = [];
    first.socket.on('session', (session: Buffer) => given.push(session));
    const session = await gate.session();
    t.equal(session.certificate.state, 'verified', 'by its own CA');
    await first.secured();
    session.socket.write('x');
    await within(once(first.socket, 'data'), 'the word behind the tickets');
    const last = first.socket.getSession();
    if (last !== undefined) given.push(last);
    t.ok(given.length > 0, 'there is something to offer');
    for (const offered of given) {
      const again = new TlsClient(t, gate, { ...options, servername: 'other.example', session: offered });
      const { socket, certificate } = await gate.session();
      await again.secured();
      t.equal(socket.isSessionReused(), false);
      t.equal(again.socket.isSessionReused(), false);
      t.equal(certificate.state, 'unverified', "not by the other host's");
    }
  });
}
