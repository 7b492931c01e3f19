// What the session's owner gets: the socket with every byte of early data, half-open as the raw one was, and the
// columns of pg_stat_ssl.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'tap';
import { secretBits } from '../../src/tls/handshake/cipher-bits.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import {
  gateOf,
  listen,
  loadMaterial,
  presenting,
  startTlsGate,
  TlsClient,
  tlsSettings,
  type TlsGate,
} from '../support/certificates/tls.ts';
import { within } from '../support/run/waiting.ts';

/** Everything a stream has to say, read only now. */
async function drained(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = once(socket, 'end');
  socket.resume();
  await within(ended, 'the end of the data');
  return Buffer.concat(chunks).toString();
}

await test('what pg_stat_ssl shows', async (t) => {
  const authority = testAuthority(t);
  const gate = await gateOf(t, authority);
  const alice = authority.client('alice', { dn: [{ O: 'Acme' }, { CN: 'alice' }] });
  const client = new TlsClient(t, gate, {
    ...presenting(alice),
    ALPNProtocols: ['postgresql'],
    servername: 'localhost',
  });
  const session = await gate.session();
  t.match(session, {
    version: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    bits: 256,
    alpn: 'postgresql',
    certificate: {
      state: 'verified',
      identity: {
        names: { cn: 'alice', dn: 'CN=alice,O=Acme' },
        facts: { serial: String(alice.serial), issuerDn: 'CN=Test CA' },
      },
    },
  });
  t.match(session.hello(), { sni: 'localhost', alpn: ['postgresql'] });
  await client.secured();
  t.equal(client.socket.alpnProtocol, 'postgresql');
  const without = new TlsClient(t, gate);
  t.equal((await gate.session()).alpn, null);
  await without.secured();
});

await test('secret bits, as OpenSSL counts them', async (t) => {
  const table: Readonly<Record<string, number>> = {
    TLS_AES_256_GCM_SHA384: 256,
    TLS_AES_128_GCM_SHA256: 128,
    TLS_CHACHA20_POLY1305_SHA256: 256,
    TLS_AES_128_CCM_8_SHA256: 64,
    TLS_RSA_WITH_AES_256_CCM_8: 64,
    TLS_RSA_WITH_AES_256_CCM: 256,
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 128,
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384: 256,
    TLS_RSA_WITH_3DES_EDE_CBC_SHA: 112,
    TLS_RSA_WITH_CAMELLIA_128_CBC_SHA: 128,
    TLS_RSA_WITH_CAMELLIA_256_CBC_SHA: 256,
    TLS_RSA_WITH_ARIA_256_GCM_SHA384: 256,
    TLS_RSA_WITH_NULL_SHA256: 0,
  };
  for (const [name, bits] of Object.entries(table)) t.equal(secretBits(name), bits, name);
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  await test(`${version}: bytes and an end right after Finished wait for the owner`, async (t) => {
    const authority = testAuthority(t);
    const gate = await gateOf(t, authority);
    const client = new TlsClient(t, gate, { ...presenting(authority.client('alice')), maxVersion: version });
    // Written before the handshake: sent together with Finished.
    client.socket.end('StartupMessage');
    const { socket } = await gate.session();
    await client.secured();
    t.equal(socket.isPaused(), true);
    t.equal(await drained(socket), 'StartupMessage');
    // The client has closed its direction; the other is open.
    client.socket.resume();
    const answer = once(client.socket, 'data');
    t.ok(socket.writable);
    socket.end('ErrorResponse');
    t.equal(String((await within(answer, 'the answer'))[0]), 'ErrorResponse');
  });
}

await test('bytes that were read before and given back are part of the handshake', async (t) => {
  const authority = testAuthority(t);
  const read: number[] = [];
  const gate = await startTlsGate(t, await loadMaterial(tlsSettings(authority.server())), {
    before: async (raw) => {
      await within(once(raw, 'readable'), 'the first bytes');
      const first: unknown = raw.read(1);
      if (Buffer.isBuffer(first)) {
        read.push(...first);
        raw.unshift(first);
      }
    },
  });
  const client = new TlsClient(t, gate);
  await gate.session();
  await client.secured();
  t.strictSame(read, [0x16]);
});

await test('a handshake that comes byte by byte goes through', async (t) => {
  const authority = testAuthority(t);
  const gate = await gateOf(t, authority);
  const port = await dribblingProxy(t, gate);
  const client = new TlsClient(t, { port }, presenting(authority.client('alice')));
  const session = await gate.session();
  await client.secured();
  t.match(session.certificate, { state: 'verified' });
});

/** A port that passes what it gets on to the gate one byte at a time. */
async function dribblingProxy(t: Scope, gate: TlsGate): Promise<number> {
  const proxy = createServer((from) => {
    const to = connect({ port: gate.port, host: '127.0.0.1', noDelay: true });
    for (const socket of [from, to]) {
      socket.on('error', () => undefined);
      atEnd(t, () => socket.destroy());
    }
    to.pipe(from);
    void (async () => {
      for await (const chunk of from) {
        if (!Buffer.isBuffer(chunk)) continue;
        for (const byte of chunk) await new Promise((resolve) => to.write(Uint8Array.of(byte), resolve));
      }
    })().catch(() => undefined);
  });
  return listen(t, proxy);
}

await test('of many handshakes at once each session has its own client', async (t) => {
  const authority = testAuthority(t);
  const gate = await gateOf(t, authority);
  const names = Array.from({ length: 24 }, (_, index) => `client-${index}`);
  const clients = names.map((name, index) =>
    // Good and unverifiable ones among each other.
    new TlsClient(
      t,
      gate,
      presenting(authority.client(name, index % 3 === 0 ? { extendedKeyUsage: ['serverAuth'] } : {})),
    ).secured(),
  );
  await Promise.all(clients);
  const portsByName = new Map<string, number | undefined>();
  for (const [index, client] of (await Promise.all(clients)).entries()) {
    portsByName.set(`client-${index}`, client.socket.localPort);
  }
  for (const _ of names) {
    const { certificate, socket } = await gate.session();
    const facts = certificate.state === 'verified' ? certificate.identity.facts : null;
    const subject =
      facts?.subjectDn ?? (certificate.state === 'unverified' ? certificate.facts?.subjectDn : undefined);
    const name = subject?.replace('CN=', '') ?? '';
    t.equal(socket.remotePort, portsByName.get(name), name);
    t.equal(certificate.state, Number(name.replace('client-', '')) % 3 === 0 ? 'unverified' : 'verified');
    portsByName.delete(name);
  }
  t.equal(portsByName.size, 0);
});
