// The bytes of a ClientHello: from real clients, split everywhere, damaged everywhere, and at random.

import * as fc from 'fast-check';
import { test } from 'tap';
import { ClientHelloCollector, decodeClientHello } from '../../src/tls/handshake/client-hello.ts';
import { capturedClientHello } from '../support/certificates/tls.ts';

await test('the offers of real clients', async (t) => {
  const modern = await capturedClientHello(t, {
    servername: 'db.example',
    ALPNProtocols: ['postgresql', 'h2'],
    ecdhCurve: 'X25519:prime256v1:X25519MLKEM768',
    ciphers: 'TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES256-GCM-SHA384',
    minVersion: 'TLSv1.2',
  });
  t.strictSame(decodeClientHello(modern), {
    sni: 'db.example',
    alpn: ['postgresql', 'h2'],
    versions: ['TLSv1.3', 'TLSv1.2'],
    groups: ['X25519', 'prime256v1', 'X25519MLKEM768'],
  });
  const old = await capturedClientHello(t, {
    maxVersion: 'TLSv1.2',
    ciphers: 'AES128-SHA',
    ecdhCurve: 'secp521r1',
  });
  t.match(decodeClientHello(old), {
    sni: null,
    alpn: [],
    versions: ['TLSv1.2'],
    groups: [],
  });
});

await test('what has no name is shown as its number, GREASE not at all, strange bytes escaped', async (t) => {
  const hello = record(
    clientHello({
      ciphers: [0x0a0a, 0x1301, 0x7f1c],
      extensions: [
        [43, vector(1, words([0xdada, 0x0304, 0x7f1c]))],
        [10, vector(2, words([0x1a1a, 0x001d, 0xfe01]))],
        [0, vector(2, Buffer.concat([Buffer.from([0]), vector(2, Buffer.from('a\n\xff"', 'latin1'))]))],
        [16, vector(2, Buffer.concat([vector(1, Buffer.from('\x1b[31m')), vector(1, Buffer.from('b'))]))],
        [0xabab, Buffer.alloc(3)],
      ],
    }),
  );
  t.strictSame(decodeClientHello(hello), {
    sni: String.raw`a\x0a\xff"`,
    alpn: [String.raw`\x1b[31m`, 'b'],
    versions: ['TLSv1.3', '0x7f1c'],
    groups: ['X25519', '0xfe01'],
  });
});

await test('without extensions there is no block of them', async (t) => {
  const hello = record(clientHello({ version: 0x0301, ciphers: [0x002f], extensions: null }));
  t.strictSame(decodeClientHello(hello), {
    sni: null,
    alpn: [],
    versions: ['TLSv1'],
    groups: [],
  });
});

await test('split into records of any size, and pushed in pieces of any size, it is the same', async (t) => {
  const hello = await capturedClientHello(t, { servername: 'db.example' });
  const message = hello.subarray(5);
  const facts = decodeClientHello(hello);
  t.equal(facts?.sni, 'db.example');
  for (const size of [1, 2, 3, 5, 100]) {
    const records: Buffer[] = [];
    for (let at = 0; at < message.length; at += size) records.push(record(message.subarray(at, at + size)));
    const split = Buffer.concat(records);
    t.strictSame(decodeClientHello(split), facts, `records of ${size}`);

    const collector = new ClientHelloCollector();
    const states: string[] = [];
    for (const byte of split) states.push(collector.push(Uint8Array.of(byte)));
    t.strictSame([...new Set(states)], ['partial', 'whole'], `bytes of records of ${size}`);
    t.equal(states.indexOf('whole'), split.length - 1, 'whole with its last byte');
    t.same(Buffer.from(collector.received), split);
  }
});

await test('cut or lengthened anywhere it is none, or says no more than it holds', async (t) => {
  const hello = await capturedClientHello(t, { servername: 'db.example', ALPNProtocols: ['postgresql'] });
  for (let length = 0; length < hello.length; length += 1) {
    if (decodeClientHello(hello.subarray(0, length)) !== null) t.fail(`whole at ${length} bytes`);
  }
  const message = hello.subarray(9);
  for (let length = 0; length < message.length; length += 1) {
    const header = Buffer.from([1, 0, length >> 8, length & 0xff]);
    const cut = record(Buffer.concat([header, message.subarray(0, length)]));
    if (decodeClientHello(cut)?.alpn.includes('postgresql') === true) t.fail(`read past ${length} bytes`);
  }
  t.pass('nothing was read past an end');
});

await test('first bytes that are no ClientHello are known for it at once', async (t) => {
  const table: readonly (readonly [string, string, string])[] = [
    ['nothing', '', 'partial'],
    ['half a header', '160301', 'partial'],
    ['HTTP', '474554', 'other'],
    ['another version', '1602', 'other'],
    ['an alert', '15', 'other'],
    ['an empty record', '1603010000', 'other'],
    ['a record of 16385 bytes', '1603014001', 'other'],
    ['another message', '160301000102', 'other'],
    ['one byte of it', '160301000101', 'partial'],
    ['another record in its middle', '16030100010115', 'other'],
    ['an empty one', '160301000401000000', 'whole'],
  ];
  for (const [name, digits, state] of table) {
    t.equal(new ClientHelloCollector().push(Buffer.from(digits, 'hex')), state, name);
  }
  t.equal(decodeClientHello(Buffer.from('160301000401000000', 'hex')), null);
});

await test('a hello of megabytes is not waited for', async (t) => {
  const collector = new ClientHelloCollector();
  const piece = record(Buffer.concat([Buffer.from([1, 0xff, 0xff, 0xff]), Buffer.alloc(1000)]));
  const more = record(Buffer.alloc(1004));
  let state = collector.push(piece);
  for (; state === 'partial' && collector.received.length < 1e6;) state = collector.push(more);
  t.equal(state, 'other');
  t.ok(collector.received.length < 70_000, 'nor kept');
});

await test('no bytes make it throw', async (t) => {
  const real = await capturedClientHello(t, { servername: 'db.example', ALPNProtocols: ['postgresql'] });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), decodes));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (body) => {
      const header = Buffer.from([1, 0, body.length >> 8, body.length & 0xff]);
      decodes(record(Buffer.concat([header, body])));
    }),
  );
  // The real one, with a few bytes changed after the headers.
  const changes = fc.array(fc.tuple(fc.nat(real.length - 10), fc.nat(255)), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(changes, (edits) => {
      const damaged = Buffer.from(real);
      for (const [at, value] of edits) damaged[at + 9] = value;
      decodes(damaged);
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

function decodes(bytes: Uint8Array): void {
  const facts = decodeClientHello(bytes);
  if (facts === null) return;
  const lists = [facts.alpn, facts.versions, facts.groups];
  if (lists.some((list) => list.length > 128)) throw new Error('unbounded');
}

interface Hello {
  readonly version?: number;
  readonly ciphers: readonly number[];
  readonly extensions: readonly (readonly [type: number, body: Buffer])[] | null;
}

function clientHello({ version = 0x0303, ciphers, extensions }: Hello): Buffer {
  const body = Buffer.concat([
    words([version]),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(0)),
    vector(2, words(ciphers)),
    vector(1, Buffer.from([0])),
    ...(extensions === null
      ? []
      : [vector(2, Buffer.concat(extensions.flatMap(([type, data]) => [words([type]), vector(2, data)])))]),
  ]);
  return Buffer.concat([Buffer.from([1, 0]), vector(2, body)]);
}

function record(fragment: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0x16, 3, 1]), vector(2, fragment)]);
}

function vector(lengthBytes: 1 | 2, data: Uint8Array): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(data.length, 0, lengthBytes);
  return Buffer.concat([length, data]);
}

function words(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, index) => bytes.writeUInt16BE(value, index * 2));
  return bytes;
}
