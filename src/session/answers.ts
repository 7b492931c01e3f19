// The client's side of a login: reads the answers that the upstream has asked for, and nothing else. Everything else
// stays in the client's socket until the relay begins.

import type { Socket } from 'node:net';
import type { ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import type { AnswerRequest } from '../protocol/authentication.ts';
import { frontendMessage, MESSAGE_HEADER_LENGTH } from '../protocol/message.ts';

/** How far a request has come: the client is asked, or its whole answer has been read. */
export type AnswerStep = 'asked' | 'answered';

/** What happens with the client's answers. Called from the socket's events, and never after `release`. */
export interface AnswerHandlers {
  /** One whole message of type `p`, which was asked for. */
  readonly onAnswer: (message: Buffer) => void;
  /** The client has closed its sending side after its last byte. `isOwing`: in place of an answer. */
  readonly onEnd: (isOwing: boolean) => void;
  /** The client has sent something else than the answer that it owes. */
  readonly onFault: (error: GatehouseError) => void;
}

/** Reads one answer for each request; between requests it takes no byte from the socket. */
export class AnswerReader {
  readonly #socket: Socket;
  readonly #user: ByteString;
  readonly #handlers: AnswerHandlers;
  #owed = 0;
  #request: AnswerRequest | null = null;
  /** The message that is being read: its header, then room for all of it. */
  #message = Buffer.alloc(MESSAGE_HEADER_LENGTH);
  #filled = 0;
  #hasEnded = false;

  /**
   * @param socket paused, and read by no other code until `release`
   * @param user as the client named itself, for the text of a refusal
   */
  constructor(socket: Socket, user: ByteString, handlers: AnswerHandlers) {
    this.#socket = socket;
    this.#user = user;
    this.#handlers = handlers;
  }

  /** The client has closed its sending side, and every byte before that has been read. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** The request that the client was sent last; null before the first. */
  get lastRequest(): AnswerRequest | null {
    return this.#request;
  }

  /** Answers that were asked for and have not been read whole. */
  get owed(): number {
    return this.#owed;
  }

  /** Begins to listen, also for the client's end. */
  start(): void {
    this.#socket.on('readable', this.#read);
    this.#socket.on('end', this.#onEnd);
    if (this.#socket.readableEnded) this.#onEnd();
  }

  /** The upstream has asked: one more answer may be read. */
  expect(request: AnswerRequest): void {
    this.#request = request;
    this.#owed++;
    if (this.#hasEnded) this.#handlers.onEnd(true);
    else this.#read();
  }

  /** Nothing is owed any more. A part of an answer that was read goes back into the socket. */
  forgo(): void {
    this.#owed = 0;
    const part = Buffer.from(this.#message.subarray(0, this.#filled));
    this.#begin();
    if (part.length > 0 && !this.#socket.destroyed && !this.#socket.readableEnded) this.#socket.unshift(part);
  }

  /** Stops reading; the socket is the next owner's, with every byte that was not an answer. */
  release(): void {
    this.#socket.off('readable', this.#read);
    this.#socket.off('end', this.#onEnd);
    this.forgo();
  }

  readonly #read = (): void => {
    const { onAnswer, onFault } = this.#handlers;
    try {
      // SECURITY: an answer is read only where one is owed. Read sooner, a message sent before the upstream asked for
      // anything would reach a server that trusts, as the first message of a session.
      while (this.#owed > 0) {
        const message = this.#take();
        if (message === null) break;
        this.#owed--;
        onAnswer(message);
      }
    } catch (error) {
      if (!(error instanceof GatehouseError)) throw error;
      onFault(error);
      return;
    }
    // With nothing left to read, this makes the stream report its end. It never takes a byte.
    if (this.#socket.readableLength === 0) this.#socket.read(0);
  };

  readonly #onEnd = (): void => {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#handlers.onEnd(this.#owed > 0);
  };

  /** One whole answer, or null until all of it is there. @throws GatehouseError for anything else */
  #take(): Buffer | null {
    if (!this.#fill(1)) return null;
    this.#checkType();
    if (!this.#fill(MESSAGE_HEADER_LENGTH)) return null;
    const length = this.#checkedLength();
    if (this.#message.length !== 1 + length) {
      const whole = Buffer.allocUnsafeSlow(1 + length);
      this.#message.copy(whole, 0, 0, MESSAGE_HEADER_LENGTH);
      this.#message = whole;
    }
    if (!this.#fill(1 + length)) return null;
    const message = this.#message;
    this.#begin();
    return message;
  }

  #begin(): void {
    this.#message = Buffer.alloc(MESSAGE_HEADER_LENGTH);
    this.#filled = 0;
  }

  /** Reads until `size` bytes of the message are there; takes none beyond them. */
  #fill(size: number): boolean {
    while (this.#filled < size) {
      const missing = Math.min(size - this.#filled, this.#socket.readableLength);
      // A stream that is asked for more than it has reports `readable` again and again.
      const chunk: unknown = missing === 0 ? null : this.#socket.read(missing);
      if (!(chunk instanceof Buffer)) return false;
      this.#filled += chunk.copy(this.#message, this.#filled);
    }
    return true;
  }

  /** SECURITY: only a `p` is an answer. Any other message would be a command to a server that asks and then trusts. */
  #checkType(): void {
    const [type = 0] = this.#message;
    if (type === frontendMessage.password) return;
    throw new GatehouseError('invalid-authentication-message', {
      reply: `expected ${this.#request?.what ?? 'password'} response, got message type ${type}`,
    });
  }

  /**
   * As PostgreSQL does: a SASL message of a wrong length fails like a wrong password, any other is closed without a
   * word.
   */
  #checkedLength(): number {
    const length = this.#message.readUInt32BE(1);
    const { what = 'password', maxLength = 0 } = this.#request ?? {};
    if (length >= 4 && length <= maxLength) return length;
    throw new GatehouseError('invalid-authentication-message', {
      message: 'invalid message length',
      ...(what === 'SASL'
        ? { sqlstate: '28P01', reply: `password authentication failed for user "${this.#user}"` }
        : {}),
    });
  }
}
