// The keys of SCRAM-SHA-256 (RFC 5802, RFC 7677) and the secrets that are made of them.

import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { toBytes, type ByteString } from '../base/bytestring.ts';
import { preparePassword } from './saslprep.ts';
import { SCRAM_KEY_LENGTH, type ScramSecret } from './secret.ts';

/** Bytes of a salt that PostgreSQL makes. */
export const SALT_LENGTH = 16;

/** Most results that are kept: a gate with more users than this computes again. */
const MAX_KEPT = 1_000;

export function hmac(key: Buffer, ...parts: readonly (Buffer | string)[]): Buffer {
  const code = createHmac('sha256', key);
  for (const part of parts) code.update(part);
  return code.digest();
}

export function sha256(...parts: readonly (Buffer | string)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

export function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, index) => byte ^ (b[index] ?? 0)));
}

/** What the client proves its password with, and what it can check the server's proof with. */
export interface ScramKeys {
  readonly clientKey: Buffer;
  readonly serverKey: Buffer;
}

export function keysOf(saltedPassword: Buffer): ScramKeys {
  return { clientKey: hmac(saltedPassword, 'Client Key'), serverKey: hmac(saltedPassword, 'Server Key') };
}

/** The secret that fits a salted password. */
export function secretOf(saltedPassword: Buffer, salt: Buffer, iterations: number): ScramSecret {
  const { clientKey, serverKey } = keysOf(saltedPassword);
  return { iterations, salt, storedKey: sha256(clientKey), serverKey };
}

/**
 * Salted passwords, computed off the event loop and kept, so that a login costs a few HMACs instead of thousands. A key
 * is kept under a digest: no password stands in the table in clear.
 */
export class SaltedPasswords {
  readonly #kept = new Map<string, Promise<Buffer>>();

  /**
   * PBKDF2 of a password.
   *
   * @param user whose password it is
   * @param iterations at least 1; the caller bounds it
   */
  async of(user: ByteString, password: ByteString, salt: Buffer, iterations: number): Promise<Buffer> {
    const prepared = toBytes(await preparePassword(password));
    const name = sha256(
      ...[toBytes(user), salt, Buffer.from(String(iterations)), prepared].flatMap((part) => [
        Buffer.from(`${part.length}:`),
        part,
      ]),
    ).toString('base64');
    const known = this.#kept.get(name);
    if (known !== undefined) return await known;
    const computed = derive(prepared, salt, iterations);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(name, computed);
    return await computed;
  }
}

async function derive(password: Buffer, salt: Buffer, iterations: number): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    pbkdf2(password, salt, iterations, SCRAM_KEY_LENGTH, 'sha256', (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}

/** A new secret for a password, with a random salt, as `pg-gatehouse secret` prints it. */
export async function makeScramSecret(password: ByteString, iterations: number): Promise<ScramSecret> {
  const salt = randomBytes(SALT_LENGTH);
  return secretOf(await derive(toBytes(await preparePassword(password)), salt, iterations), salt, iterations);
}
