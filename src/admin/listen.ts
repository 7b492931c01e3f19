// Where the admin listener stands: reads admin.listen and binds an HTTP server to it, or says why that cannot be.

import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { lstat, unlink } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect, createServer } from 'node:net';
import { isLoopback, MAX_SOCKET_PATH_BYTES, parseListenPlace } from '../config/hosts.ts';
import type { Settings } from '../config/schema.ts';
import { errnoOf, systemMessage } from '../base/system-error.ts';
import { LoadError } from '../base/problems.ts';

/** The settings that the listener is made from. */
export type AdminSettings = Pick<Settings, 'placeOf'> & {
  readonly admin: Pick<Settings['admin'], 'listen'>;
};

/** Where an HTTP listener is to stand. */
export interface ListenerPlace {
  /** The setting that says so, for messages. */
  readonly setting: 'admin.listen' | 'admin.status_listen';
  readonly listen: string;
  readonly placeOf: Settings['placeOf'];
  readonly scheme: 'http' | 'https';
  /** Anyone who reaches it may read all that there is. */
  readonly isPublic: boolean;
}

/**
 * Binds the server. Resolves to its URL, with the port it really has: `http://127.0.0.1:9432`, `https://…` where it
 * speaks TLS, or `unix:/path`. Throws LoadError at the line of its setting.
 */
export async function bindListener(server: Server, wanted: ListenerPlace): Promise<string> {
  const { setting, listen, scheme, isPublic } = wanted;
  const address = parseListenPlace(listen);
  if (address === null) {
    const hint = 'Give host:port, [address]:port for IPv6, or the absolute path of a Unix socket.';
    throw listenError(wanted, `invalid value for parameter "${setting}": "${listen}"`, hint);
  }
  if (address.kind === 'unix' && Buffer.byteLength(address.path) > MAX_SOCKET_PATH_BYTES) {
    const message = `Unix-domain socket path "${address.path}" is too long (maximum ${MAX_SOCKET_PATH_BYTES} bytes)`;
    throw listenError(wanted, message);
  }
  try {
    if (address.kind === 'unix') return await bindUnix(server, address.path);
    // SECURITY: without TLS anyone who reaches it may ask, so it stands on loopback only.
    if (scheme === 'http' && !isPublic && !isLoopback(address.host))
      throw new Error('it needs TLS and client certificates there');
    return `${scheme}://${await bindTcp(server, address.host, address.port)}`;
  } catch (error) {
    const inUse = errnoOf(error) === 'EADDRINUSE';
    const which = isPublic ? 'status' : 'admin';
    throw listenError(
      wanted,
      `could not bind the ${which} listener to "${listen}": ${systemMessage(error)}`,
      inUse ? `Is another gate running with this ${setting}, or is the path another file's?` : undefined,
      error,
    );
  }
}

async function bindTcp(server: Server, host: string, port: number): Promise<string> {
  if (host === '*') {
    // Without a host it is every address of both families.
    await listening(server, () => server.listen({ port }));
    return placeOf(server);
  }
  // As listen_addresses: a name is every address that it resolves to.
  const [first, ...others] = await lookup(host, { all: true, order: 'ipv4first' });
  await listening(server, () => server.listen({ host: first?.address ?? host, port }));
  const address = server.address();
  const real = typeof address === 'object' && address !== null ? address.port : port;
  for (const { address: other } of others) await bindBeside(server, other, real);
  return placeOf(server);
}

/** Lets a server be reached at one more address, until it is closed. One that this machine does not have is left out. */
async function bindBeside(server: Server, host: string, port: number): Promise<void> {
  const beside = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    server.emit('connection', socket),
  );
  const bound = once(beside, 'listening');
  beside.listen({ host, port });
  try {
    await bound;
  } catch (error) {
    if (['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(errnoOf(error) ?? '')) return;
    server.close();
    throw error;
  }
  server.once('close', () => beside.close());
}

function placeOf(server: Server): string {
  const bound = server.address();
  if (bound === null || typeof bound === 'string')
    throw new TypeError('a TCP listener has an address and a port');
  const name = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return `${name}:${bound.port}`;
}

async function bindUnix(server: Server, path: string): Promise<string> {
  const bind = (): Promise<void> =>
    listening(server, () => {
      // SECURITY: only the gate's own user may connect. The mode must hold from the bind on, not from a later chmod;
      // listen() binds a Unix socket before it returns.
      const before = process.umask(0o177);
      try {
        server.listen({ path });
      } finally {
        process.umask(before);
      }
    });
  try {
    await bind();
  } catch (error) {
    if (errnoOf(error) !== 'EADDRINUSE' || !(await isAbandonedSocket(path))) throw error;
    await unlink(path);
    await bind();
  }
  return `unix:${path}`;
}

async function listening(server: Server, listen: () => void): Promise<void> {
  const bound = once(server, 'listening');
  listen();
  await bound;
}

/** A socket file that a killed process left: it is a socket, and nobody accepts on it. */
async function isAbandonedSocket(path: string): Promise<boolean> {
  // SECURITY: a mistyped path must never cost the operator a file.
  if (!(await lstat(path)).isSocket()) return false;
  const probe = connect({ path });
  try {
    await once(probe, 'connect');
    return false;
  } catch (error) {
    return errnoOf(error) === 'ECONNREFUSED';
  } finally {
    probe.destroy();
  }
}

function listenError(
  { setting, placeOf: whereIs }: ListenerPlace,
  message: string,
  hint?: string,
  cause?: unknown,
): LoadError {
  const { file, line } = whereIs(setting);
  const error = new LoadError([{ file, line, message, ...(hint === undefined ? {} : { hint }) }]);
  error.cause = cause;
  return error;
}
