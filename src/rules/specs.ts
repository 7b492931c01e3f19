// What a database or user token means (semantics §4.4, §5.6, §5.7): keyword, role membership, regular
// expression or name. Shared by pg_hba.conf and pg_ident.conf.

import { toText } from '../bytestring.ts';
import type { ByteString } from '../bytestring.ts';
import { compilePattern, PatternError } from './pattern.ts';
import type { Pattern } from './pattern.ts';
import { BadLine } from './problems.ts';
import type { DatabaseSpec, Token, UserSpec } from './types.ts';

/** Compiles each distinct regular expression of one load once. */
export class PatternCache {
  readonly #patterns = new Map<ByteString, Pattern>();

  /** Throws BadLine with PostgreSQL's text when `source` is no regular expression. */
  compile(source: ByteString): Pattern {
    let pattern = this.#patterns.get(source);
    if (pattern === undefined) {
      try {
        pattern = compilePattern(source);
      } catch (error) {
        if (!(error instanceof PatternError)) throw error;
        throw new BadLine(`invalid regular expression "${toText(source)}": ${error.message}`);
      }
      this.#patterns.set(source, pattern);
    }
    return pattern;
  }
}

/** True for an unquoted token that is exactly this word. */
export function isKeyword(token: Token, keyword: string): boolean {
  return !token.quoted && token.text === keyword;
}

/** Null for a token that is no regular expression. Quoting does not matter: it is how commas get in (§4.4). */
export function parsePattern(token: Token, patterns: PatternCache): Pattern | null {
  return token.text.startsWith('/') ? patterns.compile(token.text.slice(1)) : null;
}

/** One token of the database field. */
export function parseDatabase(token: Token, patterns: PatternCache): DatabaseSpec {
  const pattern = parsePattern(token, patterns);
  if (pattern !== null) return { kind: 'pattern', pattern };
  if (isKeyword(token, 'all')) return { kind: 'all' };
  if (isKeyword(token, 'sameuser')) return { kind: 'sameuser' };
  if (isKeyword(token, 'samerole') || isKeyword(token, 'samegroup')) return { kind: 'samerole' };
  if (isKeyword(token, 'replication')) return { kind: 'replication' };
  return { kind: 'name', name: token.text };
}

/** One token of the user field, or the database user of a map. */
export function parseUser(token: Token, patterns: PatternCache): UserSpec {
  const pattern = parsePattern(token, patterns);
  if (pattern !== null) return { kind: 'pattern', pattern };
  if (isKeyword(token, 'all')) return { kind: 'all' };
  if (!token.quoted && token.text.startsWith('+')) return { kind: 'member', role: token.text.slice(1) };
  return { kind: 'name', name: token.text };
}
