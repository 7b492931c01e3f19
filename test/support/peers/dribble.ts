// A network that tears everything apart: what a client sends reaches the server in small segments.

import { on, once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import process from 'node:process';
import { portOf } from '../run/free-port.ts';
import { atEnd, type Scope } from '../run/scope.ts';

/**
 * Listens in front of `port` until the test is over, and sends one byte a segment. The answers pass as they come.
 * @returns where to connect
 */
export async function dribbleTo(t: Scope, port: number): Promise<number> {
  return tearTo(t, port, async (chunk, target) => {
    for (const byte of chunk) await write(target, Buffer.from([byte]));
  });
}

/**
 * Listens in front of `port` until the test is over, and sends one TLS record a segment. On Linux each waits until the
 * server has read the one before, so the server never finds two at once.
 * @returns where to connect
 */
export async function recordByRecordTo(t: Scope, port: number): Promise<number> {
  return tearTo(t, port, async (chunk, target) => {
    for (const record of recordsIn(chunk)) {
      await write(target, record);
      await untilRead(target);
    }
  });
}

async function tearTo(
  t: Scope,
  port: number,
  pass: (chunk: Buffer, target: Socket) => Promise<void>,
): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    target.pipe(client);
    void (async () => {
      for await (const [chunk] of on(client, 'data', { close: ['end'] }))
        await pass(Buffer.from(chunk), target);
      target.end();
    })().catch(() => target.destroy());
    target.on('error', () => client.destroy());
    client.on('error', () => target.destroy());
    atEnd(t, () => {
      client.destroy();
      target.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(t, () => server.close());
  return portOf(server);
}

/** @returns when the kernel has the bytes, or the socket is gone */
async function write(target: Socket, bytes: Buffer): Promise<void> {
  await new Promise((resolve) => target.write(bytes, resolve));
}

const RECORD_HEADER_BYTES = 5;
const FIRST_CONTENT_TYPE = 20;
const LAST_CONTENT_TYPE = 23;

/** The TLS records of a chunk; what is not TLS is one piece. */
function* recordsIn(chunk: Buffer): Generator<Buffer> {
  for (let rest = chunk; rest.length > 0;) {
    const [type = 0] = rest;
    const isRecord =
      type >= FIRST_CONTENT_TYPE && type <= LAST_CONTENT_TYPE && rest.length > RECORD_HEADER_BYTES;
    const length = isRecord ? RECORD_HEADER_BYTES + rest.readUInt16BE(3) : rest.length;
    yield rest.subarray(0, length);
    rest = rest.subarray(length);
  }
}

/** Waits until the server has read all that was written to it, or the connection is gone. Only Linux tells. */
async function untilRead(target: Socket): Promise<void> {
  if (process.platform !== 'linux') return;
  // A busy kernel delivers later, so what is still on its way comes first.
  while (!target.destroyed && (await bytesOnTheirWay(target)) > 0) continue;
  while (!target.destroyed && (await unreadBytes(target)) > 0) continue;
}

const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');

/** How many bytes of this end of a connection over 127.0.0.1 the other end's kernel has not acknowledged. */
async function bytesOnTheirWay({ localPort = 0, remotePort = 0 }: Socket): Promise<number> {
  return (await queues(localPort, remotePort)).sending;
}

/** How many bytes lie in the kernel for the other end of a connection over 127.0.0.1; 0 when that end is gone. */
async function unreadBytes({ localPort = 0, remotePort = 0 }: Socket): Promise<number> {
  return (await queues(remotePort, localPort)).unread;
}

/** What the kernel holds of the end of a connection that has the port `own`, in bytes. */
async function queues(own: number, other: number): Promise<{ sending: number; unread: number }> {
  const ends = ` 0100007F:${hex(own)} 0100007F:${hex(other)} `;
  const line = (await readFile('/proc/net/tcp', 'latin1')).split('\n').find((each) => each.includes(ends));
  const found = / (?<sending>[0-9A-F]{8}):(?<unread>[0-9A-F]{8}) /u.exec(line ?? '')?.groups;
  return {
    sending: Number.parseInt(found?.['sending'] ?? '0', 16),
    unread: Number.parseInt(found?.['unread'] ?? '0', 16),
  };
}
