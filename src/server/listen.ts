// The sockets that clients connect to. listen_addresses is read as PostgreSQL's pqcomm.c reads it: a name stands for each
// of its addresses. Where the service manager has opened sockets, those are used instead.

import { lookup } from 'node:dns/promises';
import {
  createServer,
  isIPv6,
  type AddressInfo,
  type ListenOptions as NetListenOptions,
  type Server,
  type Socket,
} from 'node:net';
import type { Settings } from '../config/schema.ts';
import { systemMessage } from '../base/system-error.ts';
import { LoadError } from '../base/problems.ts';
import type { Logger } from '../telemetry/log.ts';

/** An address with the port that it really has. */
export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

/** A line about clients that could not be accepted is logged at most this often, in milliseconds. */
const COMPLAINT_INTERVAL_MS = 10_000;

/** Open listening sockets. */
export interface Listeners {
  readonly addresses: readonly ListenAddress[];
  /** Logs that a client could not be accepted, or adds it to the count of the next such line. */
  couldNotAccept(reason: string): void;
  /** Stops accepting; connections go on. Resolves when the sockets are free. */
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly settings: Settings;
  readonly log: Logger;
  /** Binds these addresses instead of listen_addresses: those that the first process has tried for its workers. */
  readonly addresses?: readonly ListenAddress[];
  /** Descriptors of sockets that are open already, instead of what listen_addresses names. */
  readonly passed?: readonly number[];
}

/**
 * Opens every listening socket. One that cannot be opened is a warning as long as another one can, as in PostgreSQL.
 *
 * @throws LoadError `could not create any TCP/IP sockets`
 */
export async function openListeners(
  { settings, log, addresses, passed = [] }: ListenOptions,
  onConnection: (raw: Socket) => void,
): Promise<Listeners> {
  if (passed.length > 0) return await openPassed({ settings, log, passed }, onConnection);
  const servers: Server[] = [];
  const bound: ListenAddress[] = [];
  const reasons: Reason[] = [];
  const wanted =
    addresses ?? (await expand(settings.listen_addresses, reasons)).map((address) => ({ address, port: 0 }));
  // With port 0 the first address gets a free port, and the others take the same one.
  let { port } = settings;
  for (const { address, port: share } of wanted) {
    const family = isIPv6(address) ? 6 : 4;
    const server = serverFor(onConnection);
    try {
      // IPv6 sockets take IPv6 only, as PostgreSQL's do. Otherwise an IPv4 client would have an IPv6 address in the rules.
      const options = {
        host: address,
        port: share || port,
        ipv6Only: family === 6,
        reusePort: addresses !== undefined,
      };
      ({ port } = await listen(server, options));
    } catch (error) {
      const message = `could not bind IPv${family} address "${address}": ${systemMessage(error)}`;
      reasons.push({ message, ...hintFor(error, share || port) });
      continue;
    }
    servers.push(server);
    bound.push({ address, port });
    if (addresses === undefined) {
      log.info({ address, port }, `listening on IPv${family} address "${address}", port ${port}`);
    }
  }
  for (const { message, ...hint } of reasons) log.warn(hint, message);
  if (servers.length === 0) {
    const message = 'could not create any TCP/IP sockets';
    const { file, line } = settings.placeOf('listen_addresses');
    const detail = reasons.map((reason) => reason.message).join('\n');
    const hint = reasons.find((reason) => reason.hint !== undefined)?.hint;
    throw new LoadError([{ file, line, message, detail, ...(hint === undefined ? {} : { hint }) }]);
  }
  return listenersOf(servers, bound, log);
}

/** Takes over listening sockets that systemd keeps open. Clients wait in their queues while the gate restarts. */
async function openPassed(
  { settings, log, passed }: Required<Pick<ListenOptions, 'settings' | 'log' | 'passed'>>,
  onConnection: (raw: Socket) => void,
): Promise<Listeners> {
  const servers: Server[] = [];
  const bound: ListenAddress[] = [];
  for (const fd of passed) {
    const server = serverFor(onConnection);
    try {
      const { address, port, family } = await listen(server, { fd });
      servers.push(server);
      bound.push({ address, port });
      log.info(
        { address, port, fd },
        `listening on ${family} address "${address}", port ${port}, a socket of the service manager`,
      );
    } catch (error) {
      for (const open of servers) open.close();
      const message = `could not listen on the socket that was passed as descriptor ${fd}: ${systemMessage(error)}`;
      const hint = 'The service manager must pass listening TCP sockets only (ListenStream= with a port).';
      throw new LoadError([{ file: settings.file, line: null, message, hint }]);
    }
  }
  return listenersOf(servers, bound, log);
}

function serverFor(onConnection: (raw: Socket) => void): Server {
  const server = createServer({
    pauseOnConnect: true,
    allowHalfOpen: true,
    noDelay: true,
  });
  return server.on('connection', onConnection);
}

function listenersOf(
  servers: readonly Server[],
  addresses: readonly ListenAddress[],
  log: Logger,
): Listeners {
  const couldNotAccept = acceptFailures(log);
  for (const server of servers) server.on('error', (error) => couldNotAccept(systemMessage(error)));
  return {
    addresses,
    couldNotAccept,
    close: async () => {
      await Promise.all(servers.map(async (server) => await new Promise((resolve) => server.close(resolve))));
    },
  };
}

/** A process that cannot accept fails for every client of a flood, so one line reports many. */
function acceptFailures(log: Logger): (reason: string) => void {
  let lastAt = -Infinity;
  let unsaid = 0;
  return (reason) => {
    unsaid++;
    if (performance.now() - lastAt < COMPLAINT_INTERVAL_MS) return;
    log.error({ clients: unsaid }, `could not accept new connection: ${reason}`);
    lastAt = performance.now();
    unsaid = 0;
  };
}

/** Why there is no socket for an address. */
interface Reason {
  readonly message: string;
  readonly hint?: string;
}

/** PostgreSQL's hint where the port is taken. The message names the address alone. */
function hintFor(error: unknown, port: number): { readonly hint?: string } {
  if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) return {};
  return {
    hint: `Is another gate or program already running on port ${port}? If not, wait a few seconds and retry.`,
  };
}

/** `*` is every address of both families; a name is every address it resolves to. */
async function expand(names: readonly string[], reasons: Reason[]): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const name of names) {
    if (name === '*') {
      found.add('0.0.0.0').add('::');
      continue;
    }
    try {
      for (const { address } of await lookup(name, { all: true })) found.add(address);
    } catch (error) {
      reasons.push({
        message: `could not translate host name "${name}" to address: ${systemMessage(error)}`,
      });
    }
  }
  return [...found];
}

/**
 * Connections that wait to be accepted. PostgreSQL asks for twice max_connections; the kernel grants net.core.somaxconn,
 * 4096 by default. A client beyond it is not refused but has its SYN dropped, and comes back a second later.
 */
const BACKLOG = 4096;

/** Resolves with the address that the socket really has. */
async function listen(
  server: Server,
  options: NetListenOptions & { readonly fd?: number },
): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...options, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address();
  if (address !== null && typeof address === 'object') return address;
  server.close();
  throw new Error('it is not a TCP socket');
}
