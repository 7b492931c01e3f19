// What judging one connection may cost. A client chooses how many names its certificate has and how long they are, an
// operator how many lines and patterns there are; nobody chooses the product of the two.

import type { ByteString } from '../base/bytestring.ts';
import type { Pattern } from '../regex/pattern.ts';

/**
 * SECURITY: the limit of one decision, in operations that take half a nanosecond to one: about 0.1 s of processor time.
 * 10,000 lines of a map with a pattern each, tried on a name of 300 bytes, stay below it.
 */
export const MAX_PRICE = 150_000_000;
/** Operations between two chances to pause: one or two milliseconds. */
const PAUSE_AFTER = 2_000_000;
/** Operations that looking at one line costs, whatever stands in it. */
const LINE_PRICE = 10;

/** Thrown when a decision would cost more than the limit; decide.ts makes a refusal of it. */
export class TooExpensive extends Error {}

/** Counts what one decision costs. */
export class Price {
  readonly #limit: number;
  #spent = 0;
  #pauseAt = PAUSE_AFTER;

  /** @param limit in operations; Infinity where an operator asks and no client waits */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Counts a line that is looked at. @throws TooExpensive */
  line(): void {
    this.#add(LINE_PRICE);
  }

  /** Tests a pattern, unless that would go beyond the limit. @throws TooExpensive */
  test(pattern: Pattern, subject: ByteString): boolean {
    this.#add(pattern.price(subject, 'test'));
    return pattern.test(subject);
  }

  /**
   * Finds a pattern's captures, unless that would go beyond the limit. Where there is no match it costs what a test does.
   * @throws TooExpensive
   */
  exec(pattern: Pattern, subject: ByteString): ReturnType<Pattern['exec']> {
    const price = pattern.price(subject, 'exec');
    if (this.#spent + price > this.#limit) throw new TooExpensive();
    const match = pattern.exec(subject);
    this.#spent += match === null ? pattern.price(subject, 'test') : price;
    return match;
  }

  /** Whether so much has been done since the last pause that others should have their turn. */
  pauseIsDue(): boolean {
    if (this.#spent < this.#pauseAt) return false;
    this.#pauseAt = this.#spent + PAUSE_AFTER;
    return true;
  }

  #add(operations: number): void {
    this.#spent += operations;
    if (this.#spent > this.#limit) throw new TooExpensive();
  }
}
