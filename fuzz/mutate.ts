// Makes new inputs from old ones: small damage, pieces of others, tokens of the protocol, and lengths that fit again.

import { seededRandom } from '../test/support/oracles/random-patterns.ts';

const MAX_MUTATIONS = 6;
const INTERESTING_BYTES = [0, 1, 0x0a, 0x20, 0x22, 0x2c, 0x5c, 0x7f, 0x80, 0xff];

/** Mutates inputs, the same for the same seed. */
export class Mutator {
  readonly #random: () => number;
  readonly #tokens: readonly Uint8Array[];
  readonly #maxLength: number;

  constructor(seed: number, tokens: readonly Uint8Array[], maxLength: number) {
    this.#random = seededRandom(seed);
    this.#tokens = tokens;
    this.#maxLength = maxLength;
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  /** A descendant of `parent`; `other` is a source of pieces. */
  mutate(parent: Buffer, other: Buffer): Buffer {
    let bytes = this.#chance(0.1) ? this.#splice(parent, other) : Buffer.from(parent);
    for (let count = 1 + this.below(MAX_MUTATIONS); count > 0; count--) bytes = this.#step(bytes, other);
    return bytes.subarray(0, this.#maxLength);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #step(bytes: Buffer, other: Buffer): Buffer {
    switch (this.below(10)) {
      case 0:
        return this.#flipBit(bytes);
      case 1:
        return this.#setByte(bytes);
      case 2:
        return this.#addToNumber(bytes);
      case 3:
        return this.#remove(bytes);
      case 4:
        return this.#insert(bytes, this.#randomBytes());
      case 5:
      case 6:
        return this.#insertToken(bytes);
      case 7:
        return this.#insert(bytes, this.#piece(bytes));
      case 8:
        return this.#insert(bytes, this.#piece(other));
      default:
        return this.#fitLength(bytes);
    }
  }

  #flipBit(bytes: Buffer): Buffer {
    if (bytes.length > 0) bytes[this.below(bytes.length)]! ^= 1 << this.below(8);
    return bytes;
  }

  #setByte(bytes: Buffer): Buffer {
    const value = this.#chance(0.5) ? this.pick(INTERESTING_BYTES) : this.below(256);
    if (bytes.length > 0) bytes[this.below(bytes.length)] = value;
    return bytes;
  }

  #addToNumber(bytes: Buffer): Buffer {
    const width = this.pick([1, 2, 4]);
    if (bytes.length < width) return bytes;
    const at = this.below(bytes.length - width + 1);
    const value = bytes.readUIntBE(at, width) + this.below(33) - 16;
    const span = 256 ** width;
    bytes.writeUIntBE(((value % span) + span) % span, at, width);
    return bytes;
  }

  #remove(bytes: Buffer): Buffer {
    const at = this.below(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + this.#length(bytes.length - at))]);
  }

  #insert(bytes: Buffer, piece: Uint8Array): Buffer {
    const at = this.below(bytes.length + 1);
    const replaced = this.#chance(0.5) ? piece.length : 0;
    return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + replaced)]);
  }

  #insertToken(bytes: Buffer): Buffer {
    return this.#tokens.length === 0 ? bytes : this.#insert(bytes, this.pick(this.#tokens));
  }

  /** Somewhere a number becomes the count of what follows it, of all or of a part. */
  #fitLength(bytes: Buffer): Buffer {
    const width = this.pick([1, 2, 4]);
    if (bytes.length < width) return bytes;
    const at = this.below(bytes.length - width + 1);
    const behind = bytes.length - at - width;
    const part = this.#chance(0.7) ? behind : this.below(behind + 1);
    const counted = part + this.pick([0, 0, width, 1, -1]);
    bytes.writeUIntBE(Math.max(0, counted) % 256 ** width, at, width);
    return bytes;
  }

  #splice(parent: Buffer, other: Buffer): Buffer {
    return Buffer.concat([
      parent.subarray(0, this.below(parent.length + 1)),
      other.subarray(this.below(other.length + 1)),
    ]);
  }

  #piece(bytes: Buffer): Buffer {
    const at = this.below(bytes.length + 1);
    return Buffer.from(bytes.subarray(at, at + 1 + this.#length(bytes.length - at)));
  }

  #randomBytes(): Buffer {
    return Buffer.from(Array.from({ length: 1 + this.#length(64) }, () => this.below(256)));
  }

  /** Small lengths more often than large ones. */
  #length(limit: number): number {
    return this.below(1 + this.below(1 + Math.max(0, limit)));
  }
}
