// libuv reads a socket up to 32 times before it looks at the next one: with 64 KiB each, a small query of another session
// would wait for 2 MiB to be encrypted and written, twice on its way.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { test, type Test } from 'tap';
import { BackendStream } from '../../src/protocol/message-boundary.ts';
import { Relay, type RelayUpstream } from '../../src/session/relay.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';

const SLAB = Buffer.alloc(65_536);

/** Both ends of a connection. */
async function pair(t: Scope): Promise<readonly [Socket, Socket]> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const accepted = once(server, 'connection');
  const near = connect(address.port, '127.0.0.1');
  const [far]: Socket[] = await accepted;
  if (far === undefined) throw new Error('no connection');
  server.close();
  atEnd(t, () => {
    near.destroy();
    far.destroy();
  });
  return [near, far];
}

/** What Node does before it gives libuv back the thread. */
function afterThisCallback(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

/** A relay of a plaintext client, not started. */
function relayOf(t: Test, client: Socket, socket: Socket): { relay: Relay; upstream: RelayUpstream } {
  const upstream: RelayUpstream = { socket, knowsReset: true, receive: () => true };
  const relay = new Relay(client, upstream, {
    raw: client,
    said: new BackendStream(),
    idleTimeoutMs: 0,
    onIdle: () => {},
    onFault: (fault) => t.fail(String(fault)),
  });
  return { relay, upstream };
}

await test('after a full read the upstream is not read before another turn of the loop', async (t) => {
  const [client, clientFar] = await pair(t);
  const [socket] = await pair(t);
  const { relay, upstream } = relayOf(t, client, socket);
  clientFar.resume();
  const over = relay.start(Buffer.alloc(0));
  let resumed = 0;
  socket.resume = () => {
    resumed += 1;
    return socket;
  };
  // One message of the server's, longer than all that is read here.
  const header = Buffer.from([0x64, 0x7f, 0xff, 0xff, 0xff]);
  SLAB.set(header);
  for (let read = 1; read <= 3; read += 1) {
    t.equal(upstream.receive(SLAB.length, SLAB), false, 'a full read ends the turn');
    // A client that keeps up has taken all of it by then.
    while (client.writableNeedDrain) await afterThisCallback();
    t.equal(resumed, read - 1, 'though the client would take more');
    await turn();
    t.equal(resumed, read, 'the next turn reads on');
    SLAB.fill(0);
  }
  t.equal(upstream.receive(100, SLAB), true, 'after a short one there is nothing to wait for');
  relay.terminate(null);
  await over;
});

await test('what a client sends of a COPY in one turn is written together, and a short message at once', async (t) => {
  const [client] = await pair(t);
  const [socket, server] = await pair(t);
  const { relay } = relayOf(t, client, socket);
  const over = relay.start(Buffer.alloc(0));
  const received: Buffer[] = [];
  server.on('data', (chunk: Buffer) => received.push(chunk)).resume();
  let writes = 0;
  for (const name of ['_write', '_writev'] as const) {
    const write: unknown = Reflect.get(socket, name);
    if (typeof write !== 'function') throw new Error(`no ${name}`);
    Reflect.set(socket, name, (...args: unknown[]) => {
      writes += 1;
      return Reflect.apply(write, socket, args);
    });
  }
  const pieces = Array.from({ length: 5 }, (_, piece) => Buffer.alloc(8192, piece));
  pieces[0]?.set([0x64, 0x7f, 0xff, 0xff, 0xff]);
  for (const piece of pieces) client.emit('data', piece);
  await turn();
  t.equal(writes, 1, 'one write for five pieces');
  client.emit('data', Buffer.from('short'));
  t.equal(writes, 2, 'no wait for one');
  const all = Buffer.concat([...pieces, Buffer.from('short')]);
  while (received.reduce((sum, { length }) => sum + length, 0) < all.length) await once(server, 'data');
  t.ok(Buffer.concat(received).equals(all), 'all of it, in order');
  client.destroy();
  await over;
});
