// The server may ask for a second ClientHello, and OpenSSL takes the host's name from it without a look at the first. The
// gate has chosen by the first: whatever the client believes, no handshake counts in which the two differ.

import { test } from 'tap';
import { TlsHosts, type TlsHost } from '../../src/tls/hosts.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { loadMaterial, startTlsGate, tlsSettings } from '../support/certificates/tls.ts';
import { shakeHandsTwice } from '../support/peers/two-faced-client.ts';

await test('two ClientHellos', async (t) => {
  const authority = testAuthority(t);
  const all: TlsHost[] = [];
  for (const name of ['one.example', 'two.example']) {
    const server = authority.server();
    const material = await loadMaterial(tlsSettings(server));
    all.push({
      names: { kind: 'names', names: [name] },
      label: name,
      certFile: server.certFile,
      caFile: '',
      material,
    });
  }
  const gate = await startTlsGate(t, new TlsHosts(true, all));
  await shakeHandsTwice(t, gate.port, ['one.example', 'one.example']);
  t.strictSame(
    (await gate.session()).serverName,
    { kind: 'named', name: 'one.example' },
    'one name is one host',
  );
  const client = await shakeHandsTwice(t, gate.port, ['one.example', 'two.example']);
  const { code, message, detail } = await gate.failure();
  t.strictSame(
    { code, message, detail },
    {
      code: 'tls-handshake-failed',
      message: 'could not accept SSL connection: callback failed',
      detail: "the client's messages name different hosts",
    },
  );
  await client.readUntilClose();
});
