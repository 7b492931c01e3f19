// What a bare Node program of the gate's kind does, and nothing else: it answers SSLRequest, ends TLS, verifies the
// client's certificate, checks a password by SCRAM-SHA-256 where it is given a secret, and joins the two sockets by
// `pipe`. It reads no rule, has no limit and no deadline, logs nothing and counts nothing. What it costs is what Node
// costs. It is for the bench alone: it trusts every client to speak as libpq does.

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';

/** The program's one argument, as JSON. */
export interface BareNodeOptions {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly upstreamPort: number;
  readonly protocol: 'TLSv1.3';
  readonly suite: string;
  readonly group: string;
  readonly keepAliveSeconds: number;
  /** As PostgreSQL stores it; null = no password is asked for. */
  readonly secret: string | null;
}

/** Longer TLS records can hang libpq. */
const LONGEST_RECORD = 8192;

const options: BareNodeOptions = JSON.parse(process.argv.at(-1) ?? '');
const terms = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: options.keepAliveSeconds * 1000,
};
const tlsServer = createTlsServer({
  cert: readFileSync(options.cert),
  key: readFileSync(options.key),
  ca: readFileSync(options.ca),
  requestCert: true,
  minVersion: options.protocol,
  ciphers: options.suite,
  ecdhCurve: options.group,
});
tlsServer.on('tlsClientError', () => {});
tlsServer.on('secureConnection', (client) => {
  client.on('error', () => {});
  client.setMaxSendFragment(LONGEST_RECORD);
  if (options.secret === null) join(client);
  else askForPassword(client, options.secret);
});

const server = createServer(terms, (socket) => {
  socket.on('error', () => {});
  // SSLRequest. The handshake takes the socket over from here.
  socket.once('data', () => {
    socket.pause();
    socket.write('S');
    tlsServer.emit('connection', socket);
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') process.stdout.write(`${address?.port}\n`);
});

/** @param login what the client is told once the upstream has let it in, before the upstream's own messages */
function join(client: TLSSocket, startup: Buffer | null = null, login: Buffer | null = null): void {
  const upstream = connect({ host: '127.0.0.1', port: options.upstreamPort, ...terms });
  upstream.on('error', () => {});
  client.on('close', () => upstream.destroy());
  upstream.on('close', () => client.destroy());
  if (startup !== null) upstream.write(startup);
  if (login !== null) client.write(login);
  client.pipe(upstream);
  upstream.pipe(client);
}

/** SCRAM-SHA-256 as auth-scram.c has it, for a client that makes no mistake. A wrong proof ends the connection. */
function askForPassword(client: TLSSocket, secret: string): void {
  const [, iterations, salt, stored = '', serverKey = ''] =
    /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)$/.exec(secret) ?? [];
  const storedKey = Buffer.from(stored, 'base64');
  const nonce = randomBytes(18).toString('base64');
  client.once('data', (startup: Buffer) => {
    client.write(authentication(10, 'SCRAM-SHA-256\0\0'));
    client.once('data', (first: Buffer) => {
      const bare = first.toString('latin1').replace(/^[^]*?[ny],,/, '');
      const serverFirst = `r=${/r=([^,]+)/.exec(bare)?.[1]}${nonce},s=${salt},i=${iterations}`;
      client.write(authentication(11, serverFirst));
      client.once('data', (final: Buffer) => {
        client.pause();
        const [, withoutProof, proof = ''] = /^.{5}(.*),p=(.*)$/s.exec(final.toString('latin1')) ?? [];
        const message = `${bare},${serverFirst},${withoutProof}`;
        const signature = hmac(storedKey, message);
        const clientKey = Buffer.from(proof, 'base64').map((byte, at) => byte ^ (signature[at] ?? 0));
        if (!timingSafeEqual(createHash('sha256').update(clientKey).digest(), storedKey)) {
          client.destroy();
          return;
        }
        const answer = hmac(Buffer.from(serverKey, 'base64'), message).toString('base64');
        join(client, startup, authentication(12, `v=${answer}`));
      });
    });
  });
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'latin1').digest();
}

/** An Authentication message with this code. */
function authentication(code: number, text: string): Buffer {
  const message = Buffer.alloc(9 + text.length);
  message.write('R');
  message.writeUInt32BE(8 + text.length, 1);
  message.writeUInt32BE(code, 5);
  message.write(text, 9, 'latin1');
  return message;
}
