// max_handshakes: the connections that no rule has admitted yet. When one too many comes, the one that has gone longest
// without progress goes, so that silent or slow strangers never keep clients out (contract §7.20).

import { GatehouseError } from '../errors.ts';
import type { Lifeline } from './deadline.ts';

/** The process's unadmitted connections, the one longest without progress first. */
export class Handshakes {
  /**
   * When each made progress last, by performance.now(). A Map keeps the order of insertion, so taking a connection out
   * and in again moves it to the end.
   */
  readonly #waiting = new Map<Lifeline, number>();
  readonly #onChange: () => void;

  /** @param onChange called after the size has changed */
  constructor(onChange: () => void = () => {}) {
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** For how long the one longest without progress has made none, in milliseconds; 0 when there is none. */
  get oldestAgeMs(): number {
    const [oldest] = this.#waiting.values();
    return oldest === undefined ? 0 : performance.now() - oldest;
  }

  /** Takes a new connection in, and ends the one longest without progress where `limit` (0 = none) is passed. */
  enter(life: Lifeline, limit: number): void {
    this.#waiting.set(life, performance.now());
    this.#onChange();
    if (limit > 0 && this.#waiting.size > limit) this.evictOldest();
  }

  /** Ends the connection longest without progress; false = there is none. */
  evictOldest(): boolean {
    const [oldest] = this.#waiting.keys();
    if (oldest === undefined) return false;
    this.leave(oldest);
    oldest.end(new GatehouseError('handshake-evicted'));
    return true;
  }

  /** A step of the opening is done: TLS, the startup packet. Single bytes are no progress. */
  progress(life: Lifeline): void {
    if (this.#waiting.delete(life)) this.#waiting.set(life, performance.now());
  }

  /** Ends every one of them: the gate is closing. */
  endAll(reason: GatehouseError): void {
    for (const life of this.#waiting.keys()) life.end(reason);
  }

  /** Admitted, refused or gone. */
  leave(life: Lifeline): void {
    if (this.#waiting.delete(life)) this.#onChange();
  }
}
