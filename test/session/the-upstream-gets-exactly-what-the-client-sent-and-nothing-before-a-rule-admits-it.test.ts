// The upstream's first bytes, compared byte for byte: protocol 3.0, the client's parameters folded, the database filled
// in, no `_pq_.` options. And not one connection for a client that no rule has admitted.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import {
  cstring,
  decodeNegotiateProtocolVersion,
  gssencRequest,
  int32,
  packet,
  protocolVersion,
  query,
  startupMessage,
  type Parameters,
} from '../support/peers/messages.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { letIn, openClient, openSession, TRUST } from './clients.ts';

const LONG = 'x'.repeat(9_000);

/** What the client sends, with which protocol version, and what the upstream then gets. */
const cases: [string, Parameters, number, Parameters][] = [
  ['no database', { user: 'alice' }, protocolVersion(3, 0), { user: 'alice', database: 'alice' }],
  [
    'an empty database',
    { user: 'alice', database: '' },
    protocolVersion(3, 0),
    { user: 'alice', database: 'alice' },
  ],
  [
    'all as it came, in its order',
    { database: 'd', user: 'alice', options: '-c x=1', application_name: 'ä', client_encoding: 'UTF8' },
    protocolVersion(3, 0),
    { database: 'd', user: 'alice', options: '-c x=1', application_name: 'ä', client_encoding: 'UTF8' },
  ],
  [
    'repeated names: the last value, at the first place',
    [
      ['user', 'mallory'],
      ['database', 'a'],
      ['user', 'alice'],
      ['database', 'b'],
    ],
    protocolVersion(3, 0),
    { user: 'alice', database: 'b' },
  ],
  [
    'protocol 3.2 and options that are not understood',
    { user: 'alice', '_pq_.one': '1', database: 'd', '_pq_.two': '2' },
    protocolVersion(3, 2),
    { user: 'alice', database: 'd' },
  ],
  [
    'a minor version from the future',
    { user: 'alice', database: 'd' },
    protocolVersion(3, 9999),
    { user: 'alice', database: 'd' },
  ],
  [
    'a long value',
    { user: 'alice', database: 'd', options: LONG },
    protocolVersion(3, 0),
    { user: 'alice', database: 'd', options: LONG },
  ],
  [
    'bytes that are no UTF-8',
    [['user', Buffer.from('alice\xff', 'latin1')]],
    protocolVersion(3, 0),
    [
      ['user', Buffer.from('alice\xff', 'latin1')],
      ['database', Buffer.from('alice\xff', 'latin1')],
    ],
  ],
  [
    'a replication connection',
    { user: 'alice', replication: 'database', database: 'd' },
    protocolVersion(3, 0),
    { user: 'alice', replication: 'database', database: 'd' },
  ],
];

await test('the startup packet', async (t) => {
  const upstream = await scriptedUpstream(t, letIn);
  const gate = await startGate(t, { hba: `${TRUST}host replication all 127.0.0.1/32 trust\n`, upstream });
  for (const [name, sent, version, expected] of cases) {
    for (const tls of [true, false]) {
      const client = await openClient(t, gate, { tls });
      const { messages, error } = await client.login(sent, version);
      t.equal(error, null, name);
      const connection = await upstream.nextConnection();
      t.strictSame(connection.received, startupMessage(expected), `${name}, ${tls ? 'with' : 'without'} TLS`);
      const negotiated = messages.filter(({ type }) => type === 'v').map(decodeNegotiateProtocolVersion);
      const options = Object.keys(sent).filter((key) => key.startsWith('_pq_.'));
      const newest = Math.min(version, protocolVersion(3, 2));
      const isAnswered = version > newest || options.length > 0;
      t.strictSame(negotiated, isAnswered ? [{ newest, options }] : [], `${name}: answered`);
    }
  }
});

await test('what comes right after the startup packet follows it, and nothing else', async (t) => {
  const upstream = await scriptedUpstream(t, letIn);
  const gate = await startGate(t, { hba: TRUST, upstream });
  const { client } = await openSession(t, gate);
  const early = await openClient(t, gate);
  await early.send(startupMessage({ user: 'bob', database: 'd' }), query('select 1'));
  await early.readLogin();
  const [, connection] = upstream.connections;
  const expected = Buffer.concat([startupMessage({ user: 'bob', database: 'd' }), query('select 1')]);
  while (connection!.received.length < expected.length) await connection!.read(1);
  t.strictSame(connection!.received, expected);
  t.notOk(client.isClosed);
});

await test('nothing at all before a rule has admitted the client', async (t) => {
  const upstream = await scriptedUpstream(t, letIn);
  const hba = ['host all refused all reject', 'hostssl all cert all cert', TRUST].join('\n');
  const gate = await startGate(t, { hba, upstream, config: { admin: { listen: '' } } });
  const silent = await connectRaw(t, gate.port);
  await silent.send(gssencRequest());
  await silent.read(1);
  for (const [name, sent] of [
    ['a line that rejects', startupMessage({ user: 'refused' })],
    ['no certificate where one is demanded', startupMessage({ user: 'cert' })],
    ['no user', startupMessage({ database: 'd' })],
    ['protocol 4', startupMessage({ user: 'alice' }, protocolVersion(4, 0))],
    [
      'no terminator',
      packet(Buffer.concat([int32(protocolVersion(3, 0)), cstring('user'), cstring('alice')])),
    ],
  ] as const) {
    const client = await openClient(t, gate);
    await client.send(sent);
    t.equal((await client.readMessage()).type, 'E', name);
    client.halfClose();
  }
  const http = await connectRaw(t, gate.port);
  await http.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  await http.expectClosed();
  // One that is admitted shows that whatever went there before it would have arrived.
  await openSession(t, gate, { parameters: { user: 'alice' } });
  t.strictSame(upstream.received, [startupMessage({ user: 'alice', database: 'alice' })]);
});
