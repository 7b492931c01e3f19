// Reads an exact number of bytes from a socket and gives back the bytes beyond them. It is used before the relay only, on
// the raw socket, by the TLS side for a look at the ClientHello, and then on the TLS socket above it.

import type { Socket } from 'node:net';

/** Reads exactly as much as is asked for. Bytes beyond that stay here until `release` gives them back. */
export class ByteReader {
  readonly #socket: Socket;
  readonly #signal: AbortSignal;
  readonly #pending = new Pending();
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
    return this.#pending.take(length);
  }

  /** Waits for `length` bytes and leaves them where they are. */
  async peek(length: number): Promise<Buffer> {
    await this.#fill(length);
    return this.#pending.bytes.subarray(0, length);
  }

  /** Stops reading and puts the bytes that nobody asked for back into the socket, for its next reader. */
  release(): void {
    this.#socket.off('readable', this.#onEvent);
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('close', this.#onEnd);
    this.#socket.off('error', this.#onError);
    this.#signal.removeEventListener('abort', this.#onEvent);
    const rest = this.#pending.take(this.#pending.length);
    if (rest.length > 0 && !this.#socket.destroyed && !this.#socket.readableEnded) {
      this.#socket.unshift(rest);
    }
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
    for (let chunk = this.#read(); chunk !== null; chunk = this.#read()) this.#pending.append(chunk);
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

/**
 * Bytes that have arrived and were not taken. Appending costs linear time however small the pieces are; what was handed
 * out stays as it is.
 */
class Pending {
  #buffer: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  append(chunk: Buffer): void {
    if (this.#end + chunk.length > this.#buffer.length) {
      const { bytes } = this;
      // Never in place: somebody may hold what was taken.
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(bytes.length + chunk.length, bytes.length * 2));
      bytes.copy(this.#buffer);
      this.#start = 0;
      this.#end = bytes.length;
    }
    this.#end += chunk.copy(this.#buffer, this.#end);
  }

  /** At most `length` bytes, which are gone from here then. */
  take(length: number): Buffer {
    const taken = this.bytes.subarray(0, length);
    this.#start += taken.length;
    return taken;
  }
}

/** Every socket here has no encoding, so it reads buffers. */
function nextChunk(socket: Socket): Buffer | null {
  const chunk: unknown = socket.read();
  return chunk instanceof Buffer ? chunk : null;
}
