// Bytes that can be computed anew at any position and repeat nowhere: a copy that loses, doubles or swaps a single one
// of them has another digest.

import { createCipheriv, createHash, type Hash } from 'node:crypto';

/**
 * What every stream begins with: one CopyData message that never ends, so that no byte after it is read as a message
 * that may not be sent.
 */
const HEADER = Buffer.from([0x64, 0x7f, 0xff, 0xff, 0xff]);

/** The stream's bytes from its beginning on, one call after another. */
export function createKeystream(seed: number): (length: number) => Buffer {
  const key = createHash('sha256').update(`stream ${seed}`).digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  let header = HEADER;
  return (length) => {
    const bytes = cipher.update(Buffer.alloc(length));
    header = header.subarray(header.copy(bytes));
    return bytes;
  };
}

/** SHA-256 of the stream's first bytes. */
export function keystreamDigest(seed: number, length: number): string {
  const next = createKeystream(seed);
  const hash = createHash('sha256');
  for (let left = length; left > 0; left -= 65_536) hash.update(next(Math.min(left, 65_536)));
  return hash.digest('hex');
}

/** Digest and length of what was seen so far. */
export class Seen {
  length = 0;
  readonly #hash: Hash = createHash('sha256');

  add(chunk: Buffer): void {
    this.length += chunk.length;
    this.#hash.update(chunk);
  }

  get digest(): string {
    return this.#hash.copy().digest('hex');
  }
}

/** Random numbers that are the same in every run (a linear congruential generator): 0 ≤ n < below. */
export function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
