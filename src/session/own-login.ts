// A login of the gate's own at the upstream: for its session with the catalogue, and for `check --connect`. Nothing of a
// client is in it. Secrets are answered as for clients, with the same bounds and the same proof of the upstream (login.md §5).

import type { Socket } from 'node:net';
import { toText, type ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import { authentication, type AuthenticationMessage } from '../protocol/authentication.ts';
import {
  decodeLoginMessage,
  LoginMessages,
  type LoginMessage,
  type LoginPart,
} from '../protocol/login-messages.ts';
import { MESSAGE_HEADER_LENGTH, backendMessage } from '../protocol/message.ts';
import { encodeParameters } from '../protocol/startup-message.ts';
import { violation } from '../protocol/violation.ts';
import type { UpstreamDemand } from '../rules/types.ts';
import type { Dialer, DialSettings } from './dial.ts';
import { closedEarly } from './dial-errors.ts';
import { destroyOnAbort } from './end-signal.ts';
import { LoginGuard } from './login-guard.ts';
import { loginRefused, type UpstreamAnswers } from './upstream-answers.ts';

/** SECURITY: more than any server says in a login, in bytes. Without it a lying one fills the gate's memory. */
const MAX_LOGIN_BYTES = 1_048_576;

export interface OwnLoginOptions {
  readonly user: ByteString;
  readonly database: ByteString;
  readonly applicationName: string;
  /** What the upstream's requests are answered with. */
  readonly answers: UpstreamAnswers;
  /** Called for each request, before it is answered. */
  readonly onAsked?: (message: AuthenticationMessage) => void;
  /** What the upstream must ask for, at least. */
  readonly demand?: UpstreamDemand;
  /** Ends the attempt with its reason. connect_timeout bounds it in any case. */
  readonly signal?: AbortSignal;
}

/** A session of the gate's own, at its ReadyForQuery. */
export interface OwnLogin {
  /** Nothing listens to its data. The caller closes it. */
  readonly socket: Socket;
  /** As the upstream names it; null = it does not. */
  readonly serverVersion: string | null;
}

/**
 * Dials the upstream and logs in.
 *
 * @throws GatehouseError what Dialer.dial throws, `upstream-refused`, `upstream-login-refused`,
 *   `upstream-login-impossible`, `upstream-untrusted`, `upstream-protocol-violation`, `upstream-closed-early`,
 *   `upstream-authentication-too-weak`
 */
export async function logInAsGate(
  dialer: Dialer,
  settings: DialSettings,
  options: OwnLoginOptions,
): Promise<OwnLogin> {
  const { signal } = options;
  const { socket, answered } = await dialer.dial(settings, signal === undefined ? {} : { signal });
  // Without this an upstream that is silent from here on keeps the process up until connect_timeout.
  const stopWatching = signal === undefined ? null : destroyOnAbort(socket, signal);
  try {
    const login = await new OwnLoginExchange(socket, options).run();
    answered();
    return login;
  } catch (error) {
    socket.destroy();
    throw error instanceof GatehouseError ? error : closedEarly(error);
  } finally {
    stopWatching?.();
  }
}

class OwnLoginExchange {
  readonly #socket: Socket;
  readonly #options: OwnLoginOptions;
  readonly #guard: LoginGuard;
  readonly #messages = new LoginMessages();
  #message: LoginMessage = { kind: 'other' };
  #serverVersion: string | null = null;

  constructor(socket: Socket, options: OwnLoginOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#guard = new LoginGuard(options.demand ?? 'none', options.user);
  }

  async run(): Promise<OwnLogin> {
    this.#socket.write(this.#startup());
    let received = 0;
    for await (const chunk of this.#socket.iterator({ destroyOnReturn: false })) {
      if (!(chunk instanceof Buffer)) throw closedEarly();
      received += chunk.length;
      if (received > MAX_LOGIN_BYTES) throw violation('a login of more than a megabyte');
      this.#messages.push(chunk);
      for (let part = this.#messages.next(); part !== null; part = this.#messages.next()) {
        if (await this.#take(part)) return this.#login();
      }
    }
    throw closedEarly();
  }

  /** SECURITY: raw bytes both ways, since names are bytes; and nothing that a client has sent. */
  #startup(): Buffer {
    const { user, database, applicationName } = this.#options;
    return encodeParameters(
      new Map([
        ['user', user],
        ['database', database],
        ['client_encoding', 'SQL_ASCII'],
        ['application_name', applicationName],
      ]),
    );
  }

  /** Returns true at ReadyForQuery. */
  async #take(part: LoginPart): Promise<boolean> {
    const bytes = Buffer.from(part.bytes);
    if (part.begins) {
      this.#message = decodeLoginMessage(bytes);
      await this.#judge(this.#message, bytes);
    }
    return part.ends && this.#message.kind === 'ready-for-query';
  }

  async #judge(message: LoginMessage, bytes: Buffer): Promise<void> {
    const { answers, onAsked } = this.#options;
    if (message.kind === 'error') throw refused(message, answers.hasSpoken && !this.#guard.isAuthenticated);
    if (message.kind === 'authentication' && message.code !== authentication.ok) onAsked?.(message);
    this.#guard.check(message, false);
    if (message.kind === 'other') this.#noteVersion(bytes);
    if (message.kind !== 'authentication') return;
    if (message.code === authentication.ok) {
      answers.finish();
      return;
    }
    const answer = await answers.answer(message, bytes);
    if (answer !== null) this.#socket.write(answer);
  }

  #noteVersion(bytes: Buffer): void {
    if (bytes[0] !== backendMessage.parameterStatus) return;
    const [name, value] = bytes.subarray(MESSAGE_HEADER_LENGTH).toString('latin1').split('\0');
    if (name === 'server_version') this.#serverVersion = toText(value ?? '').slice(0, 100);
  }

  #login(): OwnLogin {
    // SECURITY: an answer before the first question is none.
    if (this.#messages.rest.length > 0) throw violation('bytes after ReadyForQuery');
    return { socket: this.#socket, serverVersion: this.#serverVersion };
  }
}

function refused(error: Extract<LoginMessage, { kind: 'error' }>, hasSpoken: boolean): GatehouseError {
  if (hasSpoken) return loginRefused(error);
  return new GatehouseError('upstream-refused', {
    message: `the upstream server refused the login: ${error.message}`,
    fields: { upstream_sqlstate: error.sqlstate },
  });
}
