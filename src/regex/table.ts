// One step of an automaton on sets of states, all states at once. A set is a bit string; most states lead to
// their neighbour, which is one shift for all of them, and the rest is grouped by where it leads.

/** Set of states as words of 32 bits. */
export type StateSet = Int32Array;

/** The step from the states before a boundary to those after it (or, backward, the other way round). */
export class Table {
  readonly #forward: boolean;
  readonly #words: number;
  /**
   * Everything in one array, for there are many small tables: the states that their neighbour leads to; those
   * that lead elsewhere; for each state where its group's record begins. A record is the group's members, the
   * number of what follows, and by turns the number of a word and what to add to it.
   */
  readonly #data: Int32Array;
  readonly #groupOf: number;
  /** Upper bound of the word operations that one step takes. */
  readonly cost: number;

  /** `leads[s]` are the states that s leads to; backward they are read against their direction. */
  constructor(leads: readonly (readonly number[])[], size: number, direction: 'forward' | 'backward') {
    this.#forward = direction === 'forward';
    this.#words = (size + 31) >>> 5;
    this.#groupOf = 2 * this.#words;
    const rows = this.#forward ? leads : reverse(leads, size);
    const step = this.#forward ? 1 : -1;
    const groups = new Map<string, Group>();
    const shifted: number[] = [];
    for (const [state, targets] of rows.entries()) {
      const neighbour = state + step;
      if (targets.includes(neighbour)) shifted.push(neighbour);
      if (targets.length === 0 || (targets.length === 1 && targets[0] === neighbour)) continue;
      joinGroup(
        groups,
        state,
        targets.filter((target) => target !== neighbour),
      );
    }
    const records = [...groups.values()].map(({ members, targets }) => ({
      members,
      words: sparseWords(targets),
      start: 0,
    }));
    let length = this.#groupOf + size;
    for (const record of records) {
      record.start = length;
      length += this.#words + 1 + 2 * record.words.size;
    }
    this.#data = new Int32Array(length);
    for (const state of shifted) setBit(this.#data, state);
    this.cost = 3 * this.#words;
    for (const { members, words, start } of records) {
      this.#write(members, words, start);
      this.cost += sparseWords(members).size * (2 + words.size);
    }
  }

  #write(members: readonly number[], words: ReadonlyMap<number, number>, start: number): void {
    const branching = this.#data.subarray(this.#words);
    const record = this.#data.subarray(start);
    for (const state of members) {
      setBit(branching, state);
      setBit(record, state);
      this.#data[this.#groupOf + state] = start;
    }
    let at = this.#words;
    record[at++] = 2 * words.size;
    for (const [word, bits] of words) {
      record[at++] = word;
      record[at++] = bits;
    }
  }

  /** Writes into `to` where the states in `from` lead. */
  step(from: StateSet, to: StateSet): void {
    const words = this.#words;
    const data = this.#data;
    if (this.#forward) {
      for (let word = 0, carry = 0; word < words; word++) {
        const states = from[word]!;
        to[word] = ((states << 1) | carry) & data[word]!;
        carry = states >>> 31;
      }
    } else {
      for (let word = words - 1, carry = 0; word >= 0; word--) {
        const states = from[word]!;
        to[word] = ((states >>> 1) | carry) & data[word]!;
        carry = states << 31;
      }
    }
    for (let word = 0; word < words; word++) {
      let left = from[word]! & data[words + word]!;
      while (left !== 0) {
        const record = data[this.#groupOf + ((word << 5) | (31 - Math.clz32(left)))]!;
        left &= ~data[record + word]!;
        const first = record + words + 1;
        const end = first + data[first - 1]!;
        for (let at = first; at < end; at += 2) to[data[at]!]! |= data[at + 1]!;
      }
    }
  }
}

/** States that lead to the same states. */
interface Group {
  readonly members: number[];
  readonly targets: readonly number[];
}

function joinGroup(groups: Map<string, Group>, state: number, targets: number[]): void {
  const key =
    targets.length === 1 ? String(targets[0]) : targets.toSorted((one, other) => one - other).join();
  const group = groups.get(key);
  if (group === undefined) groups.set(key, { members: [state], targets });
  else group.members.push(state);
}

/** The words of a set that are not zero, by their number. */
function sparseWords(states: readonly number[]): ReadonlyMap<number, number> {
  const words = new Map<number, number>();
  for (const state of states) words.set(state >>> 5, (words.get(state >>> 5) ?? 0) | (1 << (state & 31)));
  return words;
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
