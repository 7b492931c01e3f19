// A password line that the gate decides itself (contract §12): it asks the client as PostgreSQL would, and says what
// the client has shown, so that the upstream can be answered with it.

import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { MD5_SALT_LENGTH } from '../auth/md5.ts';
import {
  challengeFor,
  isMd5Right,
  isPasswordRight,
  refusalDetail,
  type Challenge,
  type PasswordContext,
  type PasswordMethod,
} from '../auth/password-check.ts';
import { brokenExchange } from '../auth/scram-message.ts';
import {
  MAX_SASL_MESSAGE_LENGTH,
  mechanismsFor,
  ScramServer,
  type ScramChannel,
} from '../auth/scram-server.ts';
import type { KnownOfUser } from '../auth/upstream-proof.ts';
import { fromBytes, type ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import {
  authentication,
  encodeAuthentication,
  MAX_AUTH_TOKEN_LENGTH,
  type AnswerRequest,
} from '../protocol/authentication.ts';
import { MESSAGE_HEADER_LENGTH } from '../protocol/message.ts';
import { AnswerReader, type AnswerStep } from './answers.ts';

const PASSWORD: AnswerRequest = { what: 'password', maxLength: MAX_AUTH_TOKEN_LENGTH };
const SASL: AnswerRequest = { what: 'SASL', maxLength: MAX_SASL_MESSAGE_LENGTH };

export interface PasswordLine extends PasswordContext {
  readonly method: PasswordMethod;
  readonly channel: ScramChannel;
  /** `Connection matched file "%s" line %d: "%s"`, the end of every DETAIL. */
  readonly matched: ByteString;
  readonly onStep: (step: AnswerStep) => void;
  /** The client has answered: resolves where the answer may be looked at. Null = it may always. */
  readonly onAnswer: (() => Promise<void>) | null;
  readonly signal: AbortSignal;
}

/** What the client has shown beside being right. */
export type Shown = Pick<KnownOfUser, 'shownPassword' | 'shownKey'>;

/**
 * Asks the client for its password and checks the answer. Nothing goes to the upstream, and AuthenticationOk is not
 * sent: that comes when the upstream has let the client in.
 *
 * @param socket the client's, paused, read by nobody else until this resolves
 * @throws GatehouseError `password-authentication-failed`, `password-exchange-invalid`,
 *   `invalid-authentication-message`, `client-gave-up`, or the signal's reason
 */
export async function checkPassword(socket: Socket, line: PasswordLine): Promise<Shown> {
  const challenge = await challengeFor(line.method, line);
  const client = new AskedClient(socket, line);
  try {
    switch (challenge.kind) {
      case 'cleartext':
        return await checkCleartext(client, challenge, line);
      case 'md5':
        return await checkMd5(client, challenge, line);
      case 'scram':
        return await checkScram(client, challenge, line);
      default:
        return challenge satisfies never;
    }
  } finally {
    client.release();
  }
}

async function checkCleartext(client: AskedClient, challenge: Challenge, line: PasswordLine): Promise<Shown> {
  const password = passwordOf(await client.ask(authentication.cleartextPassword, '', PASSWORD));
  if (!(await isPasswordRight(password, line))) throw refused(challenge, line);
  return { shownPassword: password, shownKey: null };
}

async function checkMd5(
  client: AskedClient,
  challenge: Extract<Challenge, { kind: 'md5' }>,
  line: PasswordLine,
): Promise<Shown> {
  const salt = randomBytes(MD5_SALT_LENGTH);
  const answer = passwordOf(await client.ask(authentication.md5Password, fromBytes(salt), PASSWORD));
  if (!isMd5Right(answer, challenge.hash, salt)) throw refused(challenge, line);
  return { shownPassword: null, shownKey: null };
}

async function checkScram(
  client: AskedClient,
  challenge: Extract<Challenge, { kind: 'scram' }>,
  line: PasswordLine,
): Promise<Shown> {
  const server = new ScramServer(challenge.secret, line.channel, { doomed: challenge.doomed });
  const offered = `${mechanismsFor(line.channel).join('\0')}\0\0`;
  const initial = readInitialResponse(await client.ask(authentication.sasl, offered, SASL), server);
  const first = initial ?? fromBytes(await client.ask(authentication.saslContinue, '', SASL));
  const serverFirst = server.first(first);
  const outcome = server.final(fromBytes(await client.ask(authentication.saslContinue, serverFirst, SASL)));
  if (outcome.kind === 'wrong') throw refused(challenge, line);
  client.send(authentication.saslFinal, outcome.serverFinal);
  return { shownPassword: null, shownKey: { clientKey: outcome.clientKey, secret: challenge.secret } };
}

/**
 * SASLInitialResponse: the mechanism, and perhaps already the first message, which is returned. As in PostgreSQL a wrong
 * mechanism is refused before the rest is looked at.
 */
function readInitialResponse(body: Buffer, server: ScramServer): ByteString | null {
  const end = body.indexOf(0);
  if (end === -1) throw brokenExchange('invalid string in message');
  server.select(fromBytes(body.subarray(0, end)));
  if (body.length < end + 5) throw brokenExchange('insufficient data left in message');
  const length = body.readInt32BE(end + 1);
  const rest = body.subarray(end + 5);
  if (length !== -1 && length !== rest.length) {
    throw brokenExchange(
      length > rest.length || length < 0 ? 'insufficient data left in message' : 'invalid message format',
    );
  }
  if (length === -1 && rest.length > 0) throw brokenExchange('invalid message format');
  return length === -1 ? null : fromBytes(rest);
}

/** PasswordMessage: one string that ends with the message. */
function passwordOf(body: Buffer): ByteString {
  if (body.length === 0 || body.indexOf(0) !== body.length - 1)
    throw brokenExchange('invalid password packet size');
  if (body.length === 1) throw brokenExchange('empty password returned by client', '28P01');
  return fromBytes(body.subarray(0, -1));
}

/** SECURITY: an unknown user, one without a password and a wrong password are told the same. */
function refused(challenge: Challenge, line: PasswordLine): GatehouseError {
  const detail = refusalDetail(challenge, line);
  return new GatehouseError('password-authentication-failed', {
    reply: `password authentication failed for user "${line.user}"`,
    detail: detail === null ? line.matched : `${detail}\n${line.matched}`,
  });
}

/** A client that is asked for one answer after another. */
class AskedClient {
  readonly #socket: Socket;
  readonly #answers: AnswerReader;
  readonly #onStep: PasswordLine['onStep'];
  readonly #onAnswer: PasswordLine['onAnswer'];
  readonly #signal: AbortSignal;
  readonly #onAbort: () => void;
  #waiting: {
    readonly resolve: (message: Buffer) => void;
    readonly reject: (error: unknown) => void;
  } | null = null;
  #failure: unknown = null;

  constructor(
    socket: Socket,
    { user, onStep, onAnswer, signal }: Pick<PasswordLine, 'user' | 'onStep' | 'onAnswer' | 'signal'>,
  ) {
    this.#socket = socket;
    this.#onStep = onStep;
    this.#onAnswer = onAnswer;
    this.#signal = signal;
    this.#onAbort = () => this.#fail(signal.reason);
    this.#answers = new AnswerReader(socket, user, {
      onAnswer: (message) => void this.#take(message),
      onEnd: () => this.#fail(new GatehouseError('client-gave-up')),
      onFault: (error) => this.#fail(error),
    });
    signal.addEventListener('abort', this.#onAbort, { once: true });
    socket.once('close', this.#onClose);
    if (socket.destroyed) this.#onClose();
    this.#answers.start();
  }

  /** Sends an Authentication message and waits for the body of the answer. */
  async ask(code: number, data: ByteString, request: AnswerRequest): Promise<Buffer> {
    if (this.#signal.aborted) this.#fail(this.#signal.reason);
    if (this.#failure !== null) throw this.#failure;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    this.#waiting = { resolve, reject };
    this.#onStep('asked');
    this.send(code, data);
    this.#answers.expect(request);
    const message = await promise;
    this.#waiting = null;
    return message.subarray(MESSAGE_HEADER_LENGTH);
  }

  send(code: number, data: ByteString): void {
    this.#socket.write(encodeAuthentication(code, data));
  }

  /** Stops reading; the socket is the next owner's. */
  release(): void {
    this.#answers.release();
    this.#socket.off('close', this.#onClose);
    this.#signal.removeEventListener('abort', this.#onAbort);
  }

  /** The wait for the answer lasts until it may be looked at, so that its client's end and every other one end it. */
  async #take(message: Buffer): Promise<void> {
    this.#onStep('answered');
    try {
      if (this.#onAnswer !== null) await this.#onAnswer();
      this.#waiting?.resolve(message);
    } catch (error) {
      this.#fail(error);
    }
  }

  readonly #onClose = (): void => this.#fail(new GatehouseError('client-gave-up'));

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
  }
}
