// Decisions drawn from an input: which way, how many, where to cut. The bytes that are not drawn are the payload.

/** Takes bytes from the front of an input; beyond its end every draw is 0. */
export class Draws {
  readonly #input: Buffer;
  #at = 0;

  constructor(input: Buffer) {
    this.#input = input;
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    return (this.#input[this.#at++] ?? 0) % limit;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  /** The next `length` bytes, or what is left. */
  take(length: number): Buffer {
    const bytes = this.#input.subarray(this.#at, this.#at + length);
    this.#at += length;
    return bytes;
  }

  /** All that is left. */
  rest(): Buffer {
    return this.take(this.#input.length);
  }
}

/** Cuts bytes into pieces whose sizes follow `pattern`, over and over; a pattern of nothing leaves them whole. */
export function pieces(bytes: Buffer, pattern: Uint8Array): Buffer[] {
  const sizes = [...pattern].filter((size) => size > 0);
  if (sizes.length === 0) return bytes.length === 0 ? [] : [bytes];
  const result: Buffer[] = [];
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length]!;
    result.push(bytes.subarray(at, at + size));
    at += size;
  }
  return result;
}
