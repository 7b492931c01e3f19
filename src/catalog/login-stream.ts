// What node-postgres is given in place of a socket: a session that the gate has logged in itself. SECURITY: the library never
// sees a secret and is never asked for one, so that how secrets are answered is written once, in session/.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { encodeAuthentication, authentication } from '../protocol/authentication.ts';
import { AnswerMessages } from '../protocol/query/answer.ts';
import { encodeReadyForQuery } from '../protocol/ready-for-query.ts';

/** Error of a session whose server has said more than its question allows. */
class AnswerTooLong extends Error {
  constructor() {
    super('the answer is too long');
    this.name = 'AnswerTooLong';
  }
}

/** A socket at its ReadyForQuery, played to a library that believes it is logging in without a password. */
export class LoginStream extends Duplex {
  readonly #socket: Socket;
  readonly #answers = new AnswerMessages();
  #isGreeted = false;
  /** Bytes that the server may still send. */
  #allowed: number;

  /**
   * @param allowed how many bytes the server may send until `allow` is called again
   */
  constructor(socket: Socket, allowed: number) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#allowed = allowed;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** The server may send this many bytes more, for the next question. */
  allow(bytes: number): void {
    this.#allowed = bytes;
  }

  /** What a library calls on a new socket. */
  connect(): this {
    setImmediate(() => this.emit('connect'));
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  ref(): this {
    this.#socket.ref();
    return this;
  }

  unref(): this {
    this.#socket.unref();
    return this;
  }

  /**
   * SECURITY: the library decodes what the server says in a listener of `data`, and throws there at what no server says.
   * Uncaught, that would end the process.
   */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event !== 'data') return super.emit(event, ...args);
    try {
      return super.emit(event, ...args);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
      return true;
    }
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    if (this.#isGreeted) {
      this.#socket.write(chunk, callback);
      return;
    }
    // The library's StartupMessage: the server has had the gate's own.
    this.#isGreeted = true;
    this.push(Buffer.concat([encodeAuthentication(authentication.ok), encodeReadyForQuery('I')]));
    callback();
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#socket.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#socket.destroy();
    callback(error);
  }

  #receive(chunk: Buffer): void {
    this.#allowed -= chunk.length;
    // SECURITY: a server that answers without end would fill the memory of the process that every worker needs.
    if (this.#allowed < 0) this.destroy(new AnswerTooLong());
    else this.#pass(chunk);
  }

  /** SECURITY: the library gets whole messages whose form has been checked, and no others. */
  #pass(chunk: Buffer): void {
    try {
      const whole = this.#answers.push(chunk);
      if (whole.length > 0 && !this.push(whole)) this.#socket.pause();
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
