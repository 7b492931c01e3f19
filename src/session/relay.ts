// The hot loop: copies both ways, while closing.ts sees to the end. All sessions of the process read the upstream into
// one slab, and a chunk for a TLS client that keeps up allocates nothing.

import type { Socket } from 'node:net';
import type { GatehouseError } from '../base/errors.ts';
import { FrontendStream, type BackendStatus, type BackendStream } from '../protocol/message-boundary.ts';
import { violation } from '../protocol/violation.ts';
import { Closing, type RelayEnd } from './closing.ts';

/**
 * A chunk of this length is one of many, in bytes: libpq sends a COPY in TLS records of 8 KiB. Those of one turn are
 * gathered and written together, because a system call for each would be a fifth of what a COPY into the server costs.
 */
const BULK_BYTES = 4096;

/** The upstream as the relay needs it. */
export interface RelayUpstream {
  readonly socket: Socket;
  /**
   * Whether its transport knows a reset. Over a Unix-domain socket ECONNRESET says only that bytes were left unread.
   */
  readonly knowsReset: boolean;
  /** Takes the first `length` bytes of `slab`, which the next read overwrites; false = read no more until resumed. */
  receive: (length: number, slab: Buffer) => boolean;
}

export interface RelayOptions {
  /** The TCP socket under `client`, or `client` itself where it speaks no TLS. */
  readonly raw: Socket;
  /** Has followed everything that the client was sent so far. */
  readonly said: BackendStream;
  /** 0 = never. */
  readonly idleTimeoutMs: number;
  /** Called once when the session has been idle for that long. */
  readonly onIdle: () => void;
  /** Called when the upstream sends what must not be passed on; nothing of that is. */
  readonly onFault: (fault: GatehouseError) => void;
}

/** Copies between a client and its upstream. */
export class Relay {
  readonly #client: Socket;
  readonly #upstream: RelayUpstream;
  readonly #options: RelayOptions;
  readonly #frontend = new FrontendStream();
  readonly #backend: BackendStream;
  readonly #closing: Closing;
  /** Requests that were answered before the relay began. The startup is one. */
  readonly #requestsBefore: number;
  /** What is being written to a client without TLS. One buffer for each chunk would pile up until it is collected. */
  #plaintext: Buffer | null = null;
  /** The upstream is not read again in this turn of the event loop. */
  #hasHadTurn = false;
  #lastByteAt = 0;
  #idleTimer: NodeJS.Timeout | null = null;

  /** Nothing is read or written before `start`. */
  constructor(client: Socket, upstream: RelayUpstream, options: RelayOptions) {
    this.#client = client;
    this.#upstream = upstream;
    this.#options = options;
    this.#backend = options.said;
    this.#requestsBefore = options.said.ready;
    const { socket, knowsReset } = upstream;
    this.#closing = new Closing({ client, raw: options.raw, upstream: socket, knowsReset });
  }

  /** What the session does, as pg_stat_activity.state words it. */
  get status(): BackendStatus {
    return this.#waitsForAnswer ? 'active' : this.#backend.status;
  }

  /**
   * Relays until both sides have closed. From here on, and not before, what the client has sent goes to the upstream.
   *
   * @param first what the upstream sent after its ReadyForQuery
   * @returns how it ended; both sockets are destroyed by then
   */
  async start(first: Buffer): Promise<RelayEnd> {
    const { socket } = this.#upstream;
    this.#client.on('data', this.#onClientData);
    this.#client.on('drain', this.#onClientDrain);
    socket.on('drain', this.#onUpstreamDrain);
    this.#upstream.receive = this.#onUpstreamBytes;
    this.#armIdleTimer();
    if (first.length > 0) {
      this.#backend.push(first, first.length);
      if (this.#mayPass()) this.#client.write(first);
    }
    if (!this.#client.destroyed && !socket.destroyed) {
      socket.resume();
      this.#client.resume();
    }
    const end = await this.#closing.run();
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    return end;
  }

  /**
   * Ends the session: with `answer` where the gate stands between two messages towards the client, else by closing. An
   * ErrorResponse must never stand inside a message.
   */
  terminate(answer: Buffer | null): void {
    this.#upstream.receive = () => true;
    if (this.#backend.atBoundary) this.#closing.endWith(answer);
    else this.#closing.cutOff();
  }

  // -- upstream to client

  readonly #onUpstreamBytes = (length: number, slab: Buffer): boolean => {
    const client = this.#client;
    this.#lastByteAt = performance.now();
    this.#backend.push(slab, length);
    if (!this.#mayPass()) return false;
    const goOn = client.write(this.#lasting(slab, length));
    if (length < slab.length) return goOn;
    // A full slab (64 KiB) is a turn, and the other sessions have theirs before the next. libuv alone would read up to 32
    // of them before it returns, and a small query would wait for milliseconds after a COPY.
    this.#hasHadTurn = true;
    setImmediate(this.#onNextTurn);
    return false;
  };

  /** SECURITY: a key that the upstream sends after the login is its own, and would name its session to anyone. */
  #mayPass(): boolean {
    if (!this.#backend.hasLateKey) return true;
    this.#options.onFault(violation('BackendKeyData after the login'));
    return false;
  }

  readonly #onNextTurn = (): void => {
    this.#hasHadTurn = false;
    // A client that does not keep up, or a session that was ended, reads on in its own time.
    if (!this.#client.writableNeedDrain) this.#upstream.socket.resume();
  };

  /** The slab's first `length` bytes, in a place where they stay as they are until they are written. */
  #lasting(slab: Buffer, length: number): Buffer {
    const bytes = slab.subarray(0, length);
    if (this.#client.writableLength > 0) return Buffer.from(bytes);
    // With nothing of the socket in flight a TLS write encrypts its input before it returns, so the slab can be lent.
    if (this.#client !== this.#options.raw) return bytes;
    // A plaintext write may refer to its input until the kernel has taken the last byte.
    this.#plaintext ??= Buffer.allocUnsafeSlow(slab.length);
    bytes.copy(this.#plaintext);
    return this.#plaintext.subarray(0, length);
  }

  readonly #onClientDrain = (): void => {
    // A plaintext client that keeps up has taken it before libuv asks whether to read on.
    if (!this.#hasHadTurn) this.#upstream.socket.resume();
  };

  // -- client to upstream

  readonly #onClientData = (chunk: Buffer): void => {
    const { socket } = this.#upstream;
    // The upstream is gone. The client may not have read that yet, and may go on sending.
    if (socket.destroyed) return;
    this.#lastByteAt = performance.now();
    this.#frontend.push(chunk, chunk.length);
    if (chunk.length >= BULK_BYTES && socket.writableCorked === 0) {
      socket.cork();
      setImmediate(this.#onGathered);
    }
    if (socket.write(chunk)) return;
    this.#client.pause();
    socket.uncork();
  };

  readonly #onGathered = (): void => {
    this.#upstream.socket.uncork();
  };

  readonly #onUpstreamDrain = (): void => {
    this.#client.resume();
  };

  // -- idle_session_timeout

  get #waitsForAnswer(): boolean {
    const { requests, isWithoutSync } = this.#frontend;
    return isWithoutSync || requests + this.#requestsBefore > this.#backend.ready;
  }

  /** One timer a session, set again only when it fires: the hot loop notes the time and nothing else. */
  #armIdleTimer(): void {
    const { idleTimeoutMs, onIdle } = this.#options;
    if (idleTimeoutMs === 0) return;
    this.#lastByteAt = performance.now();
    const check = (): void => {
      const left = this.#lastByteAt + idleTimeoutMs - performance.now();
      if (left > 0) this.#idleTimer = setTimeout(check, Math.ceil(left));
      else if (this.status === 'active') this.#idleTimer = setTimeout(check, idleTimeoutMs);
      else onIdle();
    };
    this.#idleTimer = setTimeout(check, idleTimeoutMs);
  }
}
