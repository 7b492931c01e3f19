// The gate's own answers to an upstream that asks for a password (contract §12, login.md §5). The client sees none of
// it.

import { MD5_SALT_LENGTH } from '../auth/md5.ts';
import { ScramClient } from '../auth/scram-client.ts';
import type { SaltedPasswords } from '../auth/scram-keys.ts';
import { SCRAM } from '../auth/scram-server.ts';
import {
  answerInClear,
  answerMd5,
  answerScram,
  scramObjection,
  type Answer,
  type KnownOfUser,
} from '../auth/upstream-proof.ts';
import { fromBytes, toText, type ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import { authentication, type AuthenticationMessage } from '../protocol/authentication.ts';
import { encodeMessage, int32, MESSAGE_HEADER_LENGTH } from '../protocol/message.ts';
import type { LoginMessage } from '../protocol/login-messages.ts';
import { violation } from '../protocol/violation.ts';

type UpstreamError = Extract<LoginMessage, { kind: 'error' }>;

/** Where the exchange stands: nothing asked yet, SCRAM begun, its proof sent, or an answer given whole. */
type State = 'idle' | 'scram-first' | 'scram-final' | 'answered';

/** One login's answers. */
export class UpstreamAnswers {
  readonly #known: KnownOfUser;
  readonly #salted: SaltedPasswords;
  #state: State = 'idle';
  #scram = new ScramClient();

  constructor(known: KnownOfUser, salted: SaltedPasswords) {
    this.#known = known;
    this.#salted = salted;
  }

  /** The gate has sent something of its own, so that an error is an answer to it. */
  get hasSpoken(): boolean {
    return this.#state !== 'idle';
  }

  /**
   * Answers one Authentication message other than AuthenticationOk.
   *
   * @param raw the whole message
   * @returns what to send; null where nothing is owed
   * @throws GatehouseError `upstream-login-impossible`, `upstream-untrusted`, `upstream-protocol-violation`
   */
  async answer(message: AuthenticationMessage, raw: Buffer): Promise<Buffer | null> {
    const body = raw.subarray(MESSAGE_HEADER_LENGTH + 4);
    switch (message.code) {
      case authentication.cleartextPassword:
        this.#step('idle', 'answered');
        return passwordMessage(valueOf(answerInClear(this.#known)));
      case authentication.md5Password:
        this.#step('idle', 'answered');
        if (body.length !== MD5_SALT_LENGTH) throw violation('an MD5 salt of the wrong length');
        return passwordMessage(valueOf(answerMd5(this.#known, body)));
      case authentication.sasl:
        return this.#beginScram(message.mechanisms);
      case authentication.saslContinue: {
        this.#step('scram-first', 'scram-final');
        const challenge = this.#scram.challenge(fromBytes(body));
        const keys = valueOf(await answerScram(this.#known, challenge, this.#salted));
        return encodeMessage('p', this.#scram.proof(keys));
      }
      case authentication.saslFinal:
        this.#step('scram-final', 'answered');
        this.#scram.verify(fromBytes(body));
        return null;
      default:
        throw impossible(
          `the upstream server asks for authentication method ${message.code}, which the gate cannot answer`,
        );
    }
  }

  /** AuthenticationOk has come. SECURITY: an upstream that has begun SCRAM must have proved itself before. */
  finish(): void {
    if (this.#state === 'idle' || this.#state === 'answered') return;
    throw new GatehouseError('upstream-untrusted', {
      message: 'the upstream server did not prove that it knows the secret',
    });
  }

  #beginScram(mechanisms: readonly string[]): Buffer {
    this.#step('idle', 'scram-first');
    if (!mechanisms.includes(SCRAM)) {
      const offered = toText(mechanisms.join(', ')).slice(0, 200);
      throw impossible(`the upstream server offers no SASL mechanism that the gate knows: ${offered}`);
    }
    // SECURITY: asked before the first message goes out, which would be a try that the upstream counts as failed.
    const objection = scramObjection(this.#known);
    if (objection !== null) throw impossible(objection);
    const first = this.#scram.first();
    return encodeMessage('p', `${SCRAM}\0${fromBytes(int32(first.length))}${first}`);
  }

  #step(from: State, to: State): void {
    if (this.#state !== from) throw violation('an Authentication message out of turn');
    this.#state = to;
  }
}

/** The upstream has answered the gate's login with an error, which is for the log only. */
export function loginRefused({ sqlstate, message }: UpstreamError): GatehouseError {
  return new GatehouseError('upstream-login-refused', {
    message: `the upstream server refused the login: ${message}`,
    fields: { upstream_sqlstate: sqlstate },
  });
}

function passwordMessage(password: ByteString): Buffer {
  return encodeMessage('p', `${password}\0`);
}

function valueOf<T>(answer: Answer<T>): T {
  if (!answer.ok) throw impossible(answer.missing);
  return answer.value;
}

function impossible(message: string): GatehouseError {
  return new GatehouseError('upstream-login-impossible', {
    message,
    hint: 'Give the user a secret in auth_file that fits: the same one that the upstream server has, or the password itself.',
  });
}
