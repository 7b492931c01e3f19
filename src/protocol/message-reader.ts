// Reads the body of a frontend message field by field, with PostgreSQL's errors (pqformat.c).

import { fromBytes, type ByteString } from '../base/bytestring.ts';

/** A message whose form is wrong: SQLSTATE 08P01. */
export class MessageFormatError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MessageFormatError';
  }
}

/** Walks one body from its beginning; every method throws MessageFormatError past its end. */
export class MessageReader {
  readonly #body: Buffer;
  #at = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  byte(): string {
    return this.bytes(1).toString('latin1');
  }

  int16(): number {
    return this.bytes(2).readInt16BE();
  }

  /** A count: an Int16 that PostgreSQL reads as unsigned. */
  count(): number {
    return this.bytes(2).readUInt16BE();
  }

  int32(): number {
    return this.bytes(4).readInt32BE();
  }

  /** The next `length` bytes, not copied. */
  bytes(length: number): Buffer {
    if (length < 0 || this.#at + length > this.#body.length) {
      throw new MessageFormatError('insufficient data left in message');
    }
    this.#at += length;
    return this.#body.subarray(this.#at - length, this.#at);
  }

  /** A string up to its NUL. */
  string(): ByteString {
    const end = this.#body.indexOf(0, this.#at);
    if (end === -1) throw new MessageFormatError('invalid string in message');
    const value = fromBytes(this.#body.subarray(this.#at, end));
    this.#at = end + 1;
    return value;
  }

  /** Nothing may be left. */
  end(): void {
    if (this.#at !== this.#body.length) throw new MessageFormatError('invalid message format');
  }
}
