// The upstream says its last words and closes. The client gets every byte, however slowly it reads and whatever it still
// sends, and then a close_notify, which tells the end from a connection that somebody has cut.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { portOf } from '../support/run/free-port.ts';
import { connectRaw, query } from '../support/peers/raw-client.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { scriptedUpstream, type UpstreamConnection } from '../support/peers/scripted-upstream.ts';
import { letIn, openSession, takeOver, TRUST, until } from './clients.ts';
import { createKeystream, keystreamDigest, Seen } from './keystream.ts';

/** Less than the kernel holds between the gate and a client that does not read, and more than that client's own part. */
const LAST_WORDS = 600_011;
/** A TLS 1.2 record of type alert; its content is encrypted. */
const ALERT = 0x15;

async function sayLastWords(connection: UpstreamConnection): Promise<void> {
  await letIn(connection);
  await connection.read(1);
  await new Promise<void>((resolve) => connection.socket.end(createKeystream(7)(LAST_WORDS), resolve));
}

for (const tls of [true, false]) {
  await test(`a client that reads late and talks on, ${tls ? 'inside' : 'without'} TLS`, async (t) => {
    const upstream = await scriptedUpstream(t, async (connection) => {
      await sayLastWords(connection);
      // Closed for good: whatever comes now is answered by a reset.
      connection.destroy();
    });
    const gate = await startGate(t, { hba: TRUST, upstream });
    const { client } = await openSession(t, gate, { tls });
    const socket = takeOver(client);
    socket.write('!');
    await until('the gate has read the last words', async () => {
      const [session] = await gate.sessions();
      return Number(session?.['bytes_out']) > LAST_WORDS;
    });
    // The second write meets the reset that the first has brought about, and so on.
    for (let write = 0; write < 5; write += 1) {
      socket.write(query('select 1'));
      await gate.sessions();
    }
    const seen = new Seen();
    socket.on('data', (chunk: Buffer) => seen.add(chunk)).resume();
    t.strictSame(await client.closed, { how: 'end' }, 'a clean end');
    t.strictSame([seen.length, seen.digest], [LAST_WORDS, keystreamDigest(7, LAST_WORDS)]);
    socket.end();
    t.equal((await gate.waitForLog({ msg: /^disconnection/ }))['end'], 'closed');
  });
}

await test('the last TLS record is an alert', async (t) => {
  const upstream = await scriptedUpstream(t, sayLastWords);
  const gate = await startGate(t, { hba: TRUST, upstream });
  const { port, recorded } = await recorder(t, gate.port);
  const client = await connectRaw(t, port);
  await client.openTls({ maxVersion: 'TLSv1.2' });
  await client.login({ user: 'alice' });
  const socket = takeOver(client);
  socket.resume();
  socket.write('!');
  await client.closed;
  // The first byte is the answer to SSLRequest.
  t.equal(lastRecordType(Buffer.concat(recorded).subarray(1)), ALERT);
});

/** A port that forwards to the gate and keeps what the gate sends. */
async function recorder(t: Scope, gatePort: number): Promise<{ port: number; recorded: Buffer[] }> {
  const recorded: Buffer[] = [];
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = connect(gatePort, '127.0.0.1');
    sockets.push(near, far);
    far.on('data', (chunk: Buffer) => recorded.push(chunk));
    for (const socket of [near, far]) socket.on('error', () => undefined);
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(t, () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: portOf(server), recorded };
}

function lastRecordType(bytes: Buffer): number | undefined {
  let type: number | undefined;
  for (let at = 0; at < bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) type = bytes[at];
  return type;
}
