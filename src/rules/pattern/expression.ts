// A language and nothing more: what is left of a regular expression when captures and preferences are taken
// away. Automata are built from these.

import type { ByteSet } from './bytes.ts';

export type Expression =
  | { readonly kind: 'byte'; readonly set: ByteSet }
  | { readonly kind: 'constraint'; readonly index: number }
  /** One after another; no items = the empty string. */
  | { readonly kind: 'sequence'; readonly items: readonly Expression[] }
  | { readonly kind: 'alternatives'; readonly branches: readonly Expression[] }
  | Repeat;

interface Repeat {
  readonly kind: 'repeat';
  readonly body: Expression;
  readonly min: number;
  readonly max: number;
}

export const EMPTY: Expression = { kind: 'sequence', items: [] };

/** One after another. */
export function sequence(items: readonly Expression[]): Expression {
  return items.length === 1 ? items[0]! : { kind: 'sequence', items };
}

/** One of several. */
export function alternatives(branches: readonly Expression[]): Expression {
  return branches.length === 1 ? branches[0]! : { kind: 'alternatives', branches };
}

/**
 * `min` to `max` times. Repetitions of repetitions are flattened where that changes nothing, for the sake of
 * small automata: `(a?){0,9}` is `a{0,9}`, `(a+)*` is `a*`.
 */
export function repeat(body: Expression, min: number, max: number): Expression {
  if (max === 0) return EMPTY;
  if (min === 1 && max === 1) return body;
  if (body.kind === 'repeat') {
    if (body.min === 0 && body.max === Infinity) return body;
    if (body.min === 0 && body.max === 1) return repeat(body.body, 0, max);
    if (body.min === 1 && body.max === Infinity) return repeat(body.body, min, Infinity);
  }
  return { kind: 'repeat', body, min, max };
}
