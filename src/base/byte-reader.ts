// Reads an exact number of bytes from a socket and gives back the bytes beyond them. It is used before the relay only, on
// the raw socket and then on the TLS socket above it.

import type { Socket } from 'node:net';

/** Reads exactly as much as is asked for. Bytes beyond that stay here until `release` gives them back. */
export class ByteReader {
  readonly #socket: Socket;
  readonly #signal: AbortSignal;
  #pending: Buffer = Buffer.alloc(0);
  #ended = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;

  /**
   * @param socket paused, and read by nobody else until `release`
   * @param signal ends every wait; its reason is what the read then throws
   */
  constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
    this.#ended = socket.destroyed || socket.readableEnded;
    socket.on('readable', this.#onEvent);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onEnd);
    socket.on('error', this.#onError);
    signal.addEventListener('abort', this.#onEvent);
  }

  /** Bytes that have arrived and were not asked for yet. */
  get surplus(): number {
    this.#drain();
    return this.#pending.length;
  }

  /** The error that ended the stream. Null where the peer has closed it in order, or where it is open. */
  get error(): Error | null {
    return this.#error;
  }

  /**
   * Waits for `length` bytes and takes them.
   *
   * @returns the bytes, or fewer when the peer has closed before sending them all
   * @throws the signal's reason
   */
  async read(length: number): Promise<Buffer> {
    await this.#fill(length);
    const bytes = this.#pending.subarray(0, length);
    this.#pending = this.#pending.subarray(bytes.length);
    return bytes;
  }

  /** Waits for `length` bytes and leaves them where they are. */
  async peek(length: number): Promise<Buffer> {
    await this.#fill(length);
    return this.#pending.subarray(0, length);
  }

  /** Stops reading and puts the bytes that nobody asked for back into the socket, for its next reader. */
  release(): void {
    this.#socket.off('readable', this.#onEvent);
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('close', this.#onEnd);
    this.#socket.off('error', this.#onError);
    this.#signal.removeEventListener('abort', this.#onEvent);
    if (this.#pending.length > 0 && !this.#socket.destroyed && !this.#socket.readableEnded) {
      this.#socket.unshift(this.#pending);
    }
    this.#pending = Buffer.alloc(0);
  }

  /** Every wait ends in an event: data, the stream's end, or the signal. */
  async #fill(length: number): Promise<void> {
    for (;;) {
      this.#signal.throwIfAborted();
      // Drain only when more is asked for. A peer that sends without end then fills its own buffers, not ours.
      if (this.#pending.length < length) this.#drain();
      if (this.#pending.length >= length || this.#ended) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = null;
    }
  }

  #drain(): void {
    const chunks: Buffer[] = [];
    for (let chunk = this.#read(); chunk !== null; chunk = this.#read()) chunks.push(chunk);
    if (chunks.length > 0) this.#pending = Buffer.concat([this.#pending, ...chunks]);
  }

  #read(): Buffer | null {
    return this.#socket.destroyed ? null : nextChunk(this.#socket);
  }

  readonly #onEvent = (): void => this.#wake?.();
  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wake?.();
  };
  readonly #onError = (error: Error): void => {
    this.#error ??= error;
  };
}

/** Every socket here has no encoding, so it reads buffers. */
function nextChunk(socket: Socket): Buffer | null {
  const chunk: unknown = socket.read();
  return chunk instanceof Buffer ? chunk : null;
}
