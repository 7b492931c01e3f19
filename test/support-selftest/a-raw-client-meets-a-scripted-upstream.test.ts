// The raw client and the scripted upstream understand each other, and report every way in which a connection ends.

import { test } from 'tap';
import {
  ClosedEarlyError,
  connectRaw,
  decodeMessages,
  oneColumnResult,
  protocolVersion,
  query,
  startupMessage,
} from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts, type UpstreamConnection } from '../support/peers/scripted-upstream.ts';

await test('a login over TCP, sent byte by byte', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const client = await connectRaw(t, upstream.port);
  const startup = startupMessage(
    [
      ['user', 'alice'],
      ['user', 'bob'],
    ],
    protocolVersion(3, 2),
  );
  await client.sendByteByByte(startup);
  const login = await client.readLogin();
  t.equal(login.error, null);
  t.strictSame(login.key, { pid: 4242, key: Buffer.from('0badcafe', 'hex') });
  t.match(login.parameters, { server_version: '10.23' });
  t.strictSame(upstream.received, [startup]);
  client.halfClose();
  t.strictSame(await client.expectClosed(), { how: 'end' });
  await (
    await upstream.nextConnection()
  ).played;
});

await test('a query over a Unix socket, answered in a dribble', async (t) => {
  const upstream = await scriptedUpstream(
    t,
    async (connection) => {
      await connection.readStartup();
      await connection.acceptLogin();
      t.equal((await connection.readMessage()).type, 'Q');
      await connection.dribble(oneColumnResult('a', ['x', 'y']));
      connection.halfClose();
    },
    { unix: true },
  );
  const client = await connectRaw(t, { path: `${upstream.host}/.s.PGSQL.${upstream.port}` });
  await client.login({ user: 'alice' });
  await client.send(query('select a'));
  t.equal(
    decodeMessages(await client.readUntilClose())
      .map(({ type }) => type)
      .join(''),
    'TDDC',
  );
});

const endings: [string, (connection: UpstreamConnection) => unknown, RegExp][] = [
  ['closed', (connection) => connection.halfClose(), /wanted 1 bytes; the connection closed after 0 bytes/],
  ['reset', (connection) => connection.reset(), /wanted 1 bytes; the connection failed \(read ECONNRESET\)/],
];
for (const [name, end, told] of endings) {
  await test(`a read from a connection that is ${name}`, async (t) => {
    const upstream = await scriptedUpstream(t, async (connection) => {
      await connection.read(1);
      end(connection);
    });
    const client = await connectRaw(t, upstream.port);
    await client.send(Buffer.from('x'));
    await t.rejects(client.read(1), { constructor: ClosedEarlyError, message: told });
  });
}

await test('the upstream learns of a half-close and of a reset', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.stall);
  const polite = await connectRaw(t, upstream.port);
  const first = await upstream.nextConnection();
  polite.halfClose();
  t.strictSame(await first.closed, { how: 'end' });
  const rude = await connectRaw(t, upstream.port);
  const second = await upstream.nextConnection();
  rude.reset();
  t.match(await second.closed, { how: 'error', error: { code: 'ECONNRESET' } });
});

await test('bytes where none are wanted are shown', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.send(Buffer.from('E\0'));
    connection.halfClose();
  });
  const client = await connectRaw(t, upstream.port);
  await t.rejects(client.expectClosed(), {
    message: String.raw`expected the connection to close without a byte; got "E\x00"`,
  });
});
