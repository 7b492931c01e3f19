// Reads the vectors of a TLS message one after the other, each inside the one that holds it.

/** Reads forward; once something reaches beyond the end it has `failed`, and yields nothing more. */
export class Cursor {
  readonly #bytes: Uint8Array;
  #position = 0;
  #failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#position === this.#bytes.length;
  }

  get failed(): boolean {
    return this.#failed;
  }

  take(length: number): Uint8Array {
    if (this.#failed || length > this.#bytes.length - this.#position) {
      this.#failed = true;
      return new Uint8Array();
    }
    this.#position += length;
    return this.#bytes.subarray(this.#position - length, this.#position);
  }

  uint16(): number {
    return uint16(this.take(2), 0);
  }

  /** Bytes preceded by their length. */
  vector(lengthBytes: 1 | 2): Uint8Array {
    const length = this.take(lengthBytes);
    return this.take(lengthBytes === 1 ? (length[0] ?? 0) : uint16(length, 0));
  }
}

/** Two bytes as a number; what lies beyond the end counts as zero. */
export function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 0x100 + (bytes[at + 1] ?? 0);
}

/** A ClientHello's parts that the gate looks at. */
export interface HelloParts {
  readonly legacyVersion: number;
  /** The block of extensions, without its length. Empty where there is none. */
  readonly extensions: Uint8Array;
}

/** @returns null where the message is not built like a ClientHello */
export function helloParts(message: Uint8Array): HelloParts | null {
  const hello = new Cursor(message);
  const legacyVersion = hello.uint16();
  hello.take(32); // random
  hello.vector(1); // legacy_session_id
  hello.vector(2); // cipher_suites
  hello.vector(1); // legacy_compression_methods
  const extensions = hello.atEnd ? new Uint8Array() : hello.vector(2);
  return hello.failed || !hello.atEnd ? null : { legacyVersion, extensions };
}
