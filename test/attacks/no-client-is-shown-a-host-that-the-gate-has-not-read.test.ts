// A client for whom pg_hosts.conf has no line gets PostgreSQL's alert, byte for byte, and then the end of the stream
// (sni.md §2.3). One whose ClientHello the gate cannot read never gets the default host in its place, whatever OpenSSL
// would make of the same bytes.

import { X509Certificate } from 'node:crypto';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { clientHello, record, recordType, splitIntoRecords } from '../support/peers/tls-bytes.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { visit } from '../support/peers/visitor.ts';
import { startGate, type Gate, type LogLine } from '../support/run/gate.ts';
import { runToEnd } from '../support/run/program.ts';
import type { Scope } from '../support/run/scope.ts';
import { needs, toolPath } from '../support/run/tools.ts';
import { answering, reloaded } from '../production/clients.ts';

const alert = (code: number): string => `150303000202${code.toString(16)}`;
const [UNRECOGNIZED_NAME, HANDSHAKE_FAILURE, DECODE_ERROR] = [alert(112), alert(40), alert(50)];

async function setUp(t: Scope) {
  const authority = testAuthority(t);
  const [named, standard] = [authority.server(), authority.server()];
  const gate = await startGate(t, {
    authority,
    hba: 'hostssl all all all trust\n',
    upstream: await scriptedUpstream(t, answering),
    config: { ssl_sni: 'on', ssl_ca_file: null, reload: { watch: 'off' } },
    files: { 'pg_hosts.conf': `a.example ${named.certFile} ${named.keyFile}\n` },
  });
  return { gate, standard };
}

/** Everything that the gate answers to these bytes, after the S where TLS is asked for first. */
async function answerTo(t: Scope, gate: Gate, bytes: Buffer, { direct = false } = {}): Promise<Buffer> {
  const client = await visit(t, gate);
  if (!direct) await client.requestTls();
  await client.send(bytes);
  const answer = await client.readUntilClose();
  // So that no line of this client comes when the next one's is waited for.
  await client.ending();
  client.destroy();
  return answer;
}

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);

/** The same ClientHello with another server_name extension, or none. */
function withServerName(hello: Buffer, body: Buffer | null, extra: readonly Buffer[] = []): Buffer {
  const message = hello.subarray(9);
  let at = 2 + 32;
  at += 1 + message.readUInt8(at);
  at += 2 + message.readUInt16BE(at);
  at += 1 + message.readUInt8(at);
  const kept: Buffer[] = [];
  for (let place = at + 2; place < message.length;) {
    const end = place + 4 + message.readUInt16BE(place + 2);
    if (message.readUInt16BE(place) !== 0) kept.push(message.subarray(place, end));
    place = end;
  }
  const named = body === null ? [] : [Buffer.concat([u16(0), u16(body.length), body])];
  const extensions = Buffer.concat([...named, ...extra, ...kept]);
  const whole = Buffer.concat([message.subarray(0, at), u16(extensions.length), extensions]);
  return Buffer.concat([
    Buffer.from([1, whole.length >> 16, (whole.length >> 8) & 0xff, whole.length & 0xff]),
    whole,
  ]);
}

const handshake = (part: Buffer): Buffer => record(recordType.handshake, part);

const isItsOwn = ({ code }: LogLine): boolean => code?.startsWith('tls-') === true && code !== 'tls-eof';

const serverName = (name: string): Buffer =>
  Buffer.concat([u16(name.length + 3), Buffer.from([0]), u16(name.length), Buffer.from(name)]);

const inRecord = (message: Buffer): Buffer =>
  splitIntoRecords(Buffer.concat([Buffer.alloc(5), message]), 16_000);

await test('the alerts are those of PostgreSQL 19', async (t) => {
  const { gate } = await setUp(t);
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = { maxVersion, ALPNProtocols: ['postgresql'] };
    const [unknown, none] = [
      await clientHello({ ...options, servername: 'b.example' }),
      await clientHello(options),
    ];
    for (const direct of [false, true]) {
      const how = `${maxVersion}${direct ? ', direct' : ''}`;
      const answers = [
        await answerTo(t, gate, unknown, { direct }),
        await answerTo(t, gate, none, { direct }),
      ];
      t.strictSame(
        answers.map((answer) => answer.toString('hex')),
        [UNRECOGNIZED_NAME, HANDSHAKE_FAILURE],
        how,
      );
    }
    const malformed: Readonly<Record<string, Buffer>> = {
      'nothing in it': Buffer.alloc(0),
      'an empty list': u16(0),
      'a list longer than the extension': Buffer.concat([u16(20), serverName('a.example').subarray(2)]),
      'a byte after the list': Buffer.concat([serverName('a.example'), Buffer.from([0])]),
      'another type of name': Buffer.concat([u16(12), Buffer.from([1]), serverName('a.example').subarray(3)]),
      'no name': Buffer.from([0, 3, 0, 0, 0]),
      'a name longer than the list': Buffer.from([0, 5, 0, 0, 9, 97, 98]),
    };
    for (const [name, body] of Object.entries(malformed)) {
      const answer = await answerTo(t, gate, inRecord(withServerName(unknown, body)));
      t.equal(answer.toString('hex'), DECODE_ERROR, `${maxVersion}: ${name}`);
    }
    t.equal(
      (await answerTo(t, gate, inRecord(withServerName(unknown, serverName('a.example.'))))).toString('hex'),
      UNRECOGNIZED_NAME,
      'a dot at the end is a part of the name',
    );
  }
  const lines = gate.log.filter(({ code }) => code?.startsWith('tls-'));
  t.strictSame(
    [...new Set(lines.map(({ msg }) => msg))],
    ['could not accept SSL connection: callback failed'],
    'in the words of PostgreSQL',
  );
  t.same(new Set(lines.map(({ code }) => code)), new Set(['tls-handshake-failed', 'tls-unrecognized-name']));
});

await test('what the gate cannot read', async (t) => {
  const { gate, standard } = await setUp(t);
  const line = `* ${standard.certFile} ${standard.keyFile}\n/no_sni/ ${standard.certFile} ${standard.keyFile}\n`;
  gate.rewrite('pg_hosts.conf', line);
  t.match(await reloaded(gate), { ok: true });
  const shown = new X509Certificate(standard.cert).raw;
  // In TLS 1.2 the certificate is shown in clear.
  const hello = await clientHello({ servername: 'a.example', maxVersion: 'TLSv1.2' });
  const isShown = async (bytes: Buffer): Promise<boolean> => {
    const client = await connectRaw(t, gate.port);
    await client.requestTls();
    await client.send(bytes);
    const answer = await client.read(200);
    client.destroy();
    return answer[0] === recordType.handshake && answer.includes(shown.subarray(0, 60));
  };
  t.ok(await isShown(hello), 'the default host is there for a client that can be read');
  const padded = (length: number): Buffer =>
    inRecord(
      withServerName(hello, serverName('a.example'), [
        Buffer.concat([u16(21), u16(length), Buffer.alloc(length)]),
      ]),
    );
  t.ok(await isShown(padded(40_000)), 'a long ClientHello is read to its end');
  t.equal(
    (await answerTo(t, gate, padded(65_300))).toString('hex'),
    DECODE_ERROR,
    'one above 64 KiB is refused',
  );
  const thin = splitIntoRecords(padded(20_000).subarray(0, 16_005), 1);
  t.equal(
    (await answerTo(t, gate, thin)).toString('hex'),
    DECODE_ERROR,
    'as is one of 64 KiB with its records',
  );

  const message = hello.subarray(5);
  const twice = Buffer.concat([u16(0), u16(14), serverName('b.example')]);
  const odd: Readonly<Record<string, Buffer>> = {
    'two names': inRecord(withServerName(hello, serverName('a.example'), [twice])),
    'an empty record first': Buffer.concat([handshake(Buffer.alloc(0)), hello]),
    'an empty record in the middle': Buffer.concat([
      handshake(message.subarray(0, 50)),
      handshake(Buffer.alloc(0)),
      handshake(message.subarray(50)),
    ]),
    'a warning first': Buffer.concat([record(recordType.alert, Buffer.from([1, 90])), hello]),
    'a warning in the middle': Buffer.concat([
      handshake(message.subarray(0, 50)),
      record(recordType.alert, Buffer.from([1, 90])),
      handshake(message.subarray(50)),
    ]),
    'a change of ciphers first': Buffer.concat([
      record(recordType.changeCipherSpec, Buffer.from([1])),
      hello,
    ]),
    'a ClientHello of SSLv2': sslv2Hello(),
    'an extension longer than the message': inRecord(brokenEnd(message)),
    'no TLS': Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  };
  for (const [name, bytes] of Object.entries(odd)) {
    const from = gate.logLength();
    const answer = await answerTo(t, gate, bytes);
    t.ok(answer.length <= 14, `${name}: no more than an alert`);
    t.notOk(answer.includes(shown.subarray(0, 60)), `${name}: no certificate`);
    // Other clients of this test have left in the middle of their handshakes.
    const { code } = await gate.waitForLog(isItsOwn, { from });
    if (name === 'no TLS') t.equal(code, 'tls-not-tls');
  }
});

/** Version 3.3 in the form of SSL 2: three ciphers, no session, a challenge of 16 bytes. */
function sslv2Hello(): Buffer {
  const ciphers = [0xc02b, 0xc02f, 0x00ff].flatMap((cipher) => [0, cipher >> 8, cipher & 0xff]);
  const body = Buffer.from([
    1,
    3,
    3,
    0,
    ciphers.length,
    0,
    0,
    0,
    16,
    ...ciphers,
    ...Array.from({ length: 16 }, () => 7),
  ]);
  return Buffer.concat([Buffer.from([0x80, body.length]), body]);
}

/** Its last extension claims a byte more than there is. */
function brokenEnd(message: Buffer): Buffer {
  const whole = withServerName(record(recordType.handshake, message), serverName('a.example'), []);
  const cut = whole.subarray(0, whole.length - 1);
  cut.writeUIntBE(cut.length - 4, 1, 3);
  return cut;
}

await test('openssl s_client names the alerts', needs('openssl'), async (t) => {
  const { gate } = await setUp(t);
  const alertOf = async (...args: string[]): Promise<string | undefined> => {
    const command = ['s_client', '-connect', `127.0.0.1:${gate.port}`, '-starttls', 'postgres', ...args];
    const { stderr } = await runToEnd(toolPath('openssl'), command, { input: '' });
    return /SSL alert number (\d+)/.exec(stderr)?.[1];
  };
  t.equal(await alertOf('-servername', 'b.example'), '112');
  t.equal(await alertOf('-noservername'), '40');
  t.equal(await alertOf('-noservername', '-tls1_2'), '40');
  t.equal(await alertOf('-servername', 'A.EXAMPLE'), undefined, 'none where a line has the name');
});
