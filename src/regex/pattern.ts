// PostgreSQL's regular expressions (advanced, C collation, SQL_ASCII), matched on bytes in time linear in the
// subject. What PostgreSQL would match here matches, with its captures; what cannot be is refused by name.

import type { ByteString } from '../base/bytestring.ts';
import { isAnchored } from './anchors.ts';
import { Dissector } from './dissect.ts';
import { literalPrefix } from './literal.ts';
import { Matcher } from './matcher.ts';
import { parsePattern } from './parser.ts';

export { PatternError } from './error.ts';

/** A compiled regular expression (semantics §5.8). Immutable to its users; what it caches is bounded. */
export interface Pattern {
  /** What follows the leading `/` of the token. */
  readonly source: ByteString;
  /** Number of capturing parentheses. */
  readonly groupCount: number;
  /** Its anchors let it match whole subjects only. */
  readonly isAnchored: boolean;
  /** Whether the expression matches anywhere in the subject. */
  test(subject: ByteString): boolean;
  /**
   * The captures of the match that PostgreSQL's regexec reports, or null when nothing matches. `groups[0]` is
   * group 1; a group that took no part in the match is null.
   */
  exec(subject: ByteString): { readonly groups: readonly (ByteString | null)[] } | null;
  /** Upper bound of what `test` or `exec` costs on this subject, in operations that take half a nanosecond to one. */
  price(subject: ByteString, what: 'test' | 'exec'): number;
}

/**
 * Compiles what follows the leading `/` of a token (semantics §4.4, §5.8, §7.3; PostgreSQL's documentation,
 * "POSIX Regular Expressions"), as pg_regcomp does with REG_ADVANCED.
 * @throws PatternError with pg_regerror's text, or naming the construct that is not supported.
 */
export function compilePattern(source: ByteString): Pattern {
  const syntax = parsePattern(source);
  const matcher = new Matcher(syntax);
  const dissector = new Dissector(matcher);
  const prefix = literalPrefix(syntax);
  return Object.freeze({
    source,
    groupCount: syntax.groupCount,
    isAnchored: isAnchored(syntax),
    test: (subject: ByteString) => subject.startsWith(prefix) && matcher.test(subject),
    exec: (subject: ByteString) => {
      const groups = subject.startsWith(prefix) ? dissector.captures(subject) : null;
      return groups === null ? null : { groups };
    },
    price: (subject: ByteString, what: 'test' | 'exec') => {
      if (!subject.startsWith(prefix)) return 1;
      return (subject.length + 1) * (what === 'test' ? matcher.testCost : matcher.captureCost);
    },
  });
}
