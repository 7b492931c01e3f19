// SCRAM-SHA-256 as a client: how the gate proves itself to an upstream, and has the upstream prove itself (login.md §5).

import { randomBytes, timingSafeEqual } from 'node:crypto';
import { toBytes, type ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import { decodeBase64 } from './base64.ts';
import { hmac, sha256, xor, type ScramKeys } from './scram-keys.ts';

/** More than this an upstream may not ask for: PBKDF2 would hold a core for anyone who plays the upstream. */
const MAX_ITERATIONS = 100_000;

/** Longest nonce that is taken. */
const MAX_NONCE_LENGTH = 512;

/** Longest salt that is taken, in bytes. */
const MAX_SALT_LENGTH = 512;

const RAW_NONCE_LENGTH = 18;

/** What the upstream has asked for in its first message. */
export interface ScramChallenge {
  readonly salt: Buffer;
  readonly iterations: number;
}

/** One exchange: `first`, `challenge`, `proof`, `verify`, in this order. */
export class ScramClient {
  readonly #nonce: string;
  #serverFirst: ByteString = '';
  #fullNonce: ByteString = '';
  #expected: Buffer | null = null;

  /** @param nonce for tests; random otherwise */
  constructor(nonce = randomBytes(RAW_NONCE_LENGTH).toString('base64')) {
    this.#nonce = nonce;
  }

  get #clientFirstBare(): string {
    return `n=,r=${this.#nonce}`;
  }

  /** client-first-message. Flag `n`: nothing binds on plaintext, and libpq says the same there. */
  first(): ByteString {
    return `n,,${this.#clientFirstBare}`;
  }

  /**
   * Reads server-first-message.
   *
   * @throws GatehouseError `upstream-protocol-violation`, `upstream-untrusted` for too many iterations
   */
  challenge(serverFirst: ByteString): ScramChallenge {
    const match = /^r=([\x21-\x2b\x2d-\x7e]+),s=([^,]+),i=([1-9]\d{0,9})$/.exec(serverFirst);
    const [, nonce = '', saltText = '', iterationsText = ''] = match ?? [];
    const salt = decodeBase64(saltText);
    const isOurs = nonce.startsWith(this.#nonce) && nonce.length > this.#nonce.length;
    if (!isOurs || nonce.length > MAX_NONCE_LENGTH || salt === null)
      throw violation('a malformed SCRAM challenge');
    if (salt.length === 0 || salt.length > MAX_SALT_LENGTH)
      throw violation('a SCRAM salt of no possible length');
    const iterations = Number(iterationsText);
    if (iterations > MAX_ITERATIONS) {
      throw untrusted(
        `the upstream server asks for ${iterations} SCRAM iterations, more than ${MAX_ITERATIONS}`,
      );
    }
    this.#serverFirst = serverFirst;
    this.#fullNonce = nonce;
    return { salt, iterations };
  }

  /** client-final-message, which proves that we have the keys. */
  proof({ clientKey, serverKey }: ScramKeys): ByteString {
    const withoutProof = `c=biws,r=${this.#fullNonce}`;
    const authMessage = toBytes(`${this.#clientFirstBare},${this.#serverFirst},${withoutProof}`);
    this.#expected = hmac(serverKey, authMessage);
    const proof = xor(clientKey, hmac(sha256(clientKey), authMessage));
    return `${withoutProof},p=${proof.toString('base64')}`;
  }

  /**
   * Reads server-final-message.
   *
   * @throws GatehouseError `upstream-untrusted` unless the upstream proves that it has the secret too
   */
  verify(serverFinal: ByteString): void {
    const signature = serverFinal.startsWith('v=') ? decodeBase64(serverFinal.slice(2)) : null;
    const expected = this.#expected;
    // SECURITY: anyone who answers in the server's place does not know its key.
    if (expected === null || signature?.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw untrusted('the upstream server did not prove that it knows the secret');
    }
  }
}

function violation(what: string): GatehouseError {
  return new GatehouseError('upstream-protocol-violation', {
    message: `the upstream server violated the protocol: ${what}`,
  });
}

/** The client is told no more than that the login was impossible (contract §12). */
function untrusted(message: string): GatehouseError {
  return new GatehouseError('upstream-untrusted', {
    message,
  });
}
