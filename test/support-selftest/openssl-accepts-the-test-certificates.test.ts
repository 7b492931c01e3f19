// What the tests' own certificate writer makes is what OpenSSL reads: good ones verify, bad ones fail for the very
// reason they were made for, and odd names arrive byte for byte.

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import * as tls from 'node:tls';
import { test } from 'tap';
import {
  bmpString,
  testAuthority,
  type Credentials,
  type IssueOptions,
} from '../support/certificates/certificates.ts';
import { portOf } from '../support/run/free-port.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';

interface Verdict {
  readonly error: string | null;
  readonly raw: Buffer;
}

/** Presents the client's certificate to a TLS server and gives that server's verdict. */
async function present(
  t: Scope,
  server: Credentials,
  ca: string,
  client: Credentials,
  crl?: string[],
): Promise<Verdict> {
  const options = { cert: server.cert, key: server.key, ca, requestCert: true, rejectUnauthorized: false };
  const listener = tls.createServer({ ...options, ...(crl === undefined ? {} : { crl }) });
  const verdict = new Promise<Verdict>((resolve, reject) => {
    listener.on('secureConnection', (socket) => {
      socket.on('error', () => undefined);
      const error = socket.authorized ? null : String(socket.authorizationError);
      const raw = socket.getPeerX509Certificate()?.raw;
      if (raw === undefined) reject(new Error('no certificate came'));
      else resolve({ error, raw });
    });
    listener.on('tlsClientError', reject);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  atEnd(t, () => listener.close());
  const connection = await connectRaw(t, portOf(listener));
  await connection.startTls({ cert: client.cert, key: client.key, ca, servername: 'localhost' });
  return verdict;
}

const cases: [name: string, options: IssueOptions, error: string | null][] = [
  ['a good one', {}, null],
  ['one with an RSA key', { keyType: 'rsa' }, null],
  ['one with an Ed25519 key', { keyType: 'ed25519' }, null],
  ['an expired one', { expired: true }, 'CERT_HAS_EXPIRED'],
  ['one that is not yet valid', { notYetValid: true }, 'CERT_NOT_YET_VALID'],
  ['one for servers only', { extendedKeyUsage: ['serverAuth'] }, 'INVALID_PURPOSE'],
  ['a self-signed one', { selfSigned: true }, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
];
for (const [name, options, error] of cases) {
  await test(name, async (t) => {
    const authority = testAuthority(t);
    const verdict = await present(t, authority.server(), authority.cert, authority.client('alice', options));
    t.equal(verdict.error, error);
  });
}

await test('one of a foreign CA', async (t) => {
  const authority = testAuthority(t);
  const client = testAuthority(t, { cn: 'Foreign CA' }).client('alice');
  const verdict = await present(t, authority.server(), authority.cert, client);
  t.equal(verdict.error, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
});

await test('one under an intermediate, and revoked there', async (t) => {
  const authority = testAuthority(t);
  const intermediate = authority.intermediate();
  const client = intermediate.client('alice');
  const server = authority.server();
  t.equal((await present(t, server, authority.cert, client)).error, null);
  const lists = [authority.crl(), intermediate.crl({ revoked: [client] })];
  t.equal((await present(t, server, authority.cert, client, lists)).error, 'CERT_REVOKED');
  const other = intermediate.client('bob');
  t.equal((await present(t, server, authority.cert, other, lists)).error, null);
});

await test('names arrive as they were given', async (t) => {
  const authority = testAuthority(t);
  const client = authority.client('', {
    dn: [{ C: 'DE' }, { O: 'Acme', OU: 'x' }, { CN: 'alice\0bob' }, { CN: bmpString('ü') }],
    san: { uri: ['spiffe://prod/a'], email: ['a@example.com'], dns: ['a.example.com'], ip: ['10.0.0.1'] },
    serial: 0x80n,
  });
  const { raw } = await present(t, authority.server(), authority.cert, client);
  t.ok(raw.equals(client.der));
  t.ok(raw.includes(Buffer.from('alice\0bob')));
  t.ok(raw.includes(Buffer.from([0x1e, 2, 0, 0xfc])));
  const read = new X509Certificate(raw);
  t.equal(read.serialNumber, '80');
  t.equal(
    read.subjectAltName,
    'email:a@example.com, DNS:a.example.com, URI:spiffe://prod/a, IP Address:10.0.0.1',
  );
});
