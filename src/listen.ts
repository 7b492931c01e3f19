// The client-facing sockets: listen_addresses as PostgreSQL's pqcomm.c takes it, every name to every address it has.

import { lookup } from 'node:dns/promises';
import { createServer, type Server, type Socket } from 'node:net';
import type { Settings } from './config/settings.ts';
import { LoadError, messageOf } from './errors.ts';
import type { Logger } from './log.ts';

/** An address with the port that it really has. */
export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

/** Open listening sockets. */
export interface Listeners {
  readonly addresses: readonly ListenAddress[];
  /** Stops accepting; connections go on. */
  close(): void;
}

/**
 * Opens every listening socket. One that cannot be opened is a warning as long as another one can, as in PostgreSQL.
 *
 * @throws LoadError `could not create any TCP/IP sockets`
 */
export async function openListeners(
  settings: Settings,
  log: Logger,
  onConnection: (raw: Socket) => void,
): Promise<Listeners> {
  const servers: Server[] = [];
  const addresses: ListenAddress[] = [];
  const reasons: string[] = [];
  // With port 0 the first address chooses the port, and the others take the same one.
  let { port } = settings;
  for (const { host, family } of await expand(settings.listenAddresses, reasons)) {
    const server = createServer({
      pauseOnConnect: true,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: settings.tcpKeepalivesIdleMs > 0,
      keepAliveInitialDelay: settings.tcpKeepalivesIdleMs,
    });
    server.on('connection', onConnection);
    try {
      port = await listen(server, host, port, family === 6);
    } catch (error) {
      reasons.push(`could not bind IPv${family} address "${host}": ${messageOf(error)}`);
      continue;
    }
    server.on('error', (error) => log.error({ err: error }, 'could not accept new connection'));
    servers.push(server);
    addresses.push({ address: host, port });
    log.info({ address: host, port }, `listening on IPv${family} address "${host}", port ${port}`);
  }
  for (const reason of reasons) log.warn(reason);
  if (servers.length === 0) {
    const message = 'could not create any TCP/IP sockets';
    throw new LoadError([
      { file: settings.file, line: settings.lineOf('listen_addresses'), message, detail: reasons.join('\n') },
    ]);
  }
  return {
    addresses,
    close: () => {
      for (const server of servers) server.close();
    },
  };
}

/** `*` is every address of both families; a name is every address it resolves to. */
async function expand(
  names: readonly string[],
  reasons: string[],
): Promise<readonly { host: string; family: 4 | 6 }[]> {
  const found = new Map<string, 4 | 6>();
  for (const name of names) {
    if (name === '*') {
      found.set('0.0.0.0', 4).set('::', 6);
      continue;
    }
    try {
      for (const { address, family } of await lookup(name, { all: true }))
        found.set(address, family === 6 ? 6 : 4);
    } catch (error) {
      reasons.push(`could not translate host name "${name}" to address: ${messageOf(error)}`);
    }
  }
  return [...found].map(([host, family]) => ({ host, family }));
}

/** IPv6 sockets are IPv6 only, as PostgreSQL's: an IPv4 client must come as what it is. */
async function listen(server: Server, host: string, port: number, ipv6Only: boolean): Promise<number> {
  return await new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, ipv6Only, backlog: 511 }, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(address !== null && typeof address === 'object' ? address.port : port);
    });
  });
}
