// A client that the gate itself has admitted, by trust or by its certificate, may send its first queries with its startup
// packet. They wait until the upstream has let it in, in the sockets and not in memory, and then arrive whole.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import {
  authenticationOk,
  passwordMessage,
  query,
  startupMessage,
  terminate,
} from '../support/peers/messages.ts';
import { printable } from '../support/peers/byte-channel.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { within } from '../support/run/waiting.ts';
import { openClient, takeOver, until } from './clients.ts';
import { createKeystream, keystreamDigest, Seen } from './keystream.ts';
import { byHand, LET_IN, sendCut, turn } from './logins.ts';

const HBA = 'hostssl cert all 127.0.0.1/32 cert\nhost trust all 127.0.0.1/32 trust\n';
const WAYS = [
  { database: 'trust', tls: true },
  { database: 'trust', tls: false },
  { database: 'cert', tls: true },
];
/** A message that no upstream has asked for, an empty query and the end. */
const AHEAD = Buffer.concat([passwordMessage('unasked'), query(''), terminate()]);
const FLOOD_BYTES = 64 * 2 ** 20;

for (const { database, tls } of WAYS) {
  await test(`a ${database} line ${tls ? 'inside TLS' : 'in clear'}, cut anywhere`, async (t) => {
    const upstream = await scriptedUpstream(t, byHand);
    const gate = await startGate(t, { hba: HBA, upstream });
    const credentials = gate.authority.client('alice');
    const startup = startupMessage({ user: 'alice', database });
    const all = Buffer.concat([startup, AHEAD]);
    const cuts = [...Array(all.length).keys(), 'bytes'] as const;
    for (const cut of cuts) {
      const client = await openClient(t, gate, { tls, credentials });
      await sendCut(gate, client, all, cut);
      client.halfClose();
      const connection = await upstream.nextConnection();
      await connection.readStartup();
      await turn(gate);
      if (!connection.received.equals(startup)) t.fail(`cut ${cut}: before AuthenticationOk`);
      await connection.send(authenticationOk());
      await connection.send(...LET_IN.slice(1));
      await connection.closed;
      if (!connection.received.equals(all)) t.fail(`cut ${cut}: ${printable(connection.received)}`);
      const { messages } = await client.readLogin();
      if (messages.map(({ type }) => type).join('') !== 'RKZ') t.fail(`cut ${cut}: the client's answer`);
      connection.halfClose();
      await client.closed;
    }
    t.equal(upstream.connections.length, cuts.length);
    await until('nothing is left', async () => (await gate.sessions()).length === 0);
  });

  await test(`a ${database} line ${tls ? 'inside TLS' : 'in clear'}, and a flood`, async (t) => {
    const upstream = await scriptedUpstream(t, byHand);
    const gate = await startGate(t, { hba: HBA, upstream });
    const client = await openClient(t, gate, { tls, credentials: gate.authority.client('alice') });
    await client.send(startupMessage({ user: 'alice', database }));
    const connection = await upstream.nextConnection();
    await connection.readStartup();
    const before = gate.rssBytes();
    const flood = pour(takeOver(client), FLOOD_BYTES);
    await untilStuck(gate, flood);
    t.ok(flood.taken < 16 * 2 ** 20, `${flood.taken} bytes of ${FLOOD_BYTES} are on their way`);
    t.ok(gate.rssBytes() - before < 16 * 2 ** 20, 'and the gate has not grown');
    const seen = new Seen();
    const { received } = connection;
    takeOver(connection)
      .on('data', (chunk: Buffer) => seen.add(chunk))
      .resume();
    t.equal(received.length, startupMessage({ user: 'alice', database }).length);
    connection.socket.write(Buffer.concat(LET_IN));
    await within(once(connection.socket, 'end'), () => `the end, after ${seen.length} bytes`, 60_000);
    t.strictSame([seen.length, seen.digest], [FLOOD_BYTES, keystreamDigest(7, FLOOD_BYTES)]);
  });
}

interface Flood {
  /** Bytes that the kernel has taken. */
  taken: number;
}

/** Writes a keystream of `length` bytes, as fast as the socket takes it, and closes the sending side. */
function pour(socket: Socket, length: number): Flood {
  const flood = { taken: 0 };
  const take = createKeystream(7);
  const write = (): void => {
    let goOn = true;
    while (goOn && length > 0) {
      const chunk = take(Math.min(65_536, length));
      length -= chunk.length;
      goOn = socket.write(chunk, () => (flood.taken += chunk.length));
    }
    if (length === 0) socket.end();
    else socket.once('drain', write);
  };
  write();
  return flood;
}

/** Waits until the gate has turned many times and the flood has made no progress. */
async function untilStuck(gate: Gate, flood: Flood): Promise<void> {
  for (let [same, last] = [0, -1]; same < 20;) {
    await turn(gate);
    same = flood.taken === last ? same + 1 : 0;
    last = flood.taken;
  }
}
