// Reads the headers of TLS records from the wire between a client and the gate, under every version of TLS and both ways
// to begin it: none holds more plaintext than PostgreSQL's own do. Each larger one would hang half of libpq's clients.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'tap';
import { TRUST } from '../session/clients.ts';
import { portOf } from '../support/run/free-port.ts';
import { startGate } from '../support/run/gate.ts';
import { connectRaw, startupMessage } from '../support/peers/raw-client.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';

const APPLICATION_DATA = 0x17;
const HEADER = 5;
/** What a record holds beside its plaintext: explicit nonce, tag, and TLS 1.3's content type. */
const OVERHEAD = 24;
const MOST = 8192;
const ANSWER = 1_000_000;

await test('answers, whatever they were written as', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.readStartup();
    await connection.acceptLogin();
    await connection.send(Buffer.alloc(ANSWER, 'N'));
  });
  const gate = await startGate(t, { hba: TRUST, upstream });
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const direct of [false, true]) {
      const wire = await tapped(t, gate.port);
      const client = await connectRaw(t, wire.port);
      const options = {
        ca: gate.authority.cert,
        servername: 'localhost',
        minVersion: version,
        maxVersion: version,
      };
      if (direct) await client.startTls({ ...options, ALPNProtocols: ['postgresql'] });
      else await client.openTls(options);
      t.equal((await client.login({ user: 'alice' })).error, null);
      await client.read(ANSWER);
      const sizes = records(wire.bytes(), direct ? 0 : 1);
      t.ok(sizes.length > ANSWER / MOST, `${sizes.length} records under ${version}`);
      t.ok(Math.max(...sizes) <= MOST + OVERHEAD, `the longest is ${Math.max(...sizes)} bytes`);
    }
  }
});

await test("the gate's own messages", async (t) => {
  const upstream = await scriptedUpstream(t, (connection) => connection.stall());
  const gate = await startGate(t, { hba: TRUST, upstream });
  const wire = await tapped(t, gate.port);
  const client = await connectRaw(t, wire.port);
  await client.openTls({ ca: gate.authority.cert, servername: 'localhost' });
  // NegotiateProtocolVersion names each of these options back.
  const options = Array.from({ length: 300 }, (_, at) => [`_pq_.option_of_some_len_${at}`, ''] as const);
  await client.send(startupMessage([['user', 'alice'], ...options]));
  await client.readMessagesUntil('v');
  const sizes = records(wire.bytes(), 1);
  t.ok(sizes.reduce((sum, size) => sum + size, 0) > MOST, 'it is long enough for two');
  t.ok(Math.max(...sizes) <= MOST + OVERHEAD, `the longest is ${Math.max(...sizes)} bytes`);
});

interface Tap {
  readonly port: number;
  /** What the gate has sent so far. */
  readonly bytes: () => Buffer;
}

/** A port that passes everything on to the gate and back, and keeps what came back. */
async function tapped(t: Scope, gatePort: number): Promise<Tap> {
  const received: Buffer[] = [];
  const server = createServer((client: Socket) => {
    const gate = connect(gatePort, '127.0.0.1');
    gate.on('data', (chunk: Buffer) => received.push(chunk));
    gate.pipe(client).pipe(gate);
    for (const socket of [gate, client]) {
      socket.on('error', () => undefined);
      atEnd(t, () => socket.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(t, () => void server.close());
  return { port: portOf(server), bytes: () => Buffer.concat(received) };
}

/** The lengths of the records of application data, which in TLS 1.3 are all that is encrypted, from `at` on. */
function records(bytes: Buffer, at: number): number[] {
  const sizes: number[] = [];
  for (let begin = at; begin + HEADER <= bytes.length; begin += HEADER + bytes.readUInt16BE(begin + 3))
    if (bytes[begin] === APPLICATION_DATA) sizes.push(bytes.readUInt16BE(begin + 3));
  return sizes;
}
