// Text of a rule file to logical lines, and a logical line to tokens (semantics §3, T1 to T7). Pure text: what
// `@file` and `include` mean is tokens.ts's business.

import type { ByteString } from '../base/bytestring.ts';
import type { Token } from './types.ts';

/** One logical line: continuations joined, line ends stripped. */
export interface LogicalLine {
  readonly raw: ByteString;
  /** Number of its first physical line (T2). */
  readonly line: number;
}

/** Splits a file into logical lines (T1, T2); empty ones are passed on too. Linear in the length. */
export function* logicalLines(content: ByteString): Generator<LogicalLine> {
  let at = 0;
  let physical = 1;
  while (at < content.length) {
    const line = physical;
    const joined = new JoinedLine();
    let continued = true;
    while (continued && at < content.length) {
      const newline = content.indexOf('\n', at);
      const end = newline === -1 ? content.length : newline;
      continued = joined.append(content.slice(at, end));
      at = end + 1;
      physical += 1;
    }
    yield { raw: joined.text(), line };
  }
}

/** Pieces rather than one growing string, so that a file made of continuations costs no more than another. */
class JoinedLine {
  readonly #pieces: string[] = [];
  #length = 0;
  #lengthAtContinuation = 0;

  /** Adds a physical line without its newline; true = it ended in a continuation. */
  append(physicalLine: ByteString): boolean {
    this.#push(physicalLine);
    this.#stripCarriageReturns();
    // A backslash that an earlier continuation left behind does not continue the line again.
    if (this.#length <= this.#lengthAtContinuation || !this.#last().endsWith('\\')) return false;
    this.#push(this.#pop().slice(0, -1));
    this.#lengthAtContinuation = this.#length;
    return true;
  }

  text(): ByteString {
    return this.#pieces.join('');
  }

  /** Carriage returns are stripped from the end of what is joined so far, not of the new piece alone. */
  #stripCarriageReturns(): void {
    while (this.#last().endsWith('\r')) {
      const piece = this.#pop();
      let end = piece.length;
      while (end > 0 && piece[end - 1] === '\r') end -= 1;
      this.#push(piece.slice(0, end));
    }
  }

  #last(): string {
    return this.#pieces.at(-1) ?? '';
  }

  #push(piece: string): void {
    if (piece === '') return;
    this.#pieces.push(piece);
    this.#length += piece.length;
  }

  #pop(): string {
    const piece = this.#pieces.pop() ?? '';
    this.#length -= piece.length;
    return piece;
  }
}

const QUOTE = 0x22;
const HASH = 0x23;
const COMMA = 0x2c;

/** Space, tab and carriage return; no other character separates (T3). */
function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0d;
}

/** Walks the tokens of one logical line (T3 to T7). */
export class Scanner {
  readonly #line: ByteString;
  #at = 0;
  #endedInComma = false;

  constructor(line: ByteString) {
    this.#line = line;
  }

  /** True when a comma stood directly after the last token: the next one belongs to the same field (T7). */
  get endedInComma(): boolean {
    return this.#endedInComma;
  }

  get done(): boolean {
    return this.#at >= this.#line.length;
  }

  /** The next token, or null at the end of the line or at a comment. */
  next(): Token | null {
    const line = this.#line;
    this.#endedInComma = false;
    let at = this.#at;
    while (at < line.length && (isBlank(line.charCodeAt(at)) || line.charCodeAt(at) === COMMA)) at += 1;

    let text = '';
    /** Where the characters begin that are not in `text` yet: they are copied at once, not one by one. */
    let from = at;
    let end = -1;
    let inQuote = false;
    let justClosed = false;
    let sawQuote = false;
    let quoted = false;
    for (; at < line.length; at += 1) {
      const code = line.charCodeAt(at);
      if (!inQuote) {
        if (isBlank(code)) break;
        if (code === HASH) {
          end = at;
          at = line.length;
          break;
        }
        if (code === COMMA) {
          this.#endedInComma = true;
          break;
        }
      }
      if (code !== QUOTE) {
        justClosed = false;
        continue;
      }
      text += line.slice(from, at);
      from = at + 1;
      if (justClosed) text += '"'; // a doubled quote is one
      justClosed = inQuote;
      inQuote = !inQuote;
      sawQuote = true;
      if (text === '') quoted = true; // only a quote before the first character takes the meaning away (T6)
    }
    text += line.slice(from, end === -1 ? at : end);
    this.#at = at;
    return sawQuote || text !== '' ? { text, quoted } : null;
  }
}

/** A token as it is written, or the comment at the end of a line: for whoever replaces one in a line. */
export const WRITTEN = /#[^]*|(?:[^ \t\r,#"]+|"[^"]*"?)+/g;

/** The fields of one logical line as written, no `@file` expanded (T7). */
export function fieldsOf(line: ByteString): readonly (readonly Token[])[] {
  const scanner = new Scanner(line);
  const fields: Token[][] = [];
  let continues = false;
  for (let token = scanner.next(); token !== null; token = scanner.next()) {
    const field = continues ? fields.at(-1) : undefined;
    if (field === undefined) fields.push([token]);
    else field.push(token);
    continues = scanner.endedInComma;
  }
  return fields;
}
