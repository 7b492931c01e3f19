// OpenSSL's rarer errors, for which Node has no name: the reason is OpenSSL's own text (contract §7.28).

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { createAuthority } from '../../src/pki/authority.ts';
import { wordsOf } from '../../src/tls/verify-errors.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import {
  loadMaterial,
  presenting,
  startTlsGate,
  TlsClient,
  tlsSettings,
} from '../support/certificates/tls.ts';

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  await test(`${maxVersion}: a critical extension that nobody knows`, async (t) => {
    const directory = temporaryDirectory(t);
    const write = (file: string, content: string): string => {
      writeFileSync(join(directory, file), content, { mode: 0o600 });
      return join(directory, file);
    };
    const authority = createAuthority({ subject: 'root' });
    const server = authority.issue({ subject: 'localhost', purposes: ['serverAuth'] });
    const settings = tlsSettings(
      { certFile: write('server.crt', server.certificate), keyFile: write('server.key', server.key) },
      { ssl_ca_file: write('ca.crt', authority.certificate) },
    );
    const gate = await startTlsGate(t, await loadMaterial(settings));
    const extensions = [{ oid: '1.2.3.4', critical: true, value: Buffer.from([5, 0]) }];
    const client = authority.issue({ subject: 'alice', purposes: ['clientAuth'], extensions });
    const options = { ...presenting({ cert: client.certificate, key: client.key }), maxVersion };
    const peer = new TlsClient(t, gate, options);
    t.match((await gate.session()).certificate, {
      state: 'unverified',
      code: 'client-cert-invalid',
      reason: 'unhandled critical extension',
      detail: /^Client certificate verification failed at depth 0: unhandled critical extension\.\n/,
    });
    await peer.secured();
  });
}

await test('what is said of a list has the code of lists', async (t) => {
  const table = {
    'Different CRL scope': 'client-cert-crl-unavailable',
    'unhandled critical CRL extension': 'client-cert-crl-unavailable',
    'key usage does not include CRL signing': 'client-cert-crl-unavailable',
    'permitted subtree violation': 'client-cert-invalid',
    'EE certificate key too weak': 'client-cert-invalid',
  };
  for (const [text, code] of Object.entries(table)) {
    t.strictSame(wordsOf({ name: 'UNSPECIFIED', text }), { code, reason: text });
  }
});
