// An automaton run over a subject, forward to find where matches end and backward to find where they begin.
// Every run takes one step a byte, whose cost the size limits bound: no subject makes it slower.

import type { ByteSet } from './bytes.ts';
import type { Expression } from './expression.ts';
import { buildGraph } from './graph.ts';
import type { Graph } from './graph.ts';
import type { Subject } from './subject.ts';
import { hasBit, setBit, Table } from './table.ts';
import type { StateSet } from './table.ts';

const START = 0;

/** Where an iteration over a range of the subject can get to. Both lists go by boundaries, from `from` on. */
export interface Iteration {
  /** The range's first boundary. */
  readonly from: number;
  /** 1 for each boundary from which the range's end can be reached. */
  readonly good: Uint8Array;
  /** The states from which the body can still end at a good boundary; as many words each as a set has. */
  readonly hopeful: Int32Array;
}

/** By number of words: where runs keep their states. No run begins before the last one has ended. */
const workspaces: ([StateSet, StateSet] | undefined)[] = [];

/** Called for each boundary found, in the order of the run; true stops it. */
export type Visit = (boundary: number) => boolean;

export class Automaton {
  readonly #graph: Graph;
  readonly #words: number;
  readonly #accept: number;
  readonly #classOf: Uint8Array;
  /** For each class of bytes (times words) the positions that take it. */
  readonly #takers: Int32Array;
  /** By the mask of constraints that hold; made when first needed. */
  readonly #forward: (Table | undefined)[] = [];
  readonly #backward: (Table | undefined)[] = [];
  /** No match begins elsewhere than at the start of the subject. */
  readonly #anchored: boolean;
  #current: StateSet;
  #next: StateSet;

  /**
   * `atStartOnly` masks the constraints that hold at the subject's start and nowhere else.
   * @throws PatternError when the expression is too complex.
   */
  constructor(expression: Expression, atStartOnly: number) {
    this.#graph = buildGraph(expression);
    const { size, sets, constraints } = this.#graph;
    this.#words = (size + 31) >>> 5;
    this.#accept = size - 1;
    [this.#current, this.#next] = workspaces[this.#words] ??= [
      new Int32Array(this.#words),
      new Int32Array(this.#words),
    ];
    const { classOf, takers } = classify(sets, this.#words);
    this.#classOf = classOf;
    this.#takers = takers;
    this.#anchored = this.#graph.beginnings(constraints & ~atStartOnly).length === 0;
  }

  /** How many states there are. */
  get size(): number {
    return this.#graph.size;
  }

  /** How many steps between states there are where all constraints hold: what making a table costs. */
  get density(): number {
    return this.#graph.followers(this.#graph.constraints).reduce((sum, targets) => sum + targets.length, 0);
  }

  /** Upper bound of the word operations that a byte of the subject costs, told where all constraints hold. */
  get cost(): number {
    return this.#table(this.#forward, 'forward', this.#graph.constraints).cost;
  }

  #table(tables: (Table | undefined)[], direction: 'forward' | 'backward', holding: number): Table {
    const mask = holding & this.#graph.constraints;
    return (tables[mask] ??= new Table(this.#graph.followers(mask), this.#graph.size, direction));
  }

  /**
   * Visits in ascending order the boundaries in `[from, to]` at which a match ends that begins at `from`, or,
   * with `anywhere`, that begins anywhere from there on.
   */
  forward(
    subject: Subject,
    from: number,
    to: number,
    anywhere: boolean,
    visit: Visit,
    within?: Iteration,
  ): void {
    const roaming = anywhere && !this.#anchored;
    this.#current.fill(0);
    setBit(this.#current, START);
    for (let at = from; ; at++) {
      this.#table(this.#forward, 'forward', subject.constraintsAt(at)).step(this.#current, this.#next);
      if (hasBit(this.#next, this.#accept) && visit(at)) return;
      if (at === to) return;
      let alive = this.#take(subject.bytes.charCodeAt(at));
      if (within !== undefined)
        alive = this.#intersects(within.hopeful, (at + 1 - within.from) * this.#words);
      if (roaming) setBit(this.#current, START);
      else if (!alive) return;
    }
  }

  /**
   * Visits in descending order the boundaries in `[from, to]` at which a match begins that ends at `to`, or,
   * with `anywhere`, that ends anywhere up to there, or at one of the boundaries that `ends` marks (from `from` on).
   */
  backward(
    subject: Subject,
    from: number,
    to: number,
    ends: 'to' | 'anywhere' | Uint8Array,
    visit: Visit,
  ): void {
    this.#current.fill(0);
    setBit(this.#current, this.#accept);
    for (let at = to; ; at--) {
      this.#table(this.#backward, 'backward', subject.constraintsAt(at)).step(this.#current, this.#next);
      if (hasBit(this.#next, START) && visit(at)) return;
      if (at === from) return;
      const alive = this.#take(subject.bytes.charCodeAt(at - 1));
      if (ends === 'to') {
        if (!alive) return;
      } else if (ends === 'anywhere' || ends[at - 1 - from] === 1) {
        setBit(this.#current, this.#accept);
      }
    }
  }

  /** What an iteration of this automaton over `[from, to]` can reach, told backward from its end. */
  iterate(subject: Subject, from: number, to: number): Iteration {
    const words = this.#words;
    const good = new Uint8Array(to - from + 1);
    const hopeful = new Int32Array((to - from + 1) * words);
    this.#current.fill(0);
    for (let at = to; ; at--) {
      const table = this.#table(this.#backward, 'backward', subject.constraintsAt(at));
      table.step(this.#current, this.#next);
      if (at === to || hasBit(this.#next, START)) {
        good[at - from] = 1;
        setBit(this.#current, this.#accept);
        table.step(this.#current, this.#next);
      }
      hopeful.set(this.#next, (at - from) * words);
      if (at === from) return { from, good, hopeful };
      this.#take(subject.bytes.charCodeAt(at - 1));
    }
  }

  /** Goes over a byte: of the next states those that take it become the current ones. False when there are none. */
  #take(byte: number): boolean {
    const words = this.#words;
    const base = this.#classOf[byte]! * words;
    let alive = 0;
    for (let word = 0; word < words; word++) {
      alive |= this.#next[word]! &= this.#takers[base + word]!;
    }
    const taken = this.#next;
    this.#next = this.#current;
    this.#current = taken;
    return alive !== 0;
  }

  #intersects(sets: Int32Array, base: number): boolean {
    for (let word = 0; word < this.#words; word++) {
      if ((this.#current[word]! & sets[base + word]!) !== 0) return true;
    }
    return false;
  }
}

/** Sorts the byte values into classes that no position tells apart. */
function classify(sets: readonly ByteSet[], words: number): { classOf: Uint8Array; takers: Int32Array } {
  const classOf = new Uint8Array(256);
  let count = 1;
  const wide: ByteSet[] = [];
  for (const set of new Set(sets)) {
    const first = set.indexOf(1);
    if (first !== set.lastIndexOf(1)) wide.push(set);
    else if (first !== -1 && classOf[first] === 0) classOf[first] = count++;
  }
  for (const set of wide) count = refine(classOf, count, set);
  const takers = new Int32Array(count * words);
  for (let number = 0; number < count; number++) {
    const byte = classOf.indexOf(number);
    const row = takers.subarray(number * words, (number + 1) * words);
    for (const [position, set] of sets.entries()) if (set[byte] === 1) setBit(row, position + 1);
  }
  return { classOf, takers };
}

const numbers = new Int16Array(512);

/** Splits each class into the bytes within a set and those without; returns how many classes there are now. */
function refine(classOf: Uint8Array, before: number, set: ByteSet): number {
  let count = 0;
  numbers.fill(-1, 0, 2 * before);
  for (let byte = 0; byte < 256; byte++) {
    const key = 2 * classOf[byte]! + set[byte]!;
    if (numbers[key] === -1) numbers[key] = count++;
    classOf[byte] = numbers[key]!;
  }
  return count;
}
