// The login at the upstream. It reads every message of the upstream before the client sees it: nothing weaker than the
// deciding line demands may get through. Of the client it reads only the answers that the upstream has asked for: a
// client that has proved nothing must not speak to the upstream.

import type { Socket } from 'node:net';
import type { ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import { encodeBackendKeyData, type CancelKey } from '../protocol/backend-key-data.ts';
import { authentication, requestedAnswer, type AuthenticationMessage } from '../protocol/authentication.ts';
import {
  decodeLoginMessage,
  LoginMessages,
  type LoginMessage,
  type LoginPart,
} from '../protocol/login-messages.ts';
import type { UpstreamError } from '../protocol/error-response.ts';
import type { BackendStream } from '../protocol/message-boundary.ts';
import type { UpstreamDemand } from '../rules/types.ts';
import { AnswerReader, type AnswerStep } from './answers.ts';
import { LoginGuard } from './login-guard.ts';
import { destroyOnAbort } from './end-signal.ts';
import { readNoMore, type UpstreamLink } from './dial.ts';
import { closedEarly } from './dial-errors.ts';
import { loginRefused, type UpstreamAnswers } from './upstream-answers.ts';

const NOTHING = Buffer.alloc(0);

/** The client as the login needs it. */
export interface LoginClient {
  /** Paused, and read by no other code until the login is over. */
  readonly socket: Socket;
  /** The TCP socket under `socket`, or `socket` itself where the client speaks no TLS. */
  readonly raw: Socket;
  /** Follows everything that the client is sent: an error may be sent only between two messages. */
  readonly said: BackendStream;
}

/**
 * Where the gate's own answers come from; asked at the upstream's first request. Null = the requests go to the client.
 */
export type AnswerSource = () => Promise<UpstreamAnswers | null>;

/** How an upstream is found out that does not take the gate's own settings. */
export interface AddedSettings {
  /** Whether its error is about them. */
  readonly isRefusal: (error: UpstreamError) => boolean;
  /** Nobody knows yet: AuthenticationOk waits until the next message has shown that the upstream takes them. */
  readonly isTrial: boolean;
}

export interface LoginOptions {
  /** The StartupMessage to send. */
  readonly startup: Buffer;
  /** What the deciding line wants the upstream to ask the client for, at least. */
  readonly demand: UpstreamDemand;
  /** As the client named itself, for the text of a refusal. */
  readonly user: ByteString;
  /** What the upstream is answered with by the gate itself (contract §12); null = its requests go to the client. */
  readonly answers: AnswerSource | null;
  /** Settings of the gate's own in the startup (contract §15); null = there are none. */
  readonly settings: AddedSettings | null;
  /** Of each request of the upstream's that the client is to answer. */
  readonly onStep: (step: AnswerStep) => void;
  /** The upstream has sent BackendKeyData; returns what the client is sent instead, null = nothing. */
  readonly onBackendKey: (theirs: CancelKey) => CancelKey | null;
  /** Called with each answer of the client: it goes on to the upstream once this has resolved. Null = at once. */
  readonly beforeAnswer: (() => Promise<void>) | null;
  /** AuthenticationOk has come and satisfies the demand. It is sent once this has resolved, and not if it rejects. */
  readonly onAuthenticated: () => Promise<void>;
  /** Ends the login with its reason. */
  readonly signal: AbortSignal;
}

/** What a finished login leaves behind. */
export interface Login {
  /** What the upstream sent after its ReadyForQuery; belongs to the client. */
  readonly rest: Buffer;
}

/**
 * Sends the startup and relays the upstream's answers, each checked first, until ReadyForQuery. Of the client the
 * upstream gets one `p` message for each request that wants an answer (contract §7.33). Everything else that the client
 * sends stays in its socket. The link then holds what comes next until its `receive` is replaced and its socket
 * resumed.
 *
 * With `answers` the client sees no request of the upstream's, and is asked for nothing.
 *
 * @returns `settings-refused` = the upstream does not take the gate's settings, and the client does not know of this
 *   login yet: another may be made in its place
 * @throws GatehouseError `upstream-refused` once the upstream's own ErrorResponse has been sent on,
 *   `upstream-authentication-too-weak`, `upstream-closed-early`, `upstream-timeout`, `upstream-protocol-violation`,
 *   `invalid-authentication-message`, `client-gave-up`, `upstream-login-impossible`, `upstream-login-refused`,
 *   `upstream-untrusted`, `secrets-unavailable`, or whatever the upstream's socket was destroyed with
 */
export async function logIn(
  client: LoginClient,
  link: UpstreamLink,
  options: LoginOptions,
): Promise<Login | 'settings-refused'> {
  return await new LoginExchange(client, link, options).run();
}

/** One login, from the startup to ReadyForQuery or its failure. */
class LoginExchange {
  readonly #client: LoginClient;
  readonly #link: UpstreamLink;
  readonly #options: LoginOptions;
  readonly #messages = new LoginMessages();
  readonly #guard: LoginGuard;
  readonly #answers: AnswerReader;
  /** Answers that have been read and wait until they may go on. */
  #waitingAnswers = 0;
  readonly #over = Promise.withResolvers<'ready' | 'settings-refused'>();
  #isOver = false;
  /** What the gate itself answers with; null = nothing, or not yet known. */
  #own: UpstreamAnswers | null = null;
  #source: AnswerSource | null;
  /** AuthenticationOk waits for the session's place, and everything after it too. */
  #isHeld = false;
  /** AuthenticationOk, while nobody knows whether the upstream will take the gate's settings. */
  #ok: LoginPart | null = null;
  /** The client knows that it is in. */
  #isTold = false;
  /** The message that the client is being sent. */
  #message: LoginMessage = { kind: 'other' };

  constructor(client: LoginClient, link: UpstreamLink, options: LoginOptions) {
    this.#client = client;
    this.#link = link;
    this.#options = options;
    this.#source = options.answers;
    this.#guard = new LoginGuard(options.demand, options.user);
    this.#answers = new AnswerReader(client.socket, options.user, {
      onAnswer: (message) => void this.#send(message, options.beforeAnswer),
      onEnd: this.#onClientEnd,
      onFault: (error) => this.#fail(error),
    });
  }

  async run(): Promise<Login | 'settings-refused'> {
    const { socket } = this.#link;
    const client = this.#client.socket;
    const stopWatching = destroyOnAbort(socket, this.#options.signal);
    this.#link.receive = this.#onUpstreamBytes;
    socket.on('end', this.#onUpstreamClosed).on('close', this.#onUpstreamClosed);
    socket.on('error', this.#onUpstreamError);
    client.on('drain', this.#onClientDrain);
    try {
      if (socket.destroyed) this.#onUpstreamClosed();
      socket.write(this.#options.startup);
      socket.resume();
      this.#answers.start();
      if ((await this.#over.promise) === 'settings-refused') return 'settings-refused';
    } finally {
      this.#link.receive = readNoMore;
      this.#link.answered();
      stopWatching();
      this.#answers.release();
      client.off('drain', this.#onClientDrain);
      socket.off('end', this.#onUpstreamClosed).off('close', this.#onUpstreamClosed);
      socket.off('error', this.#onUpstreamError);
    }
    return { rest: this.#messages.rest };
  }

  // -- upstream to client

  readonly #onUpstreamBytes = (length: number, slab: Buffer): boolean => {
    this.#link.answered();
    try {
      this.#messages.push(slab.subarray(0, length));
      return this.#passAll();
    } catch (error) {
      this.#fail(error);
      return false;
    }
  };

  /**
   * Passes on what has arrived, in one write: a server says a dozen messages at once, and each write to the client would
   * be a TLS record and a call of the system. False = what comes next waits in the kernel.
   *
   * @param first passes on what was held back, before the others
   */
  #passAll(first: () => void = () => {}): boolean {
    const { socket } = this.#client;
    socket.cork();
    try {
      first();
      return this.#passEach();
    } finally {
      socket.uncork();
    }
  }

  #passEach(): boolean {
    while (!this.#isOver) {
      const part = this.#messages.next();
      if (part === null) return !this.#client.socket.writableNeedDrain;
      if (part.begins) this.#judge(decodeLoginMessage(part.bytes));
      if (this.#isOver) return false;
      if (this.#ok !== null) {
        // The upstream has gone on: it has let the client in.
        void this.#authenticated(this.#ok, lasting(part));
        return false;
      }
      if (part.begins && this.#message.kind === 'authentication') {
        if (this.#message.code === authentication.ok) {
          // An upstream that has not waited for the answer gets it after the login, as a message of the session.
          this.#answers.forgo();
          if (this.#options.settings?.isTrial === true) {
            this.#ok = lasting(part);
            continue;
          }
          void this.#authenticated(lasting(part));
          return false;
        }
        if (this.#own !== null || this.#source !== null) {
          void this.#answer(this.#message, lasting(part));
          return false;
        }
      }
      this.#pass(part);
    }
    return false;
  }

  #pass(part: LoginPart): void {
    if (this.#message.kind === 'backend-key-data') this.#passOnKey(this.#message);
    else this.#passOn(part);
  }

  /** SECURITY: the client gets a key of the gate's own, never the upstream's. */
  #passOnKey(theirs: CancelKey): void {
    const ours = this.#options.onBackendKey(theirs);
    if (ours !== null) this.#passOn({ bytes: encodeBackendKeyData(ours), begins: true, ends: true });
  }

  /**
   * Answers the upstream in the client's place, or passes its request on where nothing is known of the user. What comes
   * next waits until then.
   */
  async #answer(message: AuthenticationMessage, part: LoginPart): Promise<void> {
    this.#isHeld = true;
    try {
      const source = this.#source;
      this.#source = null;
      if (source !== null) this.#own = await source();
      const answer = await this.#own?.answer(message, part.bytes);
      this.#isHeld = false;
      if (this.#isOver) return;
      if (answer instanceof Buffer) this.#link.socket.write(answer);
      const isRelayed = answer === undefined;
      if (this.#passAll(() => (isRelayed ? this.#passOn(part) : undefined))) this.#link.socket.resume();
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * SECURITY: tells the client that it is in only once it has its place among the sessions. There may be none left.
   *
   * @param next what has come after it already
   */
  async #authenticated(ok: LoginPart, next: LoginPart | null = null): Promise<void> {
    this.#ok = null;
    this.#isHeld = true;
    try {
      await this.#options.onAuthenticated();
      this.#isHeld = false;
      if (this.#isOver) return;
      const deliver = (): void => {
        this.#deliver(ok);
        if (next !== null) this.#pass(next);
      };
      if (this.#passAll(deliver)) this.#link.socket.resume();
    } catch (error) {
      this.#fail(error);
    }
  }

  #deliver({ bytes }: LoginPart): void {
    const { said, socket } = this.#client;
    said.push(bytes, bytes.length);
    socket.write(Buffer.from(bytes));
    this.#isTold ||= this.#guard.isAuthenticated;
  }

  /** Sends a part to the client, and does what its message asks for. */
  #passOn(part: LoginPart): void {
    this.#deliver(part);
    const message = this.#message;
    if (!part.ends) return;
    if (message.kind === 'error') throw refusedByUpstream(message);
    if (message.kind === 'authentication') {
      const request = requestedAnswer(message, this.#answers.lastRequest);
      if (request !== null) {
        this.#options.onStep('asked');
        this.#answers.expect(request);
      }
    }
    if (message.kind !== 'ready-for-query') return;
    this.#isOver = true;
    this.#over.resolve('ready');
  }

  #judge(message: LoginMessage): void {
    this.#message = message;
    this.#guard.check(message, this.#answers.owed + this.#waitingAnswers > 0);
    const own = this.#own;
    if (message.kind === 'authentication' && message.code === authentication.ok) own?.finish();
    if (message.kind === 'error' && this.#isRefusalOfSettings(message)) {
      this.#isOver = true;
      this.#over.resolve('settings-refused');
      return;
    }
    // SECURITY: an error that answers the gate's own secret is for the log: the client has sent nothing that it is
    // about.
    if (message.kind === 'error' && own?.hasSpoken === true && !this.#guard.isAuthenticated) {
      throw loginRefused(message);
    }
  }

  /** A client that has been let in, or has begun SASL, would not understand a second login. */
  #isRefusalOfSettings(error: UpstreamError): boolean {
    const { settings } = this.#options;
    return settings?.isRefusal(error) === true && !this.#isTold && this.#answers.lastRequest?.what !== 'SASL';
  }

  /** The first failure stands, and nothing that follows it is judged or passed on. */
  #fail(error: unknown): void {
    this.#isOver = true;
    this.#over.reject(error);
  }

  readonly #onClientDrain = (): void => {
    if (!this.#isHeld) this.#link.socket.resume();
  };

  readonly #onUpstreamClosed = (): void => this.#onUpstreamError();

  readonly #onUpstreamError = (error?: Error): void => {
    if (error instanceof GatehouseError) this.#fail(error);
    // An upstream closes when the client does, so it is the client who ended such a login.
    else if (this.#answers.hasEnded || this.#client.socket.destroyed) this.#fail(gaveUp());
    else this.#fail(closedEarly(error));
  };

  // -- client to upstream

  async #send(answer: Buffer, mayGoOn: LoginOptions['beforeAnswer']): Promise<void> {
    const { socket } = this.#link;
    this.#options.onStep('answered');
    try {
      if (mayGoOn !== null) {
        // SECURITY: until then the upstream has not been answered. An AuthenticationOk that comes now has judged nothing.
        this.#waitingAnswers++;
        await mayGoOn().finally(() => this.#waitingAnswers--);
      }
    } catch (error) {
      this.#fail(error);
      return;
    }
    // After AuthenticationOk it would be a message of the session.
    if (!this.#isOver && !this.#guard.isAuthenticated && !socket.writableEnded) socket.write(answer);
    if (this.#answers.hasEnded) socket.end();
  }

  readonly #onClientEnd = (isOwing: boolean): void => {
    if (isOwing) {
      this.#fail(gaveUp());
      return;
    }
    // An answer that waits goes first.
    if (this.#waitingAnswers === 0) this.#link.socket.end();
    // A reset may be reported as an end of stream. Writing nothing below TLS tells: a socket that was reset fails, and
    // is closed.
    const { raw, socket } = this.#client;
    if (raw !== socket) raw.write(NOTHING);
  };
}

/** A part that outlives the next bytes of the upstream. */
function lasting(part: LoginPart): LoginPart {
  return { ...part, bytes: Buffer.from(part.bytes) };
}

function gaveUp(): GatehouseError {
  return new GatehouseError('client-gave-up');
}

function refusedByUpstream(error: { sqlstate: string | null; message: ByteString }): GatehouseError {
  return new GatehouseError('upstream-refused', {
    message: `the upstream server refused the login: ${error.message}`,
    fields: { upstream_sqlstate: error.sqlstate },
  });
}
