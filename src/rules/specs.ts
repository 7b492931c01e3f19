// What a database or user token means (semantics §4.4, §5.6, §5.7): keyword, role membership, regular
// expression or name. Shared by pg_hba.conf and pg_ident.conf.

import { toText } from '../base/bytestring.ts';
import type { ByteString } from '../base/bytestring.ts';
import { compilePattern, PatternError } from '../regex/pattern.ts';
import type { Pattern } from '../regex/pattern.ts';
import { BadLine } from './bad-line.ts';
import type { DatabaseSpec, Token, UserSpec } from './types.ts';

/** Compiles each distinct regular expression of one load once. */
export class PatternCache {
  readonly #patterns = new Map<ByteString, Pattern>();

  /** Throws BadLine with PostgreSQL's text when `source` is not a regular expression. */
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

/** Null for a token that is not a regular expression. Quoting does not matter: it is how commas get in (§4.4). */
export function parsePattern(token: Token, patterns: PatternCache): Pattern | null {
  return token.text.startsWith('/') ? patterns.compile(token.text.slice(1)) : null;
}

/** Keywords are shared by all records, so that a scan of many records stays within the processor's cache. */
const ALL = { kind: 'all' } as const;
const DATABASE_KEYWORDS: ReadonlyMap<ByteString, DatabaseSpec> = new Map<ByteString, DatabaseSpec>([
  ['all', ALL],
  ['sameuser', { kind: 'sameuser' }],
  ['samerole', { kind: 'samerole' }],
  ['samegroup', { kind: 'samerole' }],
  ['replication', { kind: 'replication' }],
]);

/** One token of the database field. */
export function parseDatabase(token: Token, patterns: PatternCache): DatabaseSpec {
  const pattern = parsePattern(token, patterns);
  if (pattern !== null) return { kind: 'pattern', pattern };
  const keyword = token.quoted ? undefined : DATABASE_KEYWORDS.get(token.text);
  return keyword ?? { kind: 'name', name: token.text };
}

/** One token of the user field, or the database user of a map. */
export function parseUser(token: Token, patterns: PatternCache): UserSpec {
  const pattern = parsePattern(token, patterns);
  if (pattern !== null) return { kind: 'pattern', pattern };
  if (isKeyword(token, 'all')) return ALL;
  if (!token.quoted && token.text.startsWith('+')) return { kind: 'member', role: token.text.slice(1) };
  return { kind: 'name', name: token.text };
}
