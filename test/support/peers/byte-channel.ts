// One end of a connection, byte by byte: what the raw client and the scripted upstream have in common. Reads come
// from a buffer that fills by itself, every wait has a deadline, and how the other end closed is told apart.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { PATIENCE_MS, within } from '../run/waiting.ts';
import type { Message } from './messages.ts';

/** How the other end finished. */
export type Closing =
  /** It sent FIN (inside TLS: close_notify or FIN). */
  | { readonly how: 'end' }
  /** A reset, or an error of the TLS layer. */
  | { readonly how: 'error'; readonly error: NodeJS.ErrnoException };

/** Thrown by a read that will never get what it asked for. */
export class ClosedEarlyError extends Error {
  readonly closing: Closing;
  /** What had come until then. */
  readonly bytes: Buffer;
  constructor(wanted: string, closing: Closing, bytes: Buffer) {
    const how = closing.how === 'end' ? 'closed' : `failed (${closing.error.message})`;
    super(`wanted ${wanted}; the connection ${how} after ${bytes.length} bytes: ${printable(bytes)}`);
    this.name = 'ClosedEarlyError';
    this.closing = closing;
    this.bytes = bytes;
  }
}

export class ByteChannel {
  /** The stream in use: the TLSSocket once there is one. */
  socket: Socket;
  /** How long it waits for anything unless it is told otherwise. */
  patienceMs = PATIENCE_MS;
  #buffered: Buffer[] = [];
  #length = 0;
  #received: Buffer[] = [];
  #closing: Closing | null = null;
  #wake: (() => void) | null = null;
  #closed = Promise.withResolvers<Closing>();

  constructor(socket: Socket) {
    this.socket = socket;
    this.attach(socket);
  }

  /** Every byte that came, in clear, read from here or not. */
  get received(): Buffer {
    return Buffer.concat(this.#received);
  }

  /** Resolves when the other end has finished sending, or the connection has failed. */
  get closed(): Promise<Closing> {
    return within(this.#closed.promise, 'the other end to close', this.patienceMs);
  }

  /** As `closed`, however long it takes. */
  protected get hasClosed(): Promise<Closing> {
    return this.#closed.promise;
  }

  get isClosed(): boolean {
    return this.#closing !== null;
  }

  /** Writes, and resolves when the bytes were handed to the kernel. */
  async send(...parts: readonly Uint8Array[]): Promise<void> {
    const bytes = Buffer.concat(parts);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    await within(promise, `${bytes.length} bytes to be written`, this.patienceMs);
  }

  /** Writes each byte in a segment of its own. */
  async sendByteByByte(bytes: Uint8Array): Promise<void> {
    for (const byte of bytes) await this.send(Buffer.from([byte]));
  }

  /** Exactly n bytes. @throws ClosedEarlyError */
  async read(n: number, timeoutMs = this.patienceMs): Promise<Buffer> {
    await this.#until(() => this.#length >= n, `${n} bytes`, timeoutMs);
    return this.#take(n);
  }

  /** The next message with a type byte. @throws ClosedEarlyError */
  async readMessage(timeoutMs = this.patienceMs): Promise<Message> {
    const head = await this.read(5, timeoutMs);
    return { type: head.toString('latin1', 0, 1), body: await this.read(head.readInt32BE(1) - 4, timeoutMs) };
  }

  /** Messages up to and including the first of one of these types. @throws ClosedEarlyError */
  async readMessagesUntil(types: string, timeoutMs = this.patienceMs): Promise<Message[]> {
    const messages: Message[] = [];
    for (;;) {
      const next = await this.readMessage(timeoutMs);
      messages.push(next);
      if (types.includes(next.type)) return messages;
    }
  }

  /** A packet without type byte, as they open a connection: its body. @throws ClosedEarlyError */
  async readPacket(timeoutMs = this.patienceMs): Promise<Buffer> {
    const head = await this.read(4, timeoutMs);
    return this.read(head.readInt32BE(0) - 4, timeoutMs);
  }

  /** Everything that comes until the other end finishes, however it does. */
  async readUntilClose(timeoutMs = this.patienceMs): Promise<Buffer> {
    await within(
      this.#closed.promise,
      () => `the other end to close; it sent ${printable(this.received)}`,
      timeoutMs,
    );
    return this.#take(this.#length);
  }

  /** Waits for the end and wants no byte before it. @throws Error when some came. */
  async expectClosed(timeoutMs = this.patienceMs): Promise<Closing> {
    const bytes = await this.readUntilClose(timeoutMs);
    if (bytes.length > 0)
      throw new Error(`expected the connection to close without a byte; got ${printable(bytes)}`);
    return this.#closing!;
  }

  /** Sends FIN (inside TLS: close_notify, then FIN); what the other end sends is still read. */
  halfClose(): void {
    this.socket.end();
  }

  /** Stops reading, so that the other end's writes back up. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Reads from another stream from now on; what is still buffered goes back to the old one, for TLS to take over. */
  protected attach(socket: Socket): void {
    socket.setNoDelay?.(true);
    socket.on('data', (chunk: Buffer) => {
      this.#buffered.push(chunk);
      this.#received.push(chunk);
      this.#length += chunk.length;
      this.#wake?.();
    });
    socket.on('end', () => this.#finish({ how: 'end' }));
    socket.on('error', (error) => this.#finish({ how: 'error', error }));
    socket.on('close', () => this.#finish({ how: 'end' }));
    this.socket = socket;
  }

  /** Lets go of the stream in use: its surplus is put back, its listeners are gone. */
  protected detach(): Socket {
    const { socket } = this;
    socket.pause();
    for (const event of ['data', 'end', 'error', 'close']) socket.removeAllListeners(event);
    const surplus = this.#take(this.#length);
    if (surplus.length > 0) socket.unshift(surplus);
    return socket;
  }

  #finish(closing: Closing): void {
    this.#closing ??= closing;
    this.#closed.resolve(this.#closing);
    this.#wake?.();
  }

  async #until(satisfied: () => boolean, wanted: string, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!satisfied()) {
      if (this.#closing !== null) throw new ClosedEarlyError(wanted, this.#closing, this.#take(this.#length));
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const what = () => `${wanted}; ${this.#length} came: ${printable(Buffer.concat(this.#buffered))}`;
      await within(promise, what, deadline - Date.now());
    }
  }

  #take(n: number): Buffer {
    const all = Buffer.concat(this.#buffered);
    this.#buffered = n < all.length ? [all.subarray(n)] : [];
    this.#length = all.length - n;
    return all.subarray(0, n);
  }
}

/** Resolves when the socket is connected. @throws Error when it cannot be. */
export async function connected(socket: Socket): Promise<void> {
  await within(once(socket, 'connect'), 'a TCP connection');
}

/** Bytes for an error message: ASCII as it is, the rest as \xNN, 300 at most. */
export function printable(bytes: Uint8Array): string {
  const shown = Array.from(bytes.subarray(0, 300), (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`,
  );
  return `"${shown.join('')}"${bytes.length > 300 ? '…' : ''}`;
}
