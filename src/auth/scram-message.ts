// SCRAM's messages taken apart, with PostgreSQL's words for what is wrong (auth-scram.c, login.md §4).

import type { ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';

/** A byte as PostgreSQL shows it in these details (sanitize_char). */
export function shownByte(byte: string): string {
  const code = byte === '' ? 0 : byte.charCodeAt(0);
  return code >= 0x21 && code <= 0x7e ? `'${byte}'` : `0x${code.toString(16).padStart(2, '0')}`;
}

/** The first 30 bytes of a text, with `?` for what is not printable (sanitize_str). */
export function shownText(text: ByteString): string {
  return text.slice(0, 30).replace(/[^\x21-\x7e]/g, '?');
}

/** An exchange that breaks the protocol; the client is told `reply` and `detail`, as by PostgreSQL. */
export function brokenExchange(reply: string, sqlstate = '08P01', detail?: string): GatehouseError {
  return new GatehouseError('password-exchange-invalid', {
    reply,
    sqlstate,
    ...(detail === undefined ? {} : { replyDetail: detail }),
  });
}

export function malformed(detail: string): GatehouseError {
  return brokenExchange('malformed SCRAM message', '08P01', detail);
}

/** Reads a message's attributes from left to right. */
export class Attributes {
  readonly #text: ByteString;
  #at: number;

  constructor(text: ByteString, at = 0) {
    this.#text = text;
    this.#at = at;
  }

  /** The next byte, or '' at the end. */
  peek(): string {
    return this.#text[this.#at] ?? '';
  }

  /** How much has been read. */
  get position(): number {
    return this.#at;
  }

  skip(): void {
    this.#at++;
  }

  /** The value of attribute `name`, which must come now. */
  read(name: string): ByteString {
    if (this.peek() !== name)
      throw malformed(`Expected attribute "${name}" but found "${shownByte(this.peek())}".`);
    return this.#value(name);
  }

  /** Whatever attribute comes now. */
  readAny(): { readonly name: string; readonly value: ByteString } {
    const name = this.peek();
    if (name === '') throw malformed('Attribute expected, but found end of string.');
    if (!/[A-Za-z]/.test(name)) {
      throw malformed(`Attribute expected, but found invalid character "${shownByte(name)}".`);
    }
    return { name, value: this.#value(name) };
  }

  #value(name: string): ByteString {
    this.#at++;
    if (this.peek() !== '=') throw malformed(`Expected character "=" for attribute "${name}".`);
    const begin = this.#at + 1;
    const comma = this.#text.indexOf(',', begin);
    const end = comma === -1 ? this.#text.length : comma;
    this.#at = comma === -1 ? end : end + 1;
    return this.#text.slice(begin, end);
  }
}
