// The hot loop: copies both ways until both sides have closed. What the upstream sends is read into one slab that all
// sessions of the process share; nothing is allocated per chunk towards a TLS client that keeps up.

import type { Socket } from 'node:net';
import { FrontendStream, type BackendStatus, type BackendStream } from '../protocol/message-boundary.ts';

/**
 * How long a client may take to close once it has every byte and the end of the stream, and how long one that is being
 * ended may take to read what is queued for it, and how long an upstream whose client has left; in milliseconds.
 */
const LINGER_MS = 10_000;

/**
 * So many full slabs in a row, a quarter of a megabyte, and the other sessions have their turn: libuv itself would read
 * on for 32 of them, and a small query would wait for milliseconds behind a COPY.
 */
const FULL_READS_A_TURN = 4;

const NOTHING = Buffer.alloc(0);

/** The upstream as the relay needs it. */
export interface RelayUpstream {
  readonly socket: Socket;
  /** Whether its transport knows a reset. Over a Unix-domain socket ECONNRESET says only that bytes were left unread. */
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
}

/** How a session came to its end. */
export type RelayEnd = 'closed' | 'client-reset' | 'upstream-reset';

/** Copies between a client and its upstream. */
export class Relay {
  readonly #client: Socket;
  readonly #upstream: RelayUpstream;
  readonly #options: RelayOptions;
  readonly #frontend = new FrontendStream();
  readonly #backend: BackendStream;
  /** The requests that were answered before the relay began: the startup is one. */
  readonly #requestsBefore: number;
  /** What is being written to a client without TLS; a buffer a chunk would pile up until it is collected. */
  #plaintext: Buffer | null = null;
  #fullReads = 0;
  #lastByteAt = 0;
  #idleTimer: NodeJS.Timeout | null = null;
  #lingerTimer: NodeJS.Timeout | null = null;
  #upstreamTimer: NodeJS.Timeout | null = null;
  #end: RelayEnd = 'closed';
  #finished: (() => void) | null = null;

  /** Nothing is read or written before `start`. */
  constructor(client: Socket, upstream: RelayUpstream, options: RelayOptions) {
    this.#client = client;
    this.#upstream = upstream;
    this.#options = options;
    this.#backend = options.said;
    this.#requestsBefore = options.said.ready;
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
    const bothClosed = new Promise<void>((resolve) => (this.#finished = resolve));
    this.#listen();
    this.#armIdleTimer();
    if (first.length > 0) {
      this.#backend.push(first, first.length);
      this.#client.write(first);
    }
    const { socket } = this.#upstream;
    if (this.#client.destroyed) this.#abort('client-reset');
    else if (socket.destroyed) this.#abort('upstream-reset');
    else {
      socket.resume();
      this.#client.resume();
      // A client that has closed its sending side already will not say so again.
      if (this.#client.readableEnded) this.#onClientEnd();
    }
    this.#onClose();
    await bothClosed;
    return this.#end;
  }

  #listen(): void {
    const { socket } = this.#upstream;
    this.#client.on('data', this.#onClientData);
    this.#client.on('end', this.#onClientEnd);
    this.#client.on('drain', this.#onClientDrain);
    this.#client.on('close', this.#onClose);
    this.#client.on('error', this.#onClientError);
    socket.on('drain', this.#onUpstreamDrain);
    socket.on('end', this.#onUpstreamEnd);
    socket.on('close', this.#onClose);
    socket.on('error', this.#onUpstreamError);
    this.#upstream.receive = this.#onUpstreamBytes;
  }

  /**
   * Ends the session: with `answer` where the gate stands between two messages towards the client, else by closing,
   * for an ErrorResponse must never be spliced into a message. A client that does not read holds the end up for
   * LINGER_MS at most.
   */
  terminate(answer: Buffer | null): void {
    this.#upstream.receive = () => true;
    this.#upstream.socket.destroy();
    if (!this.#backend.atBoundary) {
      this.#client.destroy();
      return;
    }
    this.#lingerFromNow();
    this.#closeClient(answer);
  }

  // -- upstream to client

  readonly #onUpstreamBytes = (length: number, slab: Buffer): boolean => {
    const client = this.#client;
    this.#lastByteAt = performance.now();
    this.#backend.push(slab, length);
    const goOn = client.write(this.#lasting(slab, length));
    if (length < slab.length) this.#fullReads = 0;
    else if (++this.#fullReads === FULL_READS_A_TURN) {
      this.#fullReads = 0;
      if (goOn) setImmediate(this.#onNextTurn);
      return false;
    }
    return goOn;
  };

  readonly #onNextTurn = (): void => {
    // A client that has fallen behind meanwhile, or a session that was ended, reads on in its own time.
    if (!this.#client.writableNeedDrain) this.#upstream.socket.resume();
  };

  /** The slab's first `length` bytes, where they stay what they are until they are written. */
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
    this.#upstream.socket.resume();
  };

  readonly #onUpstreamEnd = (): void => {
    this.#closeClient(null);
  };

  // -- client to upstream

  readonly #onClientData = (chunk: Buffer): void => {
    const { socket } = this.#upstream;
    // An upstream that is gone has said its last word; the client may not have heard it yet and talk on.
    if (socket.destroyed) return;
    this.#lastByteAt = performance.now();
    this.#frontend.push(chunk, chunk.length);
    if (!socket.write(chunk)) this.#client.pause();
  };

  readonly #onUpstreamDrain = (): void => {
    this.#client.resume();
  };

  readonly #onClientEnd = (): void => {
    this.#upstream.socket.end();
    // A reset may be reported as an end of stream; where it met the last write of the TLS handshake, no later write of
    // that TLS socket ever comes back. Writing nothing below it tells: a socket that was reset fails, and is closed.
    const { raw } = this.#options;
    if (raw !== this.#client) raw.write(NOTHING);
  };

  // -- the end

  /** Sends the client what is queued, `answer`, and the end of the stream; it then has a while to close too. */
  #closeClient(answer: Buffer | null): void {
    const client = this.#client;
    if (client.writableEnded) return;
    client.once('finish', () => this.#lingerFromNow());
    if (answer === null) client.end();
    else client.end(answer);
  }

  #lingerFromNow(): void {
    this.#lingerTimer ??= setTimeout(() => this.#client.destroy(), LINGER_MS);
  }

  readonly #onClientError = (): void => {
    // Behind an orderly close it says only that the gate's last words found nobody.
    if (this.#upstreamTimer === null) this.#abort('client-reset');
  };

  readonly #onUpstreamError = (): void => {
    // Behind its end of stream an error says only that the client's last words found nobody: the client still gets
    // every byte and a clean close.
    if (this.#upstream.socket.readableEnded) return;
    if (this.#upstream.knowsReset) this.#abort('upstream-reset');
    else this.#closeClient(null);
  };

  /** One side has broken off, so the other is broken off too: a clean close would say that all was told. */
  #abort(end: RelayEnd): void {
    if (this.#end === 'closed') this.#end = end;
    const { raw } = this.#options;
    if (end === 'client-reset') reset(this.#upstream.socket);
    else if (this.#client.writableLength === 0) reset(raw);
    else {
      // What the upstream had said before it broke off still belongs to the client, and goes before this empty write.
      this.#client.write(NOTHING, () => reset(raw));
      this.#lingerFromNow();
    }
  }

  /** The client is gone. */
  #leaveUpstream(): void {
    const { socket } = this.#upstream;
    // Both sides have said their last word and the client's is still on its way: the socket closes itself behind it.
    if (this.#end === 'closed' && socket.readableEnded && socket.writableEnded)
      this.#upstreamTimer ??= setTimeout(() => socket.destroy(), LINGER_MS);
    else socket.destroy();
  }

  readonly #onClose = (): void => {
    const { socket } = this.#upstream;
    if (this.#client.destroyed && !socket.destroyed) this.#leaveUpstream();
    // Nobody takes what the client says any more, but its end of stream must be heard.
    else if (socket.destroyed) this.#client.resume();
    if (!this.#client.destroyed || !socket.destroyed) return;
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    if (this.#lingerTimer !== null) clearTimeout(this.#lingerTimer);
    if (this.#upstreamTimer !== null) clearTimeout(this.#upstreamTimer);
    this.#finished?.();
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

/** Closes with a reset where the transport has one. */
function reset(socket: Socket): void {
  // A Unix-domain socket has none: its close alone tells the peer.
  const hasReset = socket.remotePort !== undefined;
  // libuv resets no socket whose shutdown is under way, and Node, which does not expect that, never closes it then.
  const isShuttingDown = socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished;
  if (hasReset && !isShuttingDown) socket.resetAndDestroy();
  else socket.destroy();
}
