// A PostgreSQL client that is nothing but bytes: it sends what a test tells it, in the pieces it is told.

import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import * as tls from 'node:tls';
import { ByteChannel, connected } from './byte-channel.ts';
import {
  decodeBackendKeyData,
  decodeErrorResponse,
  decodeParameterStatus,
  sslRequest,
  startupMessage,
  type Message,
  type Parameters,
} from './messages.ts';
import { atEnd, type Scope } from '../run/scope.ts';
import { within } from '../run/waiting.ts';

export * from './messages.ts';
export { ByteChannel, ClosedEarlyError, type Closing } from './byte-channel.ts';

/** node:tls's options, minus the transport; PEM texts. Nothing is verified unless `ca` is given. */
export type ClientTlsOptions = Omit<tls.ConnectionOptions, 'socket' | 'host' | 'port' | 'path'>;

/** What a StartupMessage came to. */
export interface Login {
  readonly messages: readonly Message[];
  /** The ErrorResponse's fields, or null after ReadyForQuery. */
  readonly error: Readonly<Record<string, string>> | null;
  readonly parameters: Readonly<Record<string, string>>;
  readonly key: { readonly pid: number; readonly key: Buffer } | null;
}

export class RawClient extends ByteChannel {
  /** The TCP socket, under TLS or not. */
  readonly raw: Socket;
  #tls: tls.TLSSocket | null = null;

  constructor(raw: Socket) {
    super(raw);
    this.raw = raw;
  }

  /** @throws Error before startTls() */
  get tls(): tls.TLSSocket {
    if (this.#tls === null) throw new Error('the client does not speak TLS');
    return this.#tls;
  }

  /** Sends SSLRequest and gives the answer's one byte. */
  async requestTls(): Promise<string> {
    await this.send(sslRequest());
    return (await this.read(1)).toString('latin1');
  }

  /**
   * Runs the TLS handshake on the connection; reads and writes go through it from then on.
   * @throws Error OpenSSL's, when the handshake fails here or is refused there.
   */
  async startTls(options: ClientTlsOptions = {}): Promise<tls.TLSSocket> {
    const raw = this.detach();
    const secure = tls.connect({ rejectUnauthorized: options.ca !== undefined, ...options, socket: raw });
    this.#tls = secure;
    this.attach(secure);
    // once() rejects on 'error'; a peer that just closes in mid-handshake gives neither, only 'close'.
    const refused = once(secure, 'close').then(() => {
      throw new Error('the connection closed during the TLS handshake');
    });
    refused.catch(() => undefined);
    const over = Promise.race([once(secure, 'secureConnect'), refused]);
    await within(over, 'the TLS handshake', this.patienceMs);
    return secure;
  }

  /** SSLRequest, then the handshake. @throws Error when the answer is not S, or the handshake fails. */
  async openTls(options: ClientTlsOptions = {}): Promise<tls.TLSSocket> {
    const answer = await this.requestTls();
    if (answer !== 'S') throw new Error(`SSLRequest was answered ${JSON.stringify(answer)}`);
    return this.startTls(options);
  }

  /** Sends a StartupMessage and reads up to ReadyForQuery or an ErrorResponse; no password is given. */
  async login(parameters: Parameters, version?: number): Promise<Login> {
    await this.send(startupMessage(parameters, version));
    return this.readLogin();
  }

  /** Reads up to ReadyForQuery or an ErrorResponse. */
  async readLogin(): Promise<Login> {
    const messages = await this.readMessagesUntil('ZE');
    const last = messages.at(-1)!;
    const keyData = messages.find(({ type }) => type === 'K');
    return {
      messages,
      error: last.type === 'E' ? decodeErrorResponse(last) : null,
      parameters: Object.fromEntries(messages.filter(({ type }) => type === 'S').map(decodeParameterStatus)),
      key: keyData === undefined ? null : decodeBackendKeyData(keyData),
    };
  }

  /** Ends the connection with a TCP reset. */
  reset(): void {
    this.raw.resetAndDestroy();
  }
}

/** Where to connect: a port on 127.0.0.1, or what node:net takes. */
export type Destination = number | NetConnectOpts;

/** Connects; the connection is gone when the test is. */
export async function connectRaw(t: Scope, destination: Destination): Promise<RawClient> {
  const socket = connect({
    ...(typeof destination === 'number' ? { host: '127.0.0.1', port: destination } : destination),
    allowHalfOpen: true,
  });
  atEnd(t, () => socket.destroy());
  await connected(socket);
  return new RawClient(socket);
}
