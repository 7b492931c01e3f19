// A resumed session would not show its client certificate again: nobody gets one, by session id or ticket, in TLS 1.2
// or 1.3 (semantics §2.3, N5). The same replay does resume on a server with Node's defaults, or it would prove nothing.

import { once } from 'node:events';
import { createServer, type ConnectionOptions } from 'node:tls';
import { test } from 'tap';
import { testAuthority, type TestAuthority } from '../support/certificates/certificates.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { gateOf, listen, presenting, TlsClient, type TlsGate } from '../support/certificates/tls.ts';
import { within } from '../support/run/waiting.ts';

interface Server {
  readonly port: number;
  /** Whether the next connection resumes, by the server's word. */
  readonly reused: () => Promise<boolean>;
}

/** The gate; every session says a word, after which a TLS 1.3 client has its tickets. */
async function gate(t: Scope, authority: TestAuthority): Promise<Server> {
  const listening: TlsGate = await gateOf(t, authority);
  return {
    port: listening.port,
    reused: async () => {
      const { socket } = await listening.session();
      socket.write('x');
      return socket.isSessionReused();
    },
  };
}

async function nodesOwn(t: Scope, authority: TestAuthority): Promise<Server> {
  const { cert, key } = authority.server();
  const server = createServer({ cert, key, ca: authority.cert, requestCert: true });
  const port = await listen(t, server);
  return {
    port,
    reused: () =>
      new Promise((resolve) =>
        server.once('secureConnection', (socket) => {
          atEnd(t, () => socket.destroy());
          socket.write('x');
          resolve(socket.isSessionReused());
        }),
      ),
  };
}

/** Connects, keeps every session it is given, then comes back with each: whether any was taken, by both sides' word. */
async function replayed(t: Scope, server: Server, options: ConnectionOptions): Promise<readonly boolean[]> {
  const sessions: Buffer[] = [];
  const first = new TlsClient(t, server, options);
  first.socket.on('session', (session: Buffer) => sessions.push(session));
  const [firstReused] = await Promise.all([server.reused(), first.secured()]);
  await within(once(first.socket, 'data'), 'the word after the tickets');
  const last = first.socket.getSession();
  if (last !== undefined) sessions.push(last);
  const verdicts = [firstReused];
  for (const session of sessions) {
    const reused = server.reused();
    const again = new TlsClient(t, server, { ...options, session });
    await again.secured();
    verdicts.push((await reused) || again.socket.isSessionReused());
  }
  return verdicts;
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  await test(`${version}: no replay of what the first connection was given is taken`, async (t) => {
    const authority = testAuthority(t);
    const options: ConnectionOptions = {
      ...presenting(authority.client('alice')),
      minVersion: version,
      maxVersion: version,
      servername: 'localhost',
      // A client that verifies its server, or Node would not offer the session.
      rejectUnauthorized: true,
      ca: authority.cert,
    };
    const control = await replayed(t, await nodesOwn(t, authority), options);
    t.ok(control.includes(true), 'a server with default options resumes');
    const verdicts = await replayed(t, await gate(t, authority), options);
    t.ok(verdicts.length >= 2, 'there was something to replay');
    t.notOk(verdicts.includes(true), 'the gate does not');
  });
}

await test('TLS 1.3: the tickets that Node cannot withhold say that they last a second', async (t) => {
  const authority = testAuthority(t);
  const listening = await gateOf(t, authority);
  const client = new TlsClient(t, listening);
  const ticket = new Promise<Buffer>((resolve) => client.socket.once('session', resolve));
  await listening.session();
  // SSL_SESSION in DER: [9] EXPLICIT INTEGER is the ticket's lifetime hint, in seconds.
  t.ok((await within(ticket, 'a ticket')).includes(Buffer.from('a903020101', 'hex')));
});
