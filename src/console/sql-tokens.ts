// SQL cut into tokens, as far as the console must understand a statement before the engine does: where it ends, what it
// names, and what PostgreSQL writes otherwise than the engine.

/** What a token is. Blanks and comments are none. */
export type TokenKind = 'word' | 'quoted' | 'string' | 'number' | 'parameter' | 'operator' | 'mark';

export interface SqlToken {
  readonly kind: TokenKind;
  /** As the engine reads it: a string is in single quotes, whatever it was written in. */
  readonly text: string;
  /** A word in lower case; everything else as `text`. */
  readonly word: string;
}

/** A statement that cannot be cut into tokens: SQLSTATE 42601. */
export class SqlSyntaxError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SqlSyntaxError';
  }
}

/** Characters that PostgreSQL's operators are made of. */
const OPERATOR_CHARACTERS: ReadonlySet<string> = new Set('+-*/<>=~!@#%^&|`?:');
const WORD = /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const PARAMETER = /\$\d+/y;
const DOLLAR_QUOTE = /\$(?:[A-Za-z_]\w*)?\$/y;
const BLANKS = /\s+/y;

/**
 * The statements of a text, each as tokens; empty ones are left out.
 *
 * @throws SqlSyntaxError for a quote or a comment that is never closed
 */
export function splitStatements(sql: string): SqlToken[][] {
  const statements: SqlToken[][] = [];
  let current: SqlToken[] = [];
  for (const token of tokens(sql)) {
    if (token.kind === 'mark' && token.text === ';') {
      if (current.length > 0) statements.push(current);
      current = [];
    } else {
      current.push(token);
    }
  }
  if (current.length > 0) statements.push(current);
  return statements;
}

function* tokens(sql: string): Generator<SqlToken> {
  let at = 0;
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    return pattern.exec(sql)?.[0] ?? null;
  };
  while (at < sql.length) {
    const blanks = match(BLANKS);
    if (blanks !== null) {
      at += blanks.length;
      continue;
    }
    const commentEnd = endOfComment(sql, at);
    if (commentEnd !== null) {
      at = commentEnd;
      continue;
    }
    const { token, length } = readToken(sql, at, match);
    at += length;
    yield token;
  }
}

/** Where the comment that begins here ends; null = none begins here. */
function endOfComment(sql: string, at: number): number | null {
  if (!isCommentAt(sql, at)) return null;
  if (sql.startsWith('--', at)) {
    const newline = sql.indexOf('\n', at);
    return newline === -1 ? sql.length : newline;
  }
  let depth = 0;
  for (let index = at; index < sql.length; index++) {
    if (sql.startsWith('/*', index)) {
      depth++;
      index++;
    } else if (sql.startsWith('*/', index)) {
      depth--;
      index++;
      if (depth === 0) return index + 1;
    }
  }
  throw unterminated('/* comment', sql, at);
}

function readToken(
  sql: string,
  at: number,
  match: (pattern: RegExp) => string | null,
): { readonly token: SqlToken; readonly length: number } {
  const first = sql[at] ?? '';
  if (first === "'") return quoted(sql, at, "'", 'string');
  if (first === '"') return quoted(sql, at, '"', 'quoted');
  if (/[eE]/.test(first) && sql[at + 1] === "'") return escaped(sql, at);
  const parameter = match(PARAMETER);
  if (parameter !== null) return taken('parameter', parameter);
  const tag = match(DOLLAR_QUOTE);
  if (tag !== null) return dollarQuoted(sql, at, tag);
  const word = match(WORD);
  if (word !== null) return taken('word', word);
  const number = match(NUMBER);
  if (number !== null) return taken('number', number);
  const end = endOfOperator(sql, at);
  return end > at ? taken('operator', sql.slice(at, end)) : taken('mark', first);
}

/** Longest operator, as in PostgreSQL (NAMEDATALEN-1). */
const MAX_OPERATOR_LENGTH = 63;

/**
 * Where the operator that begins here ends; `at` = none begins here. A comment may begin in the middle of what looks like
 * one. A sign at the end belongs to what follows, as in PostgreSQL: `1/-1` divides. An operator's length is all that is
 * read beyond its end: a megabyte of operators and comments would be read again for each of them.
 */
function endOfOperator(sql: string, at: number): number {
  let end = at;
  while (
    end - at < MAX_OPERATOR_LENGTH &&
    OPERATOR_CHARACTERS.has(sql[end] ?? '') &&
    !isCommentAt(sql, end)
  ) {
    end++;
  }
  if (/[~!@#%^&|`?]/.test(sql.slice(at, end))) return end;
  while (end - at > 1 && /[+-]/.test(sql[end - 1] ?? '')) end--;
  return end;
}

function isCommentAt(sql: string, at: number): boolean {
  return sql.startsWith('--', at) || sql.startsWith('/*', at);
}

function taken(kind: TokenKind, text: string) {
  return { token: { kind, text, word: kind === 'word' ? text.toLowerCase() : text }, length: text.length };
}

function quoted(sql: string, at: number, quote: string, kind: 'string' | 'quoted') {
  let end = at + 1;
  for (;;) {
    const next = sql.indexOf(quote, end);
    if (next === -1) throw unterminated(`quoted ${kind === 'string' ? 'string' : 'identifier'}`, sql, at);
    end = next + 1;
    if (sql[end] !== quote) break;
    end++;
  }
  return taken(kind, sql.slice(at, end));
}

/** `E'…'`, with C's escapes. */
function escaped(sql: string, at: number) {
  let value = '';
  let index = at + 2;
  for (; sql[index] !== undefined; index++) {
    const character = sql[index] ?? '';
    if (character === "'") {
      if (sql[index + 1] !== "'") {
        const { token } = taken('string', `'${value.replaceAll("'", "''")}'`);
        return { token, length: index + 1 - at };
      }
      index++;
      value += "'";
    } else if (character === '\\') {
      index++;
      value += ESCAPES[sql[index] ?? ''] ?? sql[index] ?? '';
    } else {
      value += character;
    }
  }
  throw unterminated('quoted string', sql, at);
}

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

function dollarQuoted(sql: string, at: number, tag: string) {
  const end = sql.indexOf(tag, at + tag.length);
  if (end === -1) throw unterminated('dollar-quoted string', sql, at);
  const value = sql.slice(at + tag.length, end);
  const { token } = taken('string', `'${value.replaceAll("'", "''")}'`);
  return { token, length: end + tag.length - at };
}

/** Most characters of a statement that an error says. */
const MAX_SAID = 1_000;

function unterminated(what: string, sql: string, at: number): SqlSyntaxError {
  return new SqlSyntaxError(`unterminated ${what} at or near "${sql.slice(at, at + MAX_SAID)}"`);
}

/** The value of a string token, or the name of a word or a quoted identifier. */
export function valueOf({ kind, text, word }: SqlToken): string {
  if (kind === 'string') return text.slice(1, -1).replaceAll("''", "'");
  if (kind === 'quoted') return text.slice(1, -1).replaceAll('""', '"');
  return word;
}

/** Where the parenthesis that opens at `open` closes; the last token where it never does. */
export function closing(statement: readonly SqlToken[], open: number): number {
  let depth = 0;
  for (let index = open; index < statement.length; index++) {
    if (statement[index]?.text === '(') depth++;
    if (statement[index]?.text === ')' && --depth === 0) return index;
  }
  return statement.length - 1;
}

/** A token that a rewritten statement has beside the client's own: punctuation. */
export function markToken(text: string): SqlToken {
  return { kind: 'mark', text, word: text };
}

/** The same: a key word or a plain name. */
export function wordToken(text: string): SqlToken {
  return { kind: 'word', text, word: text };
}
