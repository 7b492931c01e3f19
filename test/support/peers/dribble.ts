// A network that tears everything apart: what a client sends reaches the server one byte a segment.

import { on, once } from 'node:events';
import { connect, createServer } from 'node:net';
import { portOf } from '../run/free-port.ts';
import { atEnd, type Scope } from '../run/scope.ts';

/** Listens in front of `port` until the test is over; the answers pass as they come. @returns where to connect */
export async function dribbleTo(t: Scope, port: number): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    target.pipe(client);
    void (async () => {
      for await (const [chunk] of on(client, 'data', { close: ['end'] })) {
        for (const byte of Buffer.from(chunk))
          await new Promise((resolve) => target.write(Buffer.from([byte]), resolve));
      }
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
