// SCRAM-SHA-256 and SCRAM-SHA-256-PLUS as a server, message by message as PostgreSQL's auth-scram.c (login.md §4).

import { randomBytes, timingSafeEqual } from 'node:crypto';
import { toBytes, type ByteString } from '../base/bytestring.ts';
import { decodeBase64 } from './base64.ts';
import { hmac, sha256, xor } from './scram-keys.ts';
import { Attributes, brokenExchange, malformed, shownByte, shownText } from './scram-message.ts';
import { SCRAM_KEY_LENGTH, type ScramSecret } from './secret.ts';

export const SCRAM = 'SCRAM-SHA-256';
const SCRAM_PLUS = 'SCRAM-SHA-256-PLUS';

/** Longest SASL message, its own length word included (PG_MAX_SASL_MESSAGE_LENGTH). */
export const MAX_SASL_MESSAGE_LENGTH = 1_024;

/** Bytes of the server's share of the nonce, before base64 (SCRAM_RAW_NONCE_LEN). */
const RAW_NONCE_LENGTH = 18;

/** How the client is connected, as far as channel binding is concerned. */
export interface ScramChannel {
  readonly isTls: boolean;
  /** tls-server-end-point of the server's certificate; null = there is none, and PLUS is not offered. */
  readonly endPoint: Buffer | null;
}

/** The mechanisms to offer, best first. */
export function mechanismsFor({ isTls, endPoint }: ScramChannel): readonly string[] {
  return isTls && endPoint !== null ? [SCRAM_PLUS, SCRAM] : [SCRAM];
}

/** What the client's last message has shown. */
export type ScramOutcome =
  /** `clientKey` fits this secret's salt and iterations, and logs in wherever both are the same. */
  | { readonly kind: 'proved'; readonly serverFinal: ByteString; readonly clientKey: Buffer }
  | { readonly kind: 'wrong' };

/** One exchange. `first` once, then `final` once; each throws GatehouseError `password-exchange-invalid`. */
export class ScramServer {
  readonly #secret: ScramSecret;
  readonly #isDoomed: boolean;
  readonly #channel: ScramChannel;
  readonly #serverNonce: string;
  #usesBinding = false;
  #flag = '';
  #clientFirstBare: ByteString = '';
  #serverFirst: ByteString = '';
  #nonce: ByteString = '';

  /**
   * @param secret what the proof is checked against; for a user who has none a mock one
   * @param options.doomed the proof is computed, as long as ever, and then refused whatever it is
   * @param options.serverNonce for tests; random otherwise
   */
  constructor(
    secret: ScramSecret,
    channel: ScramChannel,
    { doomed, serverNonce }: { readonly doomed: boolean; readonly serverNonce?: string },
  ) {
    this.#secret = secret;
    this.#channel = channel;
    this.#isDoomed = doomed;
    this.#serverNonce = serverNonce ?? randomBytes(RAW_NONCE_LENGTH).toString('base64');
  }

  /** The client's choice, checked before its first message is read. */
  select(mechanism: ByteString): void {
    if (!mechanismsFor(this.#channel).includes(mechanism)) {
      throw brokenExchange('client selected an invalid SASL authentication mechanism');
    }
    this.#usesBinding = mechanism === SCRAM_PLUS;
  }

  /** Reads client-first-message and returns server-first-message. */
  first(message: ByteString): ByteString {
    checkText(message);
    const attributes = new Attributes(message);
    this.#readBindingFlag(attributes);
    if (attributes.peek() === 'a') {
      throw brokenExchange('client uses authorization identity, but it is not supported', '0A000');
    }
    if (attributes.peek() !== ',') {
      throw malformed(`Unexpected attribute "${shownByte(attributes.peek())}" in client-first-message.`);
    }
    attributes.skip();
    this.#clientFirstBare = message.slice(attributes.position);
    if (attributes.peek() === 'm') {
      throw brokenExchange('client requires an unsupported SCRAM extension', '0A000');
    }
    // The name in here means nothing: the StartupMessage has named the user.
    attributes.read('n');
    const clientNonce = attributes.read('r');
    // eslint-disable-next-line no-control-regex -- control bytes are what is being looked for
    if (/[^\x21-\x2b\x2d-\x7e]/.test(clientNonce)) {
      throw brokenExchange('non-printable characters in SCRAM nonce');
    }
    while (attributes.peek() !== '') attributes.readAny();
    const { salt, iterations } = this.#secret;
    this.#nonce = clientNonce + this.#serverNonce;
    this.#serverFirst = `r=${this.#nonce},s=${salt.toString('base64')},i=${iterations}`;
    return this.#serverFirst;
  }

  /** Reads client-final-message and says whether it proves the password. */
  final(message: ByteString): ScramOutcome {
    checkText(message);
    const attributes = new Attributes(message);
    this.#checkBinding(attributes.read('c'));
    const nonce = attributes.read('r');
    let end: number;
    let attribute: { readonly name: string; readonly value: ByteString };
    do {
      end = attributes.position - 1;
      attribute = attributes.readAny();
    } while (attribute.name !== 'p');
    const proof = decodeBase64(attribute.value);
    if (proof?.length !== SCRAM_KEY_LENGTH) throw malformed('Malformed proof in client-final-message.');
    if (attributes.peek() !== '') throw malformed('Garbage found at the end of client-final-message.');
    if (nonce !== this.#nonce)
      throw brokenExchange('invalid SCRAM response', '08P01', 'Nonce does not match.');
    return this.#judge(proof, message.slice(0, end));
  }

  #judge(proof: Buffer, withoutProof: ByteString): ScramOutcome {
    const { storedKey, serverKey } = this.#secret;
    const authMessage = toBytes(`${this.#clientFirstBare},${this.#serverFirst},${withoutProof}`);
    const clientKey = xor(proof, hmac(storedKey, authMessage));
    const isRight = timingSafeEqual(sha256(clientKey), storedKey);
    // SECURITY: a mock secret proves nothing, whatever the arithmetic says.
    if (!isRight || this.#isDoomed) return { kind: 'wrong' };
    return { kind: 'proved', serverFinal: `v=${hmac(serverKey, authMessage).toString('base64')}`, clientKey };
  }

  #readBindingFlag(attributes: Attributes): void {
    this.#flag = attributes.peek();
    switch (this.#flag) {
      case 'n':
      case 'y':
        this.#refuseWithoutBinding();
        attributes.skip();
        if (attributes.peek() !== ',') {
          throw malformed(`Comma expected, but found character "${shownByte(attributes.peek())}".`);
        }
        attributes.skip();
        return;
      case 'p': {
        if (!this.#usesBinding) {
          throw malformed(
            'The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes channel binding data.',
          );
        }
        const type = attributes.read('p');
        if (type !== 'tls-server-end-point') {
          throw brokenExchange(`unsupported SCRAM channel-binding type "${shownText(type)}"`);
        }
        return;
      }
      default:
        throw malformed(`Unexpected channel-binding flag "${shownByte(this.#flag)}".`);
    }
  }

  /** Flags n and y: the client does not bind. */
  #refuseWithoutBinding(): void {
    if (this.#usesBinding) {
      throw malformed(
        'The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.',
      );
    }
    // SECURITY: y says that the client could bind and was told that we cannot. Where we can, somebody between has taken
    // PLUS out of our offer.
    if (this.#flag === 'y' && mechanismsFor(this.#channel).includes(SCRAM_PLUS)) {
      throw brokenExchange(
        'SCRAM channel binding negotiation error',
        '28000',
        'The client supports SCRAM channel binding but thinks the server does not.  However, this server does support channel binding.',
      );
    }
  }

  #checkBinding(binding: ByteString): void {
    if (this.#usesBinding) {
      const expected = Buffer.concat([
        Buffer.from('p=tls-server-end-point,,'),
        this.#channel.endPoint ?? Buffer.alloc(0),
      ]).toString('base64');
      // SECURITY: a client that speaks TLS with somebody else signs another certificate's digest.
      if (binding !== expected) throw brokenExchange('SCRAM channel binding check failed', '28000');
      return;
    }
    const expected = this.#flag === 'y' ? 'eSws' : 'biws';
    if (binding !== expected) {
      throw brokenExchange('unexpected SCRAM channel-binding attribute in client-final-message');
    }
  }
}

function checkText(message: ByteString): void {
  if (message === '') throw malformed('The message is empty.');
  if (message.includes('\0')) throw malformed('Message length does not match input length.');
}
