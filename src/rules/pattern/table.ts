// One step of an automaton on sets of states, all states at once. A set is a bit string; most states lead to
// their neighbour, which is one shift for all of them, and the rest is grouped by where it leads.

/** Set of states as words of 32 bits. */
export type StateSet = Int32Array;

/** The step from the states before a boundary to those behind it (or, backward, the other way round). */
export class Table {
  readonly #forward: boolean;
  readonly #words: number;
  /** States that their neighbour leads to. */
  readonly #shifted: Int32Array;
  /** States that lead elsewhere than to their neighbour. */
  readonly #branching: Int32Array;
  readonly #groupOf: Int16Array;
  readonly #members: Int32Array[] = [];
  readonly #targets: Int32Array[] = [];
  /** The words of `targets` that are not zero lie in `[first, last)`. */
  readonly #firstWord: number[] = [];
  readonly #lastWord: number[] = [];
  /** Upper bound of the word operations that one step takes. */
  readonly cost: number;

  /** `leads[s]` are the states that s leads to; backward they are read against their direction. */
  constructor(leads: readonly (readonly number[])[], size: number, direction: 'forward' | 'backward') {
    this.#forward = direction === 'forward';
    this.#words = (size + 31) >>> 5;
    this.#shifted = new Int32Array(this.#words);
    this.#branching = new Int32Array(this.#words);
    this.#groupOf = new Int16Array(size);
    const rows = this.#forward ? leads : reverse(leads, size);
    const groups = new Map<string, number>();
    const step = this.#forward ? 1 : -1;
    for (const [state, targets] of rows.entries()) {
      const others = targets.filter((target) => target !== state + step);
      if (others.length < targets.length) setBit(this.#shifted, state + step);
      if (others.length > 0) this.#join(state, others, groups);
    }
    this.cost = this.#estimate();
  }

  /** Puts a state into the group of those that lead to the same states. */
  #join(state: number, targets: number[], groups: Map<string, number>): void {
    const key = targets.toSorted((one, other) => one - other).join();
    let group = groups.get(key);
    if (group === undefined) {
      group = groups.size;
      groups.set(key, group);
      const set = new Int32Array(this.#words);
      for (const target of targets) setBit(set, target);
      this.#members.push(new Int32Array(this.#words));
      this.#targets.push(set);
      this.#firstWord.push(set.findIndex((word) => word !== 0));
      this.#lastWord.push(set.findLastIndex((word) => word !== 0) + 1);
    }
    setBit(this.#members[group]!, state);
    setBit(this.#branching, state);
    this.#groupOf[state] = group;
  }

  #estimate(): number {
    let cost = 3 * this.#words;
    for (const [group, members] of this.#members.entries()) {
      const width = this.#lastWord[group]! - this.#firstWord[group]!;
      for (const word of members) if (word !== 0) cost += 2 + width;
    }
    return cost;
  }

  /** Writes into `to` where the states in `from` lead. */
  step(from: StateSet, to: StateSet): void {
    const words = this.#words;
    const shifted = this.#shifted;
    if (this.#forward) {
      for (let word = 0, carry = 0; word < words; word++) {
        const states = from[word]!;
        to[word] = ((states << 1) | carry) & shifted[word]!;
        carry = states >>> 31;
      }
    } else {
      for (let word = words - 1, carry = 0; word >= 0; word--) {
        const states = from[word]!;
        to[word] = ((states >>> 1) | carry) & shifted[word]!;
        carry = states << 31;
      }
    }
    for (let word = 0; word < words; word++) {
      let left = from[word]! & this.#branching[word]!;
      while (left !== 0) {
        const group = this.#groupOf[(word << 5) | (31 - Math.clz32(left))]!;
        left &= ~this.#members[group]![word]!;
        const targets = this.#targets[group]!;
        const last = this.#lastWord[group]!;
        for (let target = this.#firstWord[group]!; target < last; target++) to[target]! |= targets[target]!;
      }
    }
  }
}

/** Adds a state to a set. */
export function setBit(set: StateSet, state: number): void {
  set[state >>> 5]! |= 1 << (state & 31);
}

/** Whether a state is in a set. */
export function hasBit(set: StateSet, state: number): boolean {
  return (set[state >>> 5]! & (1 << (state & 31))) !== 0;
}

function reverse(leads: readonly (readonly number[])[], size: number): number[][] {
  const rows: number[][] = Array.from({ length: size }, () => []);
  for (const [state, targets] of leads.entries()) for (const target of targets) rows[target]!.push(state);
  return rows;
}
