// Loopback ports: the one a server got, and one that nobody listens on.

import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** The port a listening TCP server got. */
export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server does not listen on TCP');
  return address.port;
}

/** A loopback port that was free a moment ago: for programs that cannot be told port 0, and for refusals. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = portOf(server);
  server.close();
  await once(server, 'close');
  return port;
}
