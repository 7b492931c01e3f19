// The length word is judged before anything after it is read: what is no PostgreSQL packet is closed at once and in
// silence, on every way in (semantics §1.2, §1.11, §1.12).

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import {
  cancelRequest,
  int32,
  packet,
  PROTOCOL_3_0,
  query,
  startupMessage,
  terminate,
} from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { assertOneEndingEach, visit, type Visitor } from '../support/peers/visitor.ts';

const ways: Readonly<Record<string, (client: Visitor) => Promise<unknown>>> = {
  clear: async () => undefined,
  TLS: (client) => client.openTls(),
  'direct TLS': (client) => client.startTls({ ALPNProtocols: ['postgresql'] }),
};

/** A StartupMessage of `length` bytes in all. */
function startupOfLength(length: number): Buffer {
  const short = startupMessage({ user: 'alice', application_name: '' });
  return startupMessage({ user: 'alice', application_name: 'x'.repeat(length - short.length) });
}

const impossible: Readonly<Record<string, Buffer>> = {
  ...Object.fromEntries(
    [0, 1, 3, 4, 7, 10_005, 0x7fffffff, 0x80000000, 0x80000008, 0xffffffff].map((length) => [
      `length ${length}`,
      int32(length),
    ]),
  ),
  'length 4 with a body': Buffer.concat([int32(4), int32(PROTOCOL_3_0)]),
  'a StartupMessage of 10005 bytes': startupOfLength(10_005),
  HTTP: Buffer.from('GET / HTTP/1.1\r\nHost: db\r\n\r\n'),
  SSH: Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'),
  'a Query': query('select 1'),
  'a Terminate': terminate(),
};

const cancels: readonly [name: string, bytes: Buffer, code: string, msg: string][] = [
  [
    'no pid',
    cancelRequest(0, Buffer.alloc(0))
      .fill(packet(Buffer.alloc(4)).subarray(0, 4), 0, 4)
      .subarray(0, 8),
    'invalid-cancel-request',
    'invalid length of cancel request packet',
  ],
  [
    'no key',
    cancelRequest(1, Buffer.alloc(0)),
    'invalid-cancel-request',
    'invalid length of cancel key in cancel request packet',
  ],
  ['a key of 1 byte', cancelRequest(1, Buffer.alloc(1)), 'cancel-request', 'cancel request'],
  ['a key of 256 bytes', cancelRequest(1, Buffer.alloc(256)), 'cancel-request', 'cancel request'],
  [
    'a key of 257 bytes',
    cancelRequest(1, Buffer.alloc(257)),
    'invalid-cancel-request',
    'invalid length of cancel key in cancel request packet',
  ],
];

for (const [way, enter] of Object.entries(ways)) {
  await test(way, async (t) => {
    const upstream = await scriptedUpstream(t, scripts.trust);
    const gate = await startGate(t, {
      hba: 'host all all all trust',
      upstream,
      config: { log_level: 'debug' },
    });
    for (const [name, bytes] of Object.entries(impossible)) {
      const client = await visit(t, gate);
      await enter(client);
      await client.send(bytes);
      const before = way === 'TLS' ? 'S' : '';
      await client.closed;
      t.equal(client.received.subarray(before.length).toString('latin1'), '', `${name}: not a byte`);
      t.match(await client.ending(), {
        code: 'invalid-startup-packet-length',
        level: 'info',
        msg: 'invalid length of startup packet',
        host: '127.0.0.1',
      });
    }
    for (const [name, bytes, code, msg] of cancels) {
      const client = await visit(t, gate);
      await enter(client);
      await client.send(bytes);
      await client.expectClosed();
      t.match(await client.ending(), { code, msg }, name);
    }
    t.strictSame(upstream.received, [], 'nothing reached the upstream');

    const longest = await visit(t, gate);
    await enter(longest);
    await longest.send(startupOfLength(10_004));
    t.equal((await longest.readLogin()).error, null, '10004 bytes are accepted');

    const shortest = await visit(t, gate);
    await enter(shortest);
    await shortest.send(packet(int32(PROTOCOL_3_0)));
    t.match((await shortest.readLogin()).error, {
      C: '08P01',
      M: 'invalid startup packet layout: expected terminator as last byte',
    });
    await assertOneEndingEach(t, gate);
  });
}
