// Salts for users without a SCRAM secret. Each name always gets the same one, so that a stranger cannot tell by asking
// twice who exists (login.md §4, §9.3).

import { hmac, sha256, SALT_LENGTH } from './scram-keys.ts';
import { toBytes, type ByteString } from '../base/bytestring.ts';
import { SCRAM_KEY_LENGTH, type ScramSecret } from './secret.ts';

/** What the nonce is derived with; another label would give every user another salt. */
const LABEL = 'pg-gatehouse SCRAM mock authentication nonce, version 1';

/**
 * The nonce that all mock salts come from: the same after a restart and in every instance that shares the TLS key,
 * with nothing to store.
 *
 * @param privateKey the key's DER
 */
export function mockNonce(privateKey: Buffer): Buffer {
  return hmac(privateKey, LABEL);
}

/** The salt of one user name, in 16 bytes, as PostgreSQL makes it of its own nonce. */
export function mockSalt(nonce: Buffer, user: ByteString): Buffer {
  return sha256(toBytes(user), nonce).subarray(0, SALT_LENGTH);
}

/** A secret that no proof fits, for the exchange of a user who cannot be let in. */
export function mockSecret(nonce: Buffer, user: ByteString, iterations: number): ScramSecret {
  return {
    iterations,
    salt: mockSalt(nonce, user),
    storedKey: Buffer.alloc(SCRAM_KEY_LENGTH),
    serverKey: Buffer.alloc(SCRAM_KEY_LENGTH),
  };
}
