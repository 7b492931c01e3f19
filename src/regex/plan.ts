// How a match is taken apart to find its captures. The parts and their preferences for a longer or shorter
// match are those of PostgreSQL's parser ("Regular Expression Matching Rules"), for the captures depend on them.

import { alternatives, EMPTY, positionsOf, repeat, sequence, widthOf } from './expression.ts';
import type { Expression } from './expression.ts';
import type { Branch, Piece, Preference, Regex } from './syntax.ts';

/** What a part wants and holds. */
interface Traits {
  readonly prefers: Preference | null;
  /** Holds parts whose preferences differ. */
  readonly mixed: boolean;
  readonly captures: boolean;
}

/** A part of the expression: the language it matches, and how to divide what it matched. */
export interface Part extends Traits {
  readonly expression: Expression;
  /** The groups that what this part matches is assigned to. */
  readonly groups: readonly number[];
  readonly division: Division;
}

export type Division =
  /** Nothing inside captures. */
  | { readonly kind: 'whole' }
  /** The first takes as much or as little as it prefers, so that the second matches the rest. */
  | { readonly kind: 'pair'; readonly first: Part; readonly second: Part }
  /** The first of them that matches all of it. */
  | { readonly kind: 'choice'; readonly branches: readonly Part[] }
  /** The body, none to `max` times, each time as much or as little as it prefers. */
  | { readonly kind: 'iteration'; readonly body: Part; readonly max: number };

const NOTHING: Traits = { prefers: null, mixed: false, captures: false };

/** The traits of parts one after another: the first that has a preference gives it. */
function combine(first: Traits, second: Traits): Traits {
  return {
    prefers: first.prefers ?? second.prefers,
    mixed: first.mixed || second.mixed || differ(first.prefers, second.prefers),
    captures: first.captures || second.captures,
  };
}

function differ(one: Preference | null, other: Preference | null): boolean {
  return one !== null && other !== null && one !== other;
}

function isSimple(traits: Traits): boolean {
  return !traits.mixed && !traits.captures;
}

/** Plans the whole expression. */
export function planRegex(regex: Regex): Part {
  const branches = regex.branches.map((branch) => planBranch(branch));
  if (branches.length === 1) return branches[0]!;
  // An alternation prefers the longer match whatever its branches prefer.
  const traits = branches.reduce<Traits>(combine, { ...NOTHING, prefers: 'longer' });
  const expression = alternatives(branches.map((branch) => branch.expression));
  return part(expression, traits, isSimple(traits) ? { kind: 'whole' } : { kind: 'choice', branches });
}

/**
 * Upper bound of the word operations that dividing costs for each byte divided, where a run of a part's automaton
 * costs `runCost` and `positionCost` for each of its positions.
 */
export function costToDivide(whole: Part, runCost: number, positionCost: number): number {
  const { captures, division } = whole;
  const run = ({ expression }: Part): number => runCost + positionCost * positionsOf(expression);
  const inner = (each: Part): number => costToDivide(each, runCost, positionCost);
  if (!captures || division.kind === 'whole') return 0;
  if (division.kind === 'pair') {
    const { first, second } = division;
    const fixed = !Number.isNaN(widthOf(first.expression)) || !Number.isNaN(widthOf(second.expression));
    // The two share the bytes, so that only the dearer one counts.
    return (fixed ? 0 : run(first) + run(second)) + Math.max(inner(first), inner(second));
  }
  if (division.kind === 'choice') {
    const tried = division.branches.reduce((sum, branch) => sum + run(branch), 0);
    return tried + Math.max(...division.branches.map(inner));
  }
  const { body, max } = division;
  // Back and forth, slower than other runs; a limit that must be heeded makes as many runs as it allows.
  const runs = max === 1 ? 1 : max === Infinity ? 5 : 5 + max;
  return runs * run(body) + inner(body);
}

/** The language of a regular expression, captures and preferences forgotten. */
export function languageOf(regex: Regex): Expression {
  return planRegex(regex).expression;
}

function part(expression: Expression, traits: Traits, division: Division = { kind: 'whole' }): Part {
  const { prefers, mixed, captures } = traits;
  return { expression, prefers, mixed, captures, groups: [], division };
}

/**
 * A branch is one undivided part as far as nothing captures and all quantifiers agree. The first piece for
 * which that is not so splits it: what came before, the piece, and the rest, which is planned by itself.
 */
function planBranch(branch: Branch): Part {
  const before: Expression[] = [];
  let traits = NOTHING;
  for (const [index, piece] of branch.entries()) {
    const atom = planAtom(piece);
    if (piece.max === 0) {
      before.push(EMPTY);
      continue;
    }
    const quantifier: Traits = { ...NOTHING, prefers: piece.prefers };
    const together = combine(combine(traits, quantifier), atom);
    if (isSimple(together)) {
      before.push(repeat(atom.expression, piece.min, piece.max));
      traits = together;
      continue;
    }
    const rest = index + 1 < branch.length ? planBranch(branch.slice(index + 1)) : null;
    const head = before.length > 0 ? part(sequence(before), traits) : null;
    return joinBranch(head, planPiece(piece, atom, quantifier), rest, combine(quantifier, atom));
  }
  return part(sequence(before), traits);
}

/** `traits` are those of the piece before its quantifier took effect. */
function joinBranch(head: Part | null, piece: Part, rest: Part | null, traits: Traits): Part {
  if (rest === null) return head === null ? piece : pair(head, piece, combine(head, piece));
  const tailTraits = combine(traits, rest);
  if (head === null) return pair(piece, rest, tailTraits);
  const joined = combine(piece, rest);
  const undivided = piece.division.kind === 'whole' && rest.division.kind === 'whole' && isSimple(joined);
  const tail = undivided
    ? part(sequence([piece.expression, rest.expression]), joined)
    : pair(piece, rest, tailTraits);
  return pair(head, tail, combine(head, tailTraits));
}

function pair(first: Part, second: Part, traits: Traits): Part {
  return part(sequence([first.expression, second.expression]), traits, { kind: 'pair', first, second });
}

function planAtom(piece: Piece): Part {
  const { atom } = piece;
  switch (atom.kind) {
    case 'byte':
    case 'constraint':
      return part(atom, NOTHING);
    case 'group': {
      const body = planRegex(atom.body);
      return atom.capture === 0 ? body : { ...body, captures: true, groups: [...body.groups, atom.capture] };
    }
    default:
      return atom satisfies never;
  }
}

function planPiece(piece: Piece, atom: Part, quantifier: Traits): Part {
  const { min, max } = piece;
  const agrees = !atom.mixed && !differ(quantifier.prefers, atom.prefers);
  if (min === 1 && max === 1 && (quantifier.prefers === null || agrees)) return atom;
  const traits = combine(quantifier, atom);
  if (!atom.captures) return part(repeat(atom.expression, min, max), traits);
  const expression = repeat(atom.expression, min, max);
  if (min === 0) return part(expression, traits, { kind: 'iteration', body: atom, max });
  // Only the last repetition's captures count, so all before it are one undivided part.
  const before = part(repeat(atom.expression, min - 1, max - 1), { ...NOTHING, prefers: traits.prefers });
  return part(expression, traits, { kind: 'pair', first: before, second: atom });
}
