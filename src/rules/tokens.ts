// Reads pg_hba.conf and pg_ident.conf into records of tokens, with `@file`, `include`, `include_if_exists` and
// `include_dir` resolved (semantics §3). Every error is collected; an expansion is bounded in depth and in size.

import { toText } from '../base/bytestring.ts';
import type { ByteString } from '../base/bytestring.ts';
import type { Problem } from '../base/problems.ts';
import { runToEnd, type Steps } from '../base/steps.ts';
import { errnoOf } from '../base/system-error.ts';
import { BadLine, problemAt, systemErrorText } from './bad-line.ts';
import { logicalLines, Scanner } from './scan.ts';
import type { FileSystem, Line, Place, Token } from './types.ts';

/** PostgreSQL's CONF_FILE_MAX_DEPTH: the file itself is at depth 0. */
const MAX_DEPTH = 10;
/** Bytes read and read again through `@file`; PostgreSQL has no such limit and can be kept busy for ever. */
const MAX_BYTES = 64 * 1024 * 1024;
/** What reaching a file counts at least, so that a tree of empty files ends too. */
const MIN_FILE_BYTES = 1024;
/** Tokens of all records together, after expansion. */
const MAX_TOKENS = 1_000_000;
/** Reading stops after this many failed includes and `@file`s: a file that includes itself has millions. */
const MAX_UNREADABLE = 1_000;
/** A line may hold a million tokens: after this many of them the reading may be interrupted. */
const TOKENS_A_STEP = 256;
/** Errors of one load. */
const MAX_PROBLEMS = 10_000;

/** A record, or what is wrong where a record should be; in the order of the files. */
export type Entry = { readonly line: Line } | { readonly problem: Problem };

/** A rule file as records. */
export interface TokenizedFile {
  readonly entries: readonly Entry[];
  /** Files that include_if_exists did not find. */
  readonly warnings: readonly Problem[];
  /** The file itself does not exist. */
  readonly missing: boolean;
}

/**
 * Reads `file` (an absolute path) and everything it names. Never throws: errors are entries.
 *
 * @internal for tests
 */
export function readLines(file: string, fs: FileSystem): TokenizedFile {
  return runToEnd(readLinesInSteps(file, fs));
}

/** The same as work that may be interrupted. */
export function readLinesInSteps(file: string, fs: FileSystem): Steps<TokenizedFile> {
  return new Reader(fs).read(file);
}

/** Parses every record; `parse` throws BadLine for one that is wrong. All problems are collected, in order. */
export function* parseRecords<R>(
  entries: readonly Entry[],
  parse: (line: Line) => R,
): Steps<{ readonly records: readonly R[]; readonly problems: readonly Problem[] }> {
  const records: R[] = [];
  const problems: Problem[] = [];
  for (const entry of entries) {
    yield;
    if ('problem' in entry) {
      problems.push(entry.problem);
      continue;
    }
    if (problems.length > MAX_PROBLEMS) {
      problems.push(problemAt(entry.line, tooManyErrors(MAX_PROBLEMS)));
      break;
    }
    try {
      records.push(parse(entry.line));
    } catch (error) {
      if (!(error instanceof BadLine)) throw error;
      problems.push(problemAt(entry.line, error.message, error.hint));
    }
  }
  return { records, problems };
}

/** More was expanded than any real set of rules needs; ends the reading at once. */
class TooLarge extends Error {
  /** The line of the file itself that led there. */
  line: number | null;
  constructor(message: string, line: number | null = null) {
    super(message);
    this.line = line;
  }
}

function tooManyErrors(limit: number): string {
  return `more than ${limit} errors: what follows was not read`;
}

class Reader {
  readonly #fs: FileSystem;
  readonly #entries: Entry[] = [];
  readonly #warnings: Problem[] = [];
  /** Contents by path: a file that is named twice is read once, so that one load sees one state of it. */
  readonly #contents = new Map<string, ByteString>();
  #bytes = 0;
  #tokens = 0;
  #unreadable = 0;

  constructor(fs: FileSystem) {
    this.#fs = fs;
  }

  *read(file: string): Steps<TokenizedFile> {
    let missing = false;
    try {
      yield* this.#readFile(file, this.#open(file, 0), 0, this.#entries);
    } catch (error) {
      if (!(error instanceof BadLine) && !(error instanceof TooLarge)) throw error;
      const line = error instanceof TooLarge ? error.line : null;
      this.#entries.push({ problem: { file, line, message: error.message } });
      missing = error.cause !== undefined && errnoOf(error.cause) === 'ENOENT';
    }
    return { entries: this.#entries, warnings: this.#warnings, missing };
  }

  /** The contents of a file at a depth of inclusion; BadLine with PostgreSQL's text when it cannot be had. */
  #open(file: string, depth: number): ByteString {
    if (depth > MAX_DEPTH) throw new BadLine(`could not open file "${file}": maximum nesting depth exceeded`);
    let content = this.#contents.get(file);
    if (content === undefined) {
      try {
        content = this.#fs.readFile(file);
      } catch (error) {
        // A file that cannot be had counts as an empty one: include_if_exists has a warning for each.
        this.#countBytes(0);
        const verb = ['EISDIR', 'ETIMEDOUT'].includes(errnoOf(error) ?? '') ? 'read' : 'open';
        const failure = new BadLine(`could not ${verb} file "${file}": ${systemErrorText(error)}`);
        failure.cause = error;
        throw failure;
      }
      this.#contents.set(file, content);
    }
    this.#countBytes(content.length);
    return content;
  }

  #countBytes(length: number): void {
    this.#bytes += Math.max(length, MIN_FILE_BYTES);
    if (this.#bytes > MAX_BYTES) throw new TooLarge(`included files exceed ${MAX_BYTES} bytes`);
  }

  /** Appends the records of an opened file, and what is wrong in it, to `entries`. */
  *#readFile(file: string, content: ByteString, depth: number, entries: Entry[]): Steps<void> {
    for (const { raw, line } of logicalLines(content)) {
      const place = { file, line };
      yield;
      try {
        const fields = yield* this.#fields(raw, place, depth);
        if (fields.length === 0) continue;
        if (!(yield* this.#include(fields, place, depth, entries)))
          entries.push({ line: { ...place, raw, fields } });
      } catch (error) {
        if (error instanceof TooLarge) error.line = line; // the outermost file's line is set last
        if (!(error instanceof BadLine)) throw error;
        this.#pushProblem(entries, problemAt(place, error.message, error.hint));
      }
    }
  }

  #pushProblem(entries: Entry[], problem: Problem): void {
    entries.push({ problem });
    if (++this.#unreadable > MAX_UNREADABLE) throw new TooLarge(tooManyErrors(MAX_UNREADABLE), problem.line);
  }

  /** The fields of one logical line. A field whose `@file` holds no token is not there at all. */
  *#fields(raw: ByteString, place: Place, depth: number): Steps<Token[][]> {
    // C ends a line at a NUL byte and would splice the next one on; no file that holds one is meant as text.
    if (raw.includes('\0')) throw new BadLine('line contains a NUL byte');
    const scanner = new Scanner(raw);
    const fields: Token[][] = [];
    while (!scanner.done) {
      const field: Token[] = [];
      do {
        const token = scanner.next();
        if (token === null) break;
        if (!token.quoted && token.text.length > 1 && token.text.startsWith('@')) {
          yield* this.#expand(token.text.slice(1), place, depth + 1, field);
        } else {
          if (this.#countToken() % TOKENS_A_STEP === 0) yield;
          field.push(token);
        }
      } while (scanner.endedInComma);
      if (field.length > 0) fields.push(field);
    }
    return fields;
  }

  /** Replaces `@name` by all tokens of that file (T8). The first error in it becomes the naming line's. */
  *#expand(name: ByteString, place: Place, depth: number, field: Token[]): Steps<void> {
    const file = this.#fs.resolve(place.file, toText(name));
    const entries: Entry[] = [];
    yield* this.#readFile(file, this.#open(file, depth), depth, entries);
    for (const entry of entries) {
      if ('problem' in entry) throw new BadLine(entry.problem.message);
      for (const tokens of entry.line.fields) {
        for (const token of tokens) field.push(token);
      }
    }
  }

  /** Carries out a directive; false = the line is an ordinary record (T9 to T11). */
  *#include(fields: readonly Token[][], place: Place, depth: number, entries: Entry[]): Steps<boolean> {
    const directive = fields[0]?.[0]?.text ?? '';
    const target = fields[1]?.[0]?.text;
    if (fields.length !== 2 || target === undefined) return false;
    switch (directive) {
      case 'include':
        yield* this.#includeFile(this.#fs.resolve(place.file, toText(target)), depth + 1, entries);
        return true;
      case 'include_if_exists':
        yield* this.#includeIfExists(this.#fs.resolve(place.file, toText(target)), place, depth + 1, entries);
        return true;
      case 'include_dir':
        yield* this.#includeDirectory(target, place, depth + 1, entries);
        return true;
      default:
        return false;
    }
  }

  *#includeFile(file: string, depth: number, entries: Entry[]): Steps<void> {
    yield* this.#readFile(file, this.#open(file, depth), depth, entries);
  }

  *#includeIfExists(file: string, place: Place, depth: number, entries: Entry[]): Steps<void> {
    let content: ByteString;
    try {
      content = this.#open(file, depth);
    } catch (error) {
      if (!(error instanceof BadLine) || errnoOf(error.cause) !== 'ENOENT') throw error;
      this.#warnings.push(problemAt(place, `skipping missing authentication file "${file}"`));
      return;
    }
    yield* this.#readFile(file, content, depth, entries);
  }

  *#includeDirectory(named: ByteString, place: Place, depth: number, entries: Entry[]): Steps<void> {
    // An empty name would mean the naming file's own directory, and that file again.
    if (/^[ \t\r\n]*$/.test(named))
      throw new BadLine(`empty configuration directory name: "${toText(named)}"`);
    const directory = this.#fs.resolve(place.file, toText(named));
    for (const name of this.#configurationFiles(directory)) {
      const file = this.#fs.resolve(`${directory}/${name}`, name);
      try {
        yield* this.#includeFile(file, depth, entries);
      } catch (error) {
        if (!(error instanceof BadLine)) throw error;
        // A name that stands there and leads to nothing: PostgreSQL looks what it is before it opens it.
        const isLost = ['ENOENT', 'ELOOP'].includes(errnoOf(error.cause) ?? '');
        const message = isLost
          ? `could not stat file "${file}": ${systemErrorText(error.cause)}`
          : error.message;
        this.#pushProblem(entries, problemAt(place, message));
      }
    }
  }

  /** Names of a directory that count as configuration, in the order of their bytes (T11). */
  #configurationFiles(directory: string): string[] {
    let names: readonly string[];
    try {
      names = this.#fs.listFiles(directory);
    } catch {
      throw new BadLine(`could not open directory "${directory}"`);
    }
    return names
      .filter((name) => name.length >= 6 && !name.startsWith('.') && name.endsWith('.conf'))
      .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  #countToken(): number {
    this.#tokens += 1;
    if (this.#tokens > MAX_TOKENS) throw new TooLarge(`the rules expand to more than ${MAX_TOKENS} tokens`);
    return this.#tokens;
  }
}
