// A language and nothing more: what is left of a regular expression when captures and preferences are taken
// away. Automata are built from these.

import { unionOf } from './bytes.ts';
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

/** One of several; those that are single bytes become one. */
export function alternatives(branches: readonly Expression[]): Expression {
  const sets = branches.flatMap((branch) => (branch.kind === 'byte' ? [branch.set] : []));
  if (sets.length < 2) return branches.length === 1 ? branches[0]! : { kind: 'alternatives', branches };
  const byte: Expression = { kind: 'byte', set: unionOf(sets) };
  const others = branches.filter((branch) => branch.kind !== 'byte');
  return others.length === 0 ? byte : { kind: 'alternatives', branches: [byte, ...others] };
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

const widths = new WeakMap<Expression, number>();
const positions = new WeakMap<Expression, number>();

/** How many bytes every match of the expression has; NaN when that differs. */
export function widthOf(expression: Expression): number {
  return remembered(widths, expression, () => {
    switch (expression.kind) {
      case 'byte':
        return 1;
      case 'constraint':
        return 0;
      case 'sequence':
        return sum(expression.items.map(widthOf));
      case 'alternatives': {
        const [first, ...others] = expression.branches.map(widthOf);
        return others.every((width) => width === first) ? first! : NaN;
      }
      case 'repeat':
        return expression.min === expression.max ? expression.min * widthOf(expression.body) : NaN;
      default:
        return expression satisfies never;
    }
  });
}

/** How many positions an automaton for the expression has: atoms that take a byte, repetitions written out. */
export function positionsOf(expression: Expression): number {
  return remembered(positions, expression, () => {
    switch (expression.kind) {
      case 'byte':
        return 1;
      case 'constraint':
        return 0;
      case 'sequence':
        return sum(expression.items.map(positionsOf));
      case 'alternatives':
        return sum(expression.branches.map(positionsOf));
      case 'repeat': {
        const copies = expression.max === Infinity ? Math.max(1, expression.min) : expression.max;
        return copies * positionsOf(expression.body);
      }
      default:
        return expression satisfies never;
    }
  });
}

function remembered(
  known: WeakMap<Expression, number>,
  expression: Expression,
  measure: () => number,
): number {
  const value = known.get(expression) ?? measure();
  known.set(expression, value);
  return value;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
