// What the parser makes of a regular expression: the tree that both the automata and the captures come from.

import type { ByteSet } from './bytes.ts';

/** Which of several ends a quantifier prefers (PostgreSQL's documentation, "Regular Expression Matching Rules"). */
export type Preference = 'longer' | 'shorter';

/** Constraints that depend on the two bytes around a boundary only. */
export type SimpleConstraint =
  | 'line-start'
  | 'line-end'
  | 'string-start'
  | 'string-end'
  | 'word-start'
  | 'word-end'
  | 'word-edge'
  | 'not-word-edge';

/** A condition on the place between two bytes. */
export type Constraint =
  | { readonly kind: 'simple'; readonly name: SimpleConstraint }
  | { readonly kind: 'look'; readonly ahead: boolean; readonly negated: boolean; readonly body: Regex };

export type Atom =
  | { readonly kind: 'byte'; readonly set: ByteSet }
  /** `index` into {@link Syntax.constraints}. */
  | { readonly kind: 'constraint'; readonly index: number }
  /** `capture` is the group's number; 0 = it does not capture. */
  | { readonly kind: 'group'; readonly capture: number; readonly body: Regex };

/** A quantified atom. */
export interface Piece {
  readonly atom: Atom;
  readonly min: number;
  /** Infinity where there is no upper bound. */
  readonly max: number;
  /** Null for no quantifier and for `{m}`, which take over the atom's own preference. */
  readonly prefers: Preference | null;
}

/** What stands between two bars: pieces one after another. */
export type Branch = readonly Piece[];

/** Alternatives; at least one. */
export interface Regex {
  readonly branches: readonly Branch[];
}

/** A whole regular expression. */
export interface Syntax {
  readonly regex: Regex;
  readonly groupCount: number;
  /** Every constraint that occurs; a lookaround's own constraints come before it. */
  readonly constraints: readonly Constraint[];
  /** `^` and `$` hold beside a newline too. */
  readonly newlineAnchors: boolean;
}
