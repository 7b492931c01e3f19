// An automaton's graph: positions, each of which consumes one byte, joined by paths that consume nothing and may
// pass constraints. Its size is limited, so that compiling and matching are too.

import type { ByteSet } from './bytes.ts';
import { PatternError, regerror } from './error.ts';
import type { Expression } from './expression.ts';

/** Bytes that one automaton may tell apart by place: each occurrence of an atom, repetitions written out. */
const MAX_POSITIONS = 1500;
/** Steps of construction; without positions repetition could nest for ever: `(((){255}){255}){255}`. */
const MAX_STEPS = 20_000;

/** A way on that consumes nothing. */
interface Edge {
  readonly to: number;
  /** The constraint that must hold; -1 = none. */
  readonly constraint: number;
}

/** Reads states as numbers: bit 0 is the start, the next `sets.length` are the positions, the last is acceptance. */
export interface Graph {
  /** What each position consumes, in the order of the text; position p is bit p + 1. */
  readonly sets: readonly ByteSet[];
  /** Bits in a set of states. */
  readonly size: number;
  /** The constraints that occur, as a mask. */
  readonly constraints: number;
  /**
   * For the start and each position (by bit): the bits that can follow at a boundary where exactly the
   * constraints in `holding` hold.
   */
  followers(holding: number): readonly (readonly number[])[];
  /** The first of these lists: what a match can begin with. */
  beginnings(holding: number): readonly number[];
}

/** @throws PatternError when the expression is too complex. */
export function buildGraph(expression: Expression): Graph {
  return new GraphBuilder(expression);
}

class GraphBuilder implements Graph {
  readonly sets: readonly ByteSet[];
  readonly size: number;
  constraints = 0;
  /** The edges out of each node; a position has none. */
  readonly #edges: Edge[][] = [[]];
  /** For each node the position it is, counted from the end of the text; -1 = none. */
  readonly #positionAt: number[] = [-1];
  readonly #nextOf: number[] = [];
  readonly #entry: number;
  #steps = 0;

  constructor(expression: Expression) {
    // Built from the end: a node is made when what follows it is there. Node 0 accepts.
    const sets: ByteSet[] = [];
    this.#entry = this.#add(expression, 0, sets);
    this.sets = sets.toReversed();
    this.size = sets.length + 2;
  }

  #node(edges: Edge[]): number {
    this.#edges.push(edges);
    return this.#positionAt.push(-1) - 1;
  }

  /** Adds the expression in front of `next` and returns where it begins. */
  #add(expression: Expression, next: number, sets: ByteSet[]): number {
    // SECURITY: a bound of 255 in a bound of 255 is written out here; without this it would take for ever.
    if (++this.#steps > MAX_STEPS) throw new PatternError(regerror.tooComplex);
    switch (expression.kind) {
      case 'byte': {
        if (sets.length >= MAX_POSITIONS) throw new PatternError(regerror.tooComplex);
        const node = this.#node([]);
        this.#positionAt[node] = sets.push(expression.set) - 1;
        this.#nextOf.push(next);
        return node;
      }
      case 'constraint':
        this.constraints |= 1 << expression.index;
        return this.#node([{ to: next, constraint: expression.index }]);
      case 'sequence':
        return expression.items.reduceRight((after, item) => this.#add(item, after, sets), next);
      case 'alternatives': {
        const branches = expression.branches.toReversed().map((branch) => this.#add(branch, next, sets));
        return this.#fork(branches);
      }
      case 'repeat':
        return this.#addRepeat(expression.body, expression.min, expression.max, next, sets);
      default:
        return expression satisfies never;
    }
  }

  #fork(targets: readonly number[]): number {
    return this.#node(targets.map((to) => ({ to, constraint: -1 })));
  }

  #addRepeat(body: Expression, min: number, max: number, next: number, sets: ByteSet[]): number {
    let entry = next;
    let copies = min;
    if (max === Infinity) {
      const loop: Edge[] = [];
      const fork = this.#node(loop);
      const again = this.#add(body, fork, sets);
      loop.push({ to: again, constraint: -1 }, { to: next, constraint: -1 });
      entry = min === 0 ? fork : again;
      copies = Math.max(0, min - 1);
    } else {
      for (let optional = min; optional < max; optional++)
        entry = this.#fork([this.#add(body, entry, sets), next]);
    }
    for (let copy = 0; copy < copies; copy++) entry = this.#add(body, entry, sets);
    return entry;
  }

  beginnings(holding: number): readonly number[] {
    return this.#reach(this.#entry, holding, []);
  }

  followers(holding: number): readonly (readonly number[])[] {
    const visited: number[] = [];
    const known = new Map<number, readonly number[]>();
    const from = (node: number): readonly number[] => {
      const position = this.#positionAt[node]!;
      if (position !== -1) return [this.sets.length - position];
      const bits = known.get(node) ?? this.#reach(node, holding, visited);
      known.set(node, bits);
      return bits;
    };
    return [from(this.#entry), ...this.#nextOf.toReversed().map(from)];
  }

  /** The positions and acceptance that can be reached from a node without consuming anything. */
  #reach(origin: number, holding: number, visited: number[]): readonly number[] {
    const bits: number[] = [];
    const pending = [origin];
    visited[origin] = origin;
    // Marks of earlier searches stay: each search has its own.
    for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      const position = this.#positionAt[node]!;
      if (node === 0) bits.push(this.size - 1);
      else if (position !== -1) bits.push(this.sets.length - position);
      for (const { to, constraint } of this.#edges[node]!) {
        if (visited[to] === origin || (constraint !== -1 && ((holding >> constraint) & 1) === 0)) continue;
        visited[to] = origin;
        pending.push(to);
      }
    }
    return bits;
  }
}
