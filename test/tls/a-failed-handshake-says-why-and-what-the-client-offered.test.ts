// Every code of a handshake that fails, PostgreSQL's log text, and what the client's first bytes tell (semantics
// §2.10, contract §4).

import type { TlsSettings } from '../../src/tls/settings.ts';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { capturedClientHello, gateOf, TlsClient, type TlsGate } from '../support/certificates/tls.ts';
import { within } from '../support/run/waiting.ts';

interface Expected {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | null;
  readonly fields?: object;
}

interface TlsCase {
  readonly name: string;
  readonly settings?: Partial<TlsSettings>;
  readonly client: ConnectionOptions;
  readonly expected: Expected;
  /** What OpenSSL on the client's side makes of the alert it is sent. */
  readonly clientSees?: RegExp;
}

const tlsCases: readonly TlsCase[] = [
  {
    name: 'the client is too old',
    client: {
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'ALL:@SECLEVEL=0',
      servername: 'db.test',
    },
    expected: {
      code: 'tls-version-mismatch',
      message: 'could not accept SSL connection: unsupported protocol',
      hint: 'This may indicate that the client does not support any SSL protocol version between TLSv1.2 and TLSv1.3.',
      fields: { sni: 'db.test', alpn: [], versions: ['TLSv1.1'] },
    },
    clientSees: /alert protocol version/,
  },
  {
    name: 'the client is too new',
    settings: { ssl_max_protocol_version: 'TLSv1.2' },
    client: { minVersion: 'TLSv1.3' },
    expected: {
      code: 'tls-version-mismatch',
      message: 'could not accept SSL connection: unsupported protocol',
      hint: 'This may indicate that the client does not support any SSL protocol version between TLSv1.2 and TLSv1.2.',
      fields: { sni: null, versions: ['TLSv1.3'] },
    },
    clientSees: /alert protocol version/,
  },
  {
    name: 'no cipher in common',
    settings: { ssl_ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' },
    client: { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
    expected: {
      code: 'tls-no-shared-cipher',
      message: 'could not accept SSL connection: no shared cipher',
      hint: null,
      fields: { versions: ['TLSv1.2'] },
    },
    clientSees: /alert handshake failure/,
  },
  {
    name: 'no group in common',
    client: { minVersion: 'TLSv1.3', ecdhCurve: 'secp384r1:secp521r1' },
    expected: {
      code: 'tls-no-shared-group',
      message: 'could not accept SSL connection: no suitable key share',
      fields: { groups: ['secp384r1', 'secp521r1'] },
    },
    clientSees: /alert handshake failure/,
  },
  {
    name: 'ALPN without postgresql',
    client: { ALPNProtocols: ['h2', 'PostgreSQL'] },
    expected: {
      code: 'tls-alpn-mismatch',
      message: 'could not accept SSL connection: no application protocol',
      fields: { alpn: ['h2', 'PostgreSQL'] },
    },
    clientSees: /alert no application protocol/,
  },
];

for (const { name, settings, client, expected, clientSees } of tlsCases) {
  await test(name, async (t) => {
    const gate = await gateOf(t, testAuthority(t), settings);
    const peer = new TlsClient(t, gate, client);
    const failure = await gate.failure();
    t.match(failure, expected);
    t.equal(failure.reply, null, 'nothing to tell the client');
    t.match((await peer.closed())?.message, clientSees, 'the client gets the alert');
  });
}

interface RawCase {
  readonly name: string;
  readonly bytes: string | Buffer;
  readonly expected: Expected;
  /** The client closes after its bytes: the gate would wait for more. */
  readonly thenEnd?: boolean;
}

const NOT_TLS_HINT = /between TLSv1\.2 and TLSv1\.3/;

const rawCases: readonly RawCase[] = [
  {
    name: 'nothing at all',
    bytes: '',
    thenEnd: true,
    expected: { code: 'tls-eof', message: 'could not accept SSL connection: EOF detected' },
  },
  {
    name: 'the beginning of a record',
    bytes: hex('160301 0200 01'),
    thenEnd: true,
    expected: { code: 'tls-eof', message: 'could not accept SSL connection: EOF detected' },
  },
  {
    name: 'HTTP',
    bytes: 'GET / HTTP/1.1\r\nHost: db.test\r\n\r\n',
    expected: { code: 'tls-not-tls', message: 'could not accept SSL connection: http request', hint: null },
  },
  {
    name: 'a StartupMessage',
    bytes: hex('00000013 00030000 7573657200 616c69636500 00'),
    expected: {
      code: 'tls-not-tls',
      message: 'could not accept SSL connection: wrong version number',
    },
  },
  {
    name: 'a handshake record of version 9',
    bytes: hex('160901 0005 0100000100'),
    expected: { code: 'tls-not-tls', message: 'could not accept SSL connection: wrong version number' },
  },
  {
    name: 'an SSLv2 ClientHello',
    bytes: hex('802e 01 0002 0015 0000 0010 0100 8002 0080 0300 8004 0080 0500 8006 0040 0700 c0', 48),
    expected: { code: 'tls-version-mismatch', message: 'could not accept SSL connection: unknown protocol' },
  },
  {
    name: 'a record that is too long',
    bytes: hex('160301 ffff 01000000'),
    expected: {
      code: 'tls-handshake-failed',
      message: 'could not accept SSL connection: data length too long',
    },
  },
  {
    name: 'an alert instead of a ClientHello',
    bytes: hex('150301 0002 0230'),
    expected: {
      code: 'tls-handshake-failed',
      message: 'could not accept SSL connection: unexpected message',
    },
  },
  {
    name: 'a handshake message that is no ClientHello',
    bytes: hex('160301 0005 ff00000100'),
    expected: {
      code: 'tls-handshake-failed',
      message: 'could not accept SSL connection: unexpected message',
    },
  },
  {
    name: 'a ClientHello of nothing but zeros',
    bytes: hex('160301 0030 0100002c', 53),
    expected: { code: 'tls-handshake-failed', message: 'could not accept SSL connection: length mismatch' },
  },
];

for (const { name, bytes, expected, thenEnd = false } of rawCases) {
  await test(name, async (t) => {
    const gate = await gateOf(t, testAuthority(t));
    const closed = sendRaw(t, gate, bytes, thenEnd);
    const failure = await gate.failure();
    t.match(failure, expected);
    if (expected.message.endsWith('wrong version number')) t.match(failure.hint, NOT_TLS_HINT);
    if (expected.fields === undefined) t.same(failure.fields, {}, 'no ClientHello, no offers');
    await within(closed, 'the gate to close the connection');
  });
}

await test('the client does not trust the server, and says so', async (t) => {
  const gate = await gateOf(t, testAuthority(t));
  // An alert of its own choice: TLS 1.2, which needs no keys for it, after a real ClientHello.
  const hello = await capturedClientHello(t, { maxVersion: 'TLSv1.2', servername: 'db.test' });
  const socket = connect(gate.port, '127.0.0.1');
  atEnd(t, () => socket.destroy());
  socket.on('error', () => undefined);
  socket.write(hello);
  await within(once(socket, 'data'), 'the ServerHello');
  socket.write(hex('150303 0002 0230'));
  t.match(await gate.failure(), {
    code: 'tls-client-alert',
    message: /^could not accept SSL connection: .* alert unknown ca$/,
    fields: { sni: 'db.test', versions: ['TLSv1.2'] },
  });
});

await test('the client leaves in the middle: by FIN, by reset, by close_notify', async (t) => {
  const gate = await gateOf(t, testAuthority(t));
  const hello = await capturedClientHello(t, { servername: 'db.test' });
  for (const leave of ['end', 'resetAndDestroy', 'close_notify'] as const) {
    const socket = connect(gate.port, '127.0.0.1');
    atEnd(t, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.write(hello);
    await within(once(socket, 'data'), 'the ServerHello');
    if (leave === 'close_notify') socket.write(hex('150303 0002 0100'));
    else socket[leave]();
    const failure = await gate.failure();
    t.match(failure, { code: 'tls-eof', fields: { sni: 'db.test', alpn: [] } }, leave);
    if (leave === 'end') t.equal(failure.message, 'could not accept SSL connection: EOF detected');
  }
});

await test('a ClientHello and FIN in one segment is an end, not a wait', async (t) => {
  const gate = await gateOf(t, testAuthority(t));
  const hello = await capturedClientHello(t, { servername: 'db.test' });
  const closed = sendRaw(t, gate, hello, true);
  t.match(await gate.failure(), { code: 'tls-eof', fields: { sni: 'db.test' } });
  await within(closed, 'the gate to close the connection');
});

/** Resolves when the gate has closed the connection. */
function sendRaw(
  t: Scope,
  gate: Pick<TlsGate, 'port'>,
  bytes: string | Buffer,
  thenEnd: boolean,
): Promise<unknown> {
  const socket = connect({ port: gate.port, host: '127.0.0.1', allowHalfOpen: true });
  atEnd(t, () => socket.destroy());
  const closed = new Promise((resolve) => socket.once('end', resolve).once('error', resolve));
  socket.resume();
  if (bytes.length > 0) socket.write(bytes);
  if (thenEnd) socket.end();
  return closed;
}

/** Hex digits with blanks as bytes, filled with zeros to `length`. */
function hex(digits: string, length = 0): Buffer {
  const bytes = Buffer.from(digits.replaceAll(' ', ''), 'hex');
  return Buffer.concat([bytes, Buffer.alloc(Math.max(0, length - bytes.length))]);
}
