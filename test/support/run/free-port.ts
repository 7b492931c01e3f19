// Loopback ports: the one a server got, and one that nobody listens on.

import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';

/** Above those that programs are known by. */
const FIRST_PORT = 20_000;

/** The port a listening TCP server got. */
export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server does not listen on TCP');
  return address.port;
}

/**
 * A loopback port that was free a moment ago: for programs that cannot be told port 0, for those that come back to the
 * port they had, and for refusals. It lies below the ports that the kernel gives out by itself: one of those could be
 * another test's connection by the time it is used.
 */
export async function freePort(): Promise<number> {
  const room = firstPortOfTheKernel() - FIRST_PORT;
  for (;;) {
    const server = createServer().listen(room > 0 ? FIRST_PORT + randomInt(room) : 0, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') continue;
      throw error;
    }
    const port = portOf(server);
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** 0 where the system does not tell. */
function firstPortOfTheKernel(): number {
  try {
    return Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1'), 10);
  } catch {
    return 0;
  }
}
