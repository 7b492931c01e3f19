// A console's connection: messages from the socket to the session one after another, and its answers back, no faster
// than the client takes them.

import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { ByteReader } from '../base/byte-reader.ts';
import { MessageFormatError } from '../protocol/message-reader.ts';
import type { BackendStatus } from '../protocol/message-boundary.ts';
import { authentication, encodeAuthentication } from '../protocol/authentication.ts';
import { encodeBackendKeyData } from '../protocol/backend-key-data.ts';
import { encodeParameterStatus } from '../protocol/parameter-status.ts';
import { encodeReadyForQuery } from '../protocol/ready-for-query.ts';
import { ConsoleSession } from './console-session.ts';
import type { ConsoleContext } from './executor.ts';
import { REPORTED_SETTINGS, serverVersion } from './server-settings.ts';

/** Longest message that a console takes, its length word included. */
const MAX_MESSAGE_BYTES = 1024 * 1024;

const HEADER_BYTES = 5;

/** What the connection needs beside what its statements do. */
export interface ConsoleConnectionOptions extends ConsoleContext {
  readonly key: Buffer;
  readonly idleTimeoutMs: number;
  readonly onIdle: () => void;
}

export class ConsoleConnection {
  /** Resolves when the client has left or `end` was called. Rejects with MessageFormatError for anything that is not a message. */
  readonly over: Promise<void>;
  readonly #client: Socket;
  readonly #options: ConsoleConnectionOptions;
  readonly #ended = new AbortController();
  readonly #session: ConsoleSession;
  #isBusy = false;

  constructor(client: Socket, options: ConsoleConnectionOptions) {
    this.#client = client;
    this.#options = options;
    this.#session = new ConsoleSession(options, {
      write: (message) => this.#write(message),
      drained: async () => await this.#drained(),
    });
    this.over = this.#serve();
  }

  get status(): BackendStatus {
    return this.#isBusy ? 'active' : this.#session.status;
  }

  cancel(): void {
    this.#session.cancel();
  }

  end(): void {
    this.#ended.abort();
    this.#session.close();
  }

  async #serve(): Promise<void> {
    const onClose = (): void => this.end();
    this.#client.on('close', onClose);
    const reader = new ByteReader(this.#client, this.#ended.signal);
    try {
      this.#greet();
      while (await this.#next(reader));
    } catch (error) {
      if (!this.#ended.signal.aborted) throw error;
    } finally {
      reader.release();
      this.#client.off('close', onClose);
      this.#session.close();
    }
  }

  #greet(): void {
    const { pid, key, view } = this.#options;
    this.#write(encodeAuthentication(authentication.ok));
    for (const [name, value] of REPORTED_SETTINGS) this.#write(encodeParameterStatus(name, value));
    this.#write(encodeParameterStatus('server_version', serverVersion(view.version)));
    this.#write(encodeParameterStatus('session_authorization', this.#options.user));
    this.#write(encodeBackendKeyData({ pid, key }));
    this.#write(encodeReadyForQuery('I'));
  }

  /** Carries one message out; false = the client has said goodbye, or has closed its sending side. */
  async #next(reader: ByteReader): Promise<boolean> {
    const message = await this.#read(reader);
    if (message === null) return false;
    this.#isBusy = true;
    try {
      const goesOn = await this.#session.receive(message.type, message.body);
      await this.#drained();
      return goesOn;
    } finally {
      this.#isBusy = false;
    }
  }

  async #read(reader: ByteReader): Promise<{ readonly type: string; readonly body: Buffer } | null> {
    const { idleTimeoutMs, onIdle } = this.#options;
    const timer = idleTimeoutMs === 0 ? null : setTimeout(onIdle, idleTimeoutMs);
    try {
      const header = await reader.read(HEADER_BYTES);
      if (header.length < HEADER_BYTES) return null;
      const length = header.readUInt32BE(1);
      // SECURITY: what follows an impossible length is not a message, and a long one is never waited for.
      if (length < 4 || length > MAX_MESSAGE_BYTES) throw new MessageFormatError('invalid message length');
      const body = await reader.read(length - 4);
      return body.length < length - 4 ? null : { type: header.toString('latin1', 0, 1), body };
    } finally {
      if (timer !== null) clearTimeout(timer);
    }
  }

  #write(message: Buffer): void {
    if (!this.#ended.signal.aborted && !this.#client.destroyed) this.#client.write(message);
  }

  /**
   * Lets the sessions have their turn: a thousand statements in one message are carried out without a look at a socket
   * otherwise.
   *
   * SECURITY: a client that does not read gets no second result into the memory of the gate.
   */
  async #drained(): Promise<void> {
    await setImmediate();
    const { signal } = this.#ended;
    while (this.#client.writableNeedDrain && !signal.aborted && !this.#client.destroyed) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.#client.off('drain', done).off('close', done);
          signal.removeEventListener('abort', done);
          resolve();
        };
        this.#client.on('drain', done).on('close', done);
        signal.addEventListener('abort', done);
      });
    }
  }
}
