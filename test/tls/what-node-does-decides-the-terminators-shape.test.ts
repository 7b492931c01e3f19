// Facts of Node that the acceptor is built around: when one of them changes, it can be simpler, or must be other.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createSecureContext, createServer as createTlsServer, TLSSocket } from 'node:tls';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { atEnd } from '../support/run/scope.ts';
import { capturedClientHello, gateOf, listen, presenting, TlsClient } from '../support/certificates/tls.ts';
import { within } from '../support/run/waiting.ts';

await test("a TLSSocket without a tls.Server lets a foreign CA's client in", async (t) => {
  const authority = testAuthority(t);
  const { cert, key } = authority.server();
  const server = createServer();
  const port = await listen(t, server);
  const accepted = once(server, 'connection');
  const foreign = testAuthority(t, { cn: 'Foreign CA' }).client('postgres');
  const client = new TlsClient(t, { port }, presenting(foreign));
  const [raw] = await accepted;
  const socket = new TLSSocket(raw, {
    isServer: true,
    requestCert: true,
    rejectUnauthorized: true,
    secureContext: createSecureContext({ cert, key, ca: authority.cert }),
  });
  atEnd(t, () => socket.destroy());
  await within(once(socket, 'secure'), 'the handshake');
  await client.secured();
  client.socket.write('data');
  t.equal(String((await within(once(socket, 'data'), 'the data'))[0]), 'data', 'unverified, and served');
  t.equal(socket.authorized, false);
  t.equal(socket.authorizationError, null, 'and nothing says why');
});

await test('without a certificate authorizationError names an error all the same', async (t) => {
  const authority = testAuthority(t);
  const { cert, key } = authority.server();
  const server = createTlsServer({
    cert,
    key,
    ca: authority.cert,
    requestCert: true,
    rejectUnauthorized: false,
  });
  const port = await listen(t, server);
  const secure = once(server, 'secureConnection');
  const client = new TlsClient(t, { port });
  const [socket] = await secure;
  atEnd(t, () => socket.destroy());
  t.equal(socket.getPeerX509Certificate(), undefined);
  t.equal(socket.authorizationError, 'UNABLE_TO_GET_ISSUER_CERT');
  await client.secured();
});

await test('a half-open connection that ends in its handshake is reported by nothing', async (t) => {
  const { cert, key } = testAuthority(t).server();
  const reported: string[] = [];
  const tls = createTlsServer({ cert, key });
  tls.on('tlsClientError', () => reported.push('tlsClientError'));
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (raw) => {
    atEnd(t, () => raw.destroy());
    for (const event of ['end', 'close', 'error']) raw.on(event, () => reported.push(event));
    tls.emit('connection', raw);
  });
  const port = await listen(t, server);
  const hello = await capturedClientHello(t);
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  atEnd(t, () => client.destroy());
  client.write(hello);
  await within(once(client, 'data'), 'the ServerHello');
  client.end();
  await once(client, 'finish');
  // Another connection, served from beginning to end, is proof that the server has had the time.
  await new TlsClient(t, await gateOf(t, testAuthority(t))).secured();
  await new TlsClient(t, { port }).secured();
  t.strictSame(reported, []);
});
