// PostgreSQL with an empty ssl_crl_dir refuses every client certificate; Node with an empty `crl` would check none.

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import t from 'tap';
import { createAuthority } from '../../src/pki/authority.ts';
import { loadLists } from '../support/certificates/tls.ts';

const authority = createAuthority({ subject: 'root' });
const server = authority.issue({
  subject: 'localhost',
  altNames: [{ type: 'dns', value: 'localhost' }],
  purposes: ['serverAuth'],
});
const client = authority.issue({ subject: 'alice', purposes: ['clientAuth'] });

/** The server's verdict on the client's certificate, null when it is good. */
async function verdict(crl: readonly string[]): Promise<unknown> {
  const listener = createServer({
    cert: server.certificate,
    key: server.key,
    ca: authority.certificate,
    crl: [...crl],
    requestCert: true,
    rejectUnauthorized: false,
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  const socket = connect({
    port: address.port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: authority.certificate,
    cert: client.certificate,
    key: client.key,
  });
  try {
    const [accepted]: TLSSocket[] = await once(listener, 'secureConnection');
    // The client leaves with tickets unread, which may reach the server as a reset.
    accepted?.on('error', () => undefined);
    return accepted?.authorized === true ? null : accepted?.authorizationError;
  } finally {
    socket.destroy();
    listener.close();
  }
}

void t.test('with its list a certificate is good', async (test) => {
  test.equal(await verdict([authority.crl()]), null);
});

void t.test('with an empty directory it is not', async (test) => {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-crl-'));
  test.teardown(() => rmSync(directory, { recursive: true }));
  const { crls, pems } = await loadLists({ ssl_crl_dir: directory });
  test.strictSame(crls, []);
  test.equal(await verdict(pems), 'UNABLE_TO_GET_CRL');
});
