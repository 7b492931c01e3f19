// TLS as bytes, for peers that are rude below the level at which node:tls can be: the first flight of a real client,
// records of any kind, and a ClientHello put together by hand.

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { connect, type ConnectionOptions } from 'node:tls';
import { portOf } from '../run/free-port.ts';
import { within } from '../run/waiting.ts';

/** The first bytes that a client of node:tls sends. */
export async function clientHello(options: ConnectionOptions = {}): Promise<Buffer> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect({ host: '127.0.0.1', port: portOf(server), ...options });
  client.on('error', () => undefined);
  try {
    const raw = await within(
      new Promise<Socket>((resolve) => server.once('connection', resolve)),
      'the client to connect',
    );
    let hello = Buffer.alloc(0);
    // One record, of the length its header gives.
    while (hello.length < 5 || hello.length < 5 + hello.readUInt16BE(3)) {
      const [chunk]: Buffer[] = await within(once(raw, 'data'), 'a ClientHello');
      hello = Buffer.concat([hello, chunk ?? Buffer.alloc(0)]);
    }
    raw.destroy();
    return hello;
  } finally {
    client.destroy();
    server.close();
  }
}

/** One TLS record. */
export function record(type: number, payload: Uint8Array, version = 0x0301): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt8(type);
  header.writeUInt16BE(version, 1);
  header.writeUInt16BE(payload.length, 3);
  return Buffer.concat([header, payload]);
}

/** The record types. */
export const recordType = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23 } as const;

/** The same ClientHello, cut into records of at most `size` bytes. */
export function splitIntoRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size)
    records.push(record(recordType.handshake, message.subarray(at, at + size)));
  return Buffer.concat(records);
}
