// The dial of the upstream: the one place where a connection to it begins, for sessions, cancel requests and the health
// probe alike. Resolves, connects, waits where a Unix socket's queue is full, and never dials this gate itself.

import { connect, isIP, isIPv6, type OnReadOpts, type Socket, type TcpNetConnectOpts } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../base/system-error.ts';
import type { Settings } from '../config/schema.ts';
import { GatehouseError } from '../base/errors.ts';
import { keepAlive, type KeepAliveSettings } from '../base/keep-alive.ts';
import { leadsTo, type Place } from '../base/local-addresses.ts';
import { destroyOnAbort, EndSignal, withSignal, reasonOf } from './end-signal.ts';
import { thisGate, timedOut, toGatehouseError } from './dial-errors.ts';
import { socketPath, UpstreamNames } from './upstream-address.ts';

/**
 * A Unix socket whose queue is full is tried again after this long, in milliseconds, doubled up to the second value.
 */
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 100;

/** Node refuses an attempt that is shorter, in milliseconds. */
const SHORTEST_ATTEMPT_MS = 10;

/** Reads from every upstream of this process land here; its content is gone when the reader returns. */
const SLAB = Buffer.allocUnsafeSlow(65_536);

/** An upstream connection. The step that has it sets `receive`. */
export interface UpstreamLink {
  readonly socket: Socket;
  /**
   * Whether its transport knows a reset. Over a Unix-domain socket ECONNRESET says only that bytes were left unread.
   */
  readonly knowsReset: boolean;
  /** Where it leads, for a cancel request: of several addresses the one that has answered. */
  readonly place: { readonly host: string; readonly port: number };
  receive: (length: number, slab: Buffer) => boolean;
  /** Stops the connect timeout: the upstream has answered. */
  answered: () => void;
}

/** What a dial needs to know. */
export type DialSettings = Pick<Settings, 'upstream'> & KeepAliveSettings;

export interface DialOptions {
  /** For the connection and the first answer, in milliseconds; by default upstream.connect_timeout. */
  readonly timeoutMs?: number;
  /** Ends the attempt with its reason. */
  readonly signal?: AbortSignal;
  /** Node's: reads into this buffer instead of new ones. */
  readonly onread?: OnReadOpts;
}

/**
 * A connection that stands. Its timeout goes on until `answered` is called, and destroys the socket when it is over.
 */
export interface Dialed {
  readonly socket: Socket;
  /** Stops the timeout: the upstream has answered. */
  readonly answered: () => void;
  /** Neither the socket nor its timeout keeps the process from ending any more. */
  readonly waitNoLonger: () => void;
}

/** Dials the upstream for one process. */
export class Dialer {
  readonly #listeners: () => readonly Place[];
  readonly #names = new UpstreamNames();
  readonly #open = new Set<Socket>();

  /** @param listeners where this gate listens itself */
  constructor(listeners: () => readonly Place[]) {
    this.#listeners = listeners;
  }

  /** Takes over loaded settings: asks for the host's addresses and gives open connections their keep-alive. */
  load(settings: DialSettings): void {
    this.#names.load(settings.upstream.host);
    for (const socket of this.#open) keepAlive(socket, settings);
  }

  /**
   * Connects to the upstream.
   *
   * @throws GatehouseError `upstream-unreachable`, `upstream-closed-early`, `upstream-timeout`,
   *   `upstream-is-this-gate`, or the signal's reason
   */
  async dial(settings: DialSettings, { timeoutMs, signal, onread }: DialOptions = {}): Promise<Dialed> {
    signal?.throwIfAborted();
    const attempt: Attempt = {
      settings,
      life: new EndSignal(),
      isQueueFull: false,
      ...(onread ? { onread } : {}),
    };
    const { life } = attempt;
    const onAbort = (): void => {
      if (signal !== undefined) life.end(reasonOf(signal));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    life.endAfter(timeoutMs ?? settings.upstream.connect_timeout, () => timedOut(attempt.isQueueFull));
    try {
      const socket = await this.#reach(attempt);
      this.#open.add(socket);
      socket.once('close', () => {
        life.clear();
        this.#open.delete(socket);
      });
      keepAlive(socket, settings);
      return {
        socket,
        answered: () => life.clear(),
        waitNoLonger: () => {
          socket.unref();
          life.unref();
        },
      };
    } catch (cause) {
      life.clear();
      throw toGatehouseError(cause, settings.upstream);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async #reach(attempt: Attempt): Promise<Socket> {
    const { upstream } = attempt.settings;
    const path = socketPath(upstream);
    if (path !== null) return await openPath(path, attempt);
    const { signal } = attempt.life;
    const addresses = await withSignal(this.#names.addresses(upstream.host), signal);
    try {
      return await this.#openAny(addresses, attempt);
    } catch (cause) {
      if (cause instanceof GatehouseError && cause.code === 'upstream-is-this-gate') throw cause;
      const changed = this.#names.changedSince(upstream.host, addresses);
      // The next dial has the answer, even where this one has no time to wait for it.
      const others = signal.aborted ? null : await withSignal(changed, signal).catch(() => null);
      if (others === null) throw cause;
      return await this.#openAny(others, attempt);
    }
  }

  async #openAny(addresses: readonly string[], attempt: Attempt): Promise<Socket> {
    const { host, port, connect_timeout: connectTimeoutMs } = attempt.settings.upstream;
    // SECURITY: a gate that dials itself opens connection after connection until nothing is left, for one stranger.
    if (addresses.some((address) => leadsTo({ address, port }, this.#listeners()))) throw thisGate();
    const all = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
    return await open(attempt, {
      host,
      port,
      lookup: (_host, _options, callback) => callback(null, all),
      // Node would try the next address after a quarter of a second, however slowly this one answers.
      autoSelectFamilyAttemptTimeout: Math.max(
        SHORTEST_ATTEMPT_MS,
        Math.floor(connectTimeoutMs / Math.max(1, all.length)),
      ),
    });
  }
}

interface Attempt {
  readonly settings: DialSettings;
  /** Ends every wait: by time, or because the connection is no longer wanted. */
  readonly life: EndSignal;
  readonly onread?: OnReadOpts;
  /** Whether it waits for room in the queue of a Unix socket. */
  isQueueFull: boolean;
}

/**
 * Connects to a Unix socket. Where its queue is full the system answers EAGAIN at once; libpq, which blocks there,
 * waits until there is room.
 */
async function openPath(path: string, attempt: Attempt): Promise<Socket> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await open(attempt, { path });
    } catch (cause) {
      if (errnoOf(cause) !== 'EAGAIN') throw cause;
    }
    attempt.isQueueFull = true;
    // Sessions that wait must not all try at the same moment.
    await withSignal(sleep(pauseMs * (0.5 + Math.random() / 2)), attempt.life.signal);
  }
}

async function open(
  { life, onread }: Attempt,
  where: { readonly path: string } | Omit<TcpNetConnectOpts, 'onread'>,
): Promise<Socket> {
  life.signal.throwIfAborted();
  const socket = connect({ ...where, allowHalfOpen: true, noDelay: true, ...(onread ? { onread } : {}) });
  // Between two steps nothing else listens for an error, which would end the process. The next step looks at
  // `destroyed`.
  socket.on('error', ignore);
  const { promise: connected, resolve, reject } = Promise.withResolvers<void>();
  socket.once('connect', resolve).once('error', reject);
  // This stays: the timeout runs until the upstream has answered.
  destroyOnAbort(socket, life.signal);
  await connected;
  socket.off('error', reject);
  return socket;
}

/**
 * Connects to the upstream for a session.
 *
 * @param signal ends the attempt with its reason
 * @throws what Dialer.dial throws
 */
export async function dialUpstream(
  dialer: Dialer,
  settings: DialSettings,
  signal: AbortSignal,
): Promise<UpstreamLink> {
  let receive: UpstreamLink['receive'] = readNoMore;
  const { socket, answered } = await dialer.dial(settings, {
    signal,
    onread: { buffer: SLAB, callback: (length) => receive(length, SLAB) },
  });
  outliveFailedWrites(socket);
  return {
    socket,
    knowsReset: socketPath(settings.upstream) === null,
    place: placeOf(socket, settings),
    get receive() {
      return receive;
    },
    set receive(next) {
      receive = next;
    },
    answered,
  };
}

function placeOf(
  { remoteAddress }: Socket,
  { upstream: { host, port } }: DialSettings,
): UpstreamLink['place'] {
  // A name may lead elsewhere by the time of the request. An address may have a zone, which a socket does not tell.
  const isName = !host.startsWith('/') && isIP(host) === 0;
  return { host: (isName ? remoteAddress : null) ?? host, port };
}

function ignore(): void {}

/** A link's `receive` between two steps: what comes waits in the kernel. */
export function readNoMore(): boolean {
  return false;
}

/**
 * Makes no write fail. A server that ends a session in the middle of a COPY says why and closes. The next write to it
 * fails, and Node then destroys the socket with all that has not been read from it. So the end is found by reading,
 * after the server's last byte, as libpq does it.
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

/**
 * A stream passes the same callback to all its writes, so the wrapper around it is made once and not for each chunk.
 */
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
