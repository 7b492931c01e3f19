// auth_file: PgBouncer's userlist.txt (login.md §2), read whole or not at all, so that no user loses a password to a typo
// in somebody else's line.

import { MAX_NAME_BYTES, toText, type ByteString } from '../base/bytestring.ts';
import type { Problem } from '../base/problems.ts';
import { looksDamaged, parseSecret, type Secret } from './secret.ts';

/** PgBouncer's limit on a secret. */
const MAX_SECRET_BYTES = 65_530;

/** White space to C's isspace. */
const SPACE = ' \t\n\v\f\r';

/** A file's users and their secrets, and what deserves a warning. */
export interface Userlist {
  readonly secrets: ReadonlyMap<ByteString, Secret>;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/**
 * Reads an auth_file: a line is `"user" "secret"`, anything after it is ignored, `;` begins a comment, `""` inside
 * quotes is one quote. Of two lines for one user the last counts.
 *
 * @param file its path, for the problems; no secret is ever in one
 */
export function parseUserlist(text: ByteString, file: string): Userlist {
  const reader = new UserlistReader(text, file);
  while (reader.readLine());
  return reader;
}

/** The line of one user, without its end. */
export function userlistLine(user: ByteString, secret: ByteString): ByteString {
  return [user, secret].map((field) => `"${field.replaceAll('"', '""')}"`).join(' ');
}

/** The problem of one line; the reader goes on after it. */
class LineProblem extends Error {
  readonly line: number;
  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

class UserlistReader implements Userlist {
  readonly secrets = new Map<ByteString, Secret>();
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly #text: ByteString;
  readonly #file: string;
  #at = 0;
  #line = 1;

  constructor(text: ByteString, file: string) {
    this.#text = text;
    this.#file = file;
  }

  /** Returns false at the end of the text. */
  readLine(): boolean {
    this.#skip(SPACE);
    if (this.#at >= this.#text.length) return false;
    try {
      if (this.#text[this.#at] !== ';') this.#readEntry();
    } catch (error) {
      if (!(error instanceof LineProblem)) throw error;
      this.problems.push({ file: this.#file, line: error.line, message: error.message });
    }
    this.#skipLine();
    return true;
  }

  #readEntry(): void {
    const line = this.#line;
    const user = this.#readQuoted(line, 'user name');
    this.#skip(' \t');
    const text = this.#readQuoted(line, 'secret');
    if (user === '') throw new LineProblem(line, 'the user name is empty');
    if (user.length > MAX_NAME_BYTES) {
      throw new LineProblem(line, `the user name is longer than ${MAX_NAME_BYTES} bytes`);
    }
    if (user.includes('\0')) throw new LineProblem(line, 'the user name contains a NUL byte');
    if (text.length > MAX_SECRET_BYTES) {
      throw new LineProblem(line, `the secret is longer than ${MAX_SECRET_BYTES} bytes`);
    }
    if (text.includes('\0')) throw new LineProblem(line, 'the secret contains a NUL byte');
    const secret = parseSecret(text);
    if (looksDamaged(secret)) {
      this.warnings.push({
        file: this.#file,
        line,
        message: `the secret of "${toText(user)}" looks like a damaged hash and is read as a plain password`,
        hint: 'PostgreSQL reads it so too. Copy the secret again, or write the password itself.',
      });
    }
    this.secrets.set(user, secret);
  }

  #readQuoted(line: number, what: string): ByteString {
    if (this.#text[this.#at] !== '"') throw new LineProblem(line, `the line has no quoted ${what}`);
    const begin = this.#at + 1;
    for (let from = begin; ; from += 2) {
      const quote = this.#text.indexOf('"', from);
      if (quote === -1) {
        this.#advance(this.#text.length);
        throw new LineProblem(line, `the quote of the ${what} is never closed`);
      }
      if (this.#text[quote + 1] !== '"') {
        this.#advance(quote + 1);
        return this.#text.slice(begin, quote).replaceAll('""', '"');
      }
      from = quote;
    }
  }

  #skip(bytes: string): void {
    let end = this.#at;
    while (end < this.#text.length && bytes.includes(this.#text[end] ?? '')) end++;
    this.#advance(end);
  }

  #skipLine(): void {
    const newline = this.#text.indexOf('\n', this.#at);
    this.#advance(newline === -1 ? this.#text.length : newline + 1);
  }

  /** Moves on, counting lines. */
  #advance(to: number): void {
    for (
      let at = this.#text.indexOf('\n', this.#at);
      at !== -1 && at < to;
      at = this.#text.indexOf('\n', at + 1)
    ) {
      this.#line++;
    }
    this.#at = to;
  }
}
