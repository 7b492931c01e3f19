// The library that reads the catalogue's answers decodes them in a listener of its stream. Where it throws there, the
// session is over, and the process that every worker needs lives on.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'tap';
import { LoginStream } from '../../src/catalog/login-stream.ts';
import { readyForQuery } from '../support/peers/messages.ts';
import { portOf } from '../support/run/free-port.ts';

await test('the stream ends with what its reader throws', async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const socket = connect(portOf(server), '127.0.0.1');
  const [upstream]: Socket[] = await accepted;
  const thrown = new Error('unexpected message');
  const stream = new LoginStream(socket, 1024);
  // What waits for a reader is read in a turn of its own, in which nothing of the stream is below the reader.
  stream.pause();
  const arrived = once(socket, 'data');
  upstream?.write(readyForQuery());
  await arrived;
  stream.on('data', () => {
    throw thrown;
  });
  const failed = once(stream, 'error');
  stream.resume();
  t.strictSame(await failed, [thrown]);
  if (!socket.destroyed) await once(socket, 'close');
  t.ok(stream.destroyed);
  upstream?.destroy();
  server.close();
});
