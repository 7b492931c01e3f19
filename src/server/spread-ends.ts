// Sessions that are to end after a reload end one by one over some seconds, so that not all reconnect at once.

/** Over this time, in milliseconds. */
const SPREAD_MS = 5_000;

/** When each of them ends. */
export class SpreadEnds {
  readonly #stepMs: number;
  #last = -Infinity;

  /** @param count how many they are at most */
  constructor(count: number) {
    this.#stepMs = SPREAD_MS / Math.max(count, 1);
  }

  /** The next one's end, by performance.now(). Where it is known late, those after it move too, and none catches up. */
  next(): number {
    this.#last = Math.max(performance.now(), this.#last + this.#stepMs);
    return this.#last;
  }
}
