// The dial of the upstream: the one place where a connection to it begins.

import { connect, type Socket } from 'node:net';
import type { UpstreamSettings } from '../config/settings.ts';
import { GatehouseError, messageOf } from '../errors.ts';
import { destroyOnAbort } from './deadline.ts';
import { upstreamAddress } from './upstream-address.ts';

/** Reads from every upstream of this process land here; its content is gone when the reader returns. */
const SLAB = Buffer.allocUnsafeSlow(65_536);

/** An upstream connection; `receive` belongs to whoever owns the current phase. */
export interface UpstreamLink {
  readonly socket: Socket;
  /** Whether its transport knows a reset. Over a Unix-domain socket ECONNRESET says only that bytes were left unread. */
  readonly knowsReset: boolean;
  receive: (length: number, slab: Buffer) => boolean;
  /** Stops the connect timeout: the upstream has answered. */
  answered: () => void;
}

/**
 * Connects to the upstream.
 *
 * @param signal ends the attempt with its reason
 * @throws GatehouseError `upstream-unreachable`, `upstream-closed-early`, `upstream-timeout`, or the signal's reason
 */
export async function dialUpstream(settings: UpstreamSettings, signal: AbortSignal): Promise<UpstreamLink> {
  signal.throwIfAborted();
  const address = upstreamAddress(settings);
  const socket = connect({
    ...address,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    onread: { buffer: SLAB, callback: (length) => link.receive(length, SLAB) },
  });
  const timer = setTimeout(() => socket.destroy(timedOut()), settings.connectTimeoutMs);
  socket.once('close', () => clearTimeout(timer));
  const link: UpstreamLink = {
    socket,
    knowsReset: !('path' in address),
    receive: readNoMore,
    answered: () => clearTimeout(timer),
  };
  const stopWatching = destroyOnAbort(socket, signal);
  const { promise: connected, resolve, reject } = Promise.withResolvers<void>();
  socket.once('connect', resolve).once('error', reject);
  try {
    await connected;
  } catch (cause) {
    if (cause instanceof GatehouseError) throw cause;
    throw isReset(cause) ? closedEarly(cause) : unreachable(cause);
  } finally {
    stopWatching();
    socket.off('error', reject);
  }
  outliveFailedWrites(socket);
  // Between two owners an error has nobody else to hear it; the `destroyed` flag tells the next one.
  socket.on('error', ignore);
  return link;
}

function ignore(): void {}

/** A link's `receive` between two owners: what comes waits in the kernel. */
export function readNoMore(): boolean {
  return false;
}

/**
 * A server that ends a session in the middle of a COPY says why and is gone; the next write to it fails, and in Node a
 * failed write ends the socket with all that has not been read of it. So no write fails here: the end of the connection
 * is found by reading, behind the server's last byte, as libpq does it.
 */
function outliveFailedWrites(socket: Socket): void {
  /* oxlint-disable no-underscore-dangle -- node:stream's names for what a stream is made of */
  const write = socket._write.bind(socket);
  const writev = socket._writev?.bind(socket);
  const succeeding = withoutError();
  socket._write = (chunk, encoding, callback) => write(chunk, encoding, succeeding(callback));
  if (writev !== undefined) socket._writev = (chunks, callback) => writev(chunks, succeeding(callback));
  /* oxlint-enable no-underscore-dangle */
}

type Written = (error?: Error | null) => void;

/** A stream hands the same callback to all its writes: what is made of it is made once, not once a chunk. */
function withoutError(): (callback: Written) => Written {
  let last: Written | null = null;
  let made: Written = ignore;
  return (callback) => {
    if (callback !== last) {
      last = callback;
      made = () => callback();
    }
    return made;
  };
}

/** Refusing has another code: a reset comes from an upstream that had accepted, if before we had noticed that. */
function isReset(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNRESET';
}

function unreachable(cause: unknown): GatehouseError {
  // Of a name with several addresses each has an error of its own, and the one around them no text.
  const causes: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  return new GatehouseError('upstream-unreachable', {
    reply: 'could not connect to the upstream server',
    message: `could not connect to the upstream server: ${causes.map(messageOf).join(', ')}`,
    cause,
  });
}

function timedOut(): GatehouseError {
  return new GatehouseError('upstream-timeout', {
    reply: 'could not connect to the upstream server',
    message: 'could not connect to the upstream server: no answer within upstream.connect_timeout',
  });
}

/** The upstream ended the connection before it had answered. */
export function closedEarly(cause?: unknown): GatehouseError {
  return new GatehouseError('upstream-closed-early', {
    reply: 'the upstream server closed the connection before it answered',
    cause,
  });
}
