// How a relayed session ends, and what each side gets of it:
//
//   what happens                       the client gets                            the upstream gets
//   ---------------------------------  -----------------------------------------  ------------------------------------
//   upstream closes (FIN)              every byte, then a close                   what the client sends until it closes
//   upstream breaks off (RST)          every byte, then a reset                   nothing
//   client closes (FIN)                what the upstream still says, then a close every byte, then a close
//   client breaks off (RST)            nothing                                    a reset
//   ended between two messages         the error, then a close                    a close at once
//   ended inside a message             a close at once                            a close at once
//
// A side that has broken off makes the other side's end a reset too: a clean close would say that all was told. A client
// has LINGER_MS to take its end and to close; so has an upstream whose client has left. Each row is a method below.

import type { Socket } from 'node:net';

/**
 * How long a client may take to close once it has every byte and the end of the stream, and how long to read what is
 * queued for it when it is being ended; and how long an upstream may take whose client has left. In milliseconds.
 */
const LINGER_MS = 10_000;

const NOTHING = Buffer.alloc(0);

/** How a session came to its end. */
export type RelayEnd = 'closed' | 'client-reset' | 'upstream-reset';

/** The sockets of a session. */
export interface Sides {
  readonly client: Socket;
  /** The TCP socket under `client`, or `client` itself where it speaks no TLS. */
  readonly raw: Socket;
  readonly upstream: Socket;
  /** Whether the upstream's transport knows a reset. On a Unix socket ECONNRESET says only that bytes were left unread. */
  readonly knowsReset: boolean;
}

/** The end of one session, from the first side that closes to the last socket destroyed. */
export class Closing {
  readonly #sides: Sides;
  readonly #over = Promise.withResolvers<RelayEnd>();
  #end: RelayEnd = 'closed';
  #clientTimer: NodeJS.Timeout | null = null;
  #upstreamTimer: NodeJS.Timeout | null = null;

  /** Nothing is listened to before `run`. */
  constructor(sides: Sides) {
    this.#sides = sides;
  }

  /** Waits until both sides have closed, and sees to it that they do. Both sockets are destroyed when it resolves. */
  async run(): Promise<RelayEnd> {
    const { client, upstream } = this.#sides;
    upstream
      .on('end', this.#onUpstreamCloses)
      .on('error', this.#onUpstreamError)
      .on('close', this.#onSocketClosed);
    client.on('end', this.#onClientCloses).on('error', this.#onClientError).on('close', this.#onSocketClosed);
    // What happened before now raises no event any more.
    if (client.destroyed) this.#clientBreaksOff();
    else if (upstream.destroyed) this.#upstreamBreaksOff();
    else if (client.readableEnded) this.#onClientCloses();
    this.#onSocketClosed();
    return await this.#over.promise;
  }

  // -- the rows of the table

  readonly #onUpstreamCloses = (): void => this.#closeClient(null);

  #upstreamBreaksOff(): void {
    const { client, raw } = this.#sides;
    this.#note('upstream-reset');
    if (client.writableLength === 0) {
      reset(raw);
      return;
    }
    // The client still gets what the upstream has said: this empty write ends when everything before it is written.
    client.write(NOTHING, () => reset(raw));
    this.#lingerFromNow();
  }

  readonly #onClientCloses = (): void => {
    const { client, raw, upstream } = this.#sides;
    upstream.end();
    // Node may report a reset as an end of stream; where the reset met the last write of the TLS handshake, no later
    // write of that TLS socket ever comes back. An empty write below TLS finds out: on a reset socket it fails.
    if (raw !== client) raw.write(NOTHING);
  };

  #clientBreaksOff(): void {
    this.#note('client-reset');
    reset(this.#sides.upstream);
  }

  /** Ends the session between two messages: with `answer`, or by closing alone. */
  endWith(answer: Buffer | null): void {
    this.#sides.upstream.destroy();
    // A client that does not read holds up the end for LINGER_MS at most.
    this.#lingerFromNow();
    this.#closeClient(answer);
  }

  /** Ends the session inside a message of the upstream's: an ErrorResponse would be read as a part of that message. */
  cutOff(): void {
    this.#sides.upstream.destroy();
    this.#sides.client.destroy();
  }

  // -- what happens, as Node tells it

  readonly #onUpstreamError = (): void => {
    const { upstream, knowsReset } = this.#sides;
    // The upstream has already sent all that it had to say. An error now means only that it did not read the client's
    // last bytes, so the client still gets every byte and a clean close.
    if (upstream.readableEnded) return;
    if (knowsReset) this.#upstreamBreaksOff();
    else this.#onUpstreamCloses();
  };

  readonly #onClientError = (): void => {
    // After an orderly close it says only that nobody took the gate's last words.
    if (this.#upstreamTimer === null) this.#clientBreaksOff();
  };

  readonly #onSocketClosed = (): void => {
    const { client, upstream } = this.#sides;
    if (client.destroyed && !upstream.destroyed) this.#leaveUpstream();
    // Nobody takes what the client says any more. It is read all the same: its end of stream must be noticed.
    else if (upstream.destroyed) client.resume();
    if (!client.destroyed || !upstream.destroyed) return;
    if (this.#clientTimer !== null) clearTimeout(this.#clientTimer);
    if (this.#upstreamTimer !== null) clearTimeout(this.#upstreamTimer);
    this.#over.resolve(this.#end);
  };

  // -- what the rows have in common

  /** The first side that breaks off is what the closing line names. */
  #note(end: RelayEnd): void {
    if (this.#end === 'closed') this.#end = end;
  }

  /** Sends the client what is queued, `answer`, and the end of the stream. It then has a while to close too. */
  #closeClient(answer: Buffer | null): void {
    const { client } = this.#sides;
    if (client.writableEnded) return;
    client.once('finish', () => this.#lingerFromNow());
    if (answer === null) client.end();
    else client.end(answer);
  }

  #lingerFromNow(): void {
    this.#clientTimer ??= setTimeout(() => this.#sides.client.destroy(), LINGER_MS);
  }

  /** The client is gone, and the upstream is not. */
  #leaveUpstream(): void {
    const { upstream } = this.#sides;
    // Both have closed in order, and the client's last bytes are on their way: the socket closes itself after them.
    if (this.#end === 'closed' && upstream.readableEnded && upstream.writableEnded)
      this.#upstreamTimer ??= setTimeout(() => upstream.destroy(), LINGER_MS);
    else upstream.destroy();
  }
}

/** Closes with a reset where the transport has one. */
function reset(socket: Socket): void {
  // A Unix-domain socket has none: its close alone tells the peer.
  const hasReset = socket.remotePort !== undefined;
  // libuv resets no socket whose shutdown is under way. Node does not expect that, and would never close the socket.
  const isShuttingDown = socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished;
  if (hasReset && !isShuttingDown) socket.resetAndDestroy();
  else socket.destroy();
}
