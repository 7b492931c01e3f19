// Cancel requests with a key that nobody has. They need no login, so each address may send a few: a key of four bytes
// could be guessed otherwise, and with several workers each guess asks all of them.

import { setTimeout as sleep } from 'node:timers/promises';

/** The most unknown keys that an address may send at once. */
const UNKNOWN_AT_ONCE = 50;

/** How many of them are forgotten in a second. */
const FORGOTTEN_PER_SECOND = 10;

/** The most requests of an address beyond that which wait for their turn. The others are closed, and their keys are not looked up. */
const MAX_WAITING = 5;

/** SECURITY: the most addresses that are remembered. One more makes the gate forget the one that guessed longest ago. */
const MAX_ADDRESSES = 4096;

interface Guesser {
  /** Unknown keys, less what time has forgotten, at `at`. */
  unknown: number;
  /** In milliseconds. */
  at: number;
  /** Its look-ups, one after another: each is counted before the next begins. */
  turn: Promise<unknown>;
  /** How many of them are not over yet. */
  waiting: number;
}

export interface CancelGuessesOptions {
  /** Called when a key was unknown, so that other processes can know it too. */
  readonly onUnknown?: ((address: string) => void) | undefined;
  /** In milliseconds. */
  readonly now?: () => number;
  readonly wait?: (ms: number) => Promise<void>;
}

/** Counts the unknown keys of each address. */
export class CancelGuesses {
  readonly #guessers = new Map<string, Guesser>();
  readonly #onUnknown: (address: string) => void;
  readonly #now: () => number;
  readonly #wait: (ms: number) => Promise<void>;

  constructor({ onUnknown, now, wait }: CancelGuessesOptions = {}) {
    this.#onUnknown = onUnknown ?? (() => {});
    this.#now = now ?? (() => performance.now());
    this.#wait = wait ?? (async (ms) => await sleep(ms, undefined, { ref: false }));
  }

  /**
   * Looks a key up, as often as an address may be wrong. Known keys cost it nothing, so an application may cancel as
   * much as it likes.
   *
   * @param address the client's, or its /64
   * @returns what was found, null for an unknown key, or `too-many`: it was not looked up
   */
  async lookUp<T extends object>(
    address: string,
    find: () => Promise<T | null>,
  ): Promise<T | null | 'too-many'> {
    const guesser = this.#of(address);
    guesser.waiting++;
    const result = guesser.turn.then(async () => {
      // SECURITY: asked before the look-up, whose answer is what a guess is after.
      const ms = this.#msUntilFree(guesser);
      if (ms > 0 && guesser.waiting > MAX_WAITING) return 'too-many';
      if (ms > 0) await this.#wait(ms);
      const found = await find();
      if (found === null) {
        this.unknown(address);
        this.#onUnknown(address);
      }
      return found;
    });
    guesser.turn = result.catch(() => undefined).then(() => guesser.waiting--);
    return await result;
  }

  /** Counts an unknown key, of this process or another. */
  unknown(address: string): void {
    const guesser = this.#of(address);
    guesser.unknown = this.#level(guesser) + 1;
    guesser.at = this.#now();
  }

  /** The address's entry, as the newest of all. */
  #of(address: string): Guesser {
    const guesser = this.#guessers.get(address) ?? { unknown: 0, at: 0, turn: Promise.resolve(), waiting: 0 };
    this.#guessers.delete(address);
    this.#guessers.set(address, guesser);
    const [oldest] = this.#guessers.keys();
    if (this.#guessers.size > MAX_ADDRESSES && oldest !== undefined) this.#guessers.delete(oldest);
    return guesser;
  }

  #level({ unknown, at }: Guesser): number {
    return Math.max(0, unknown - ((this.#now() - at) / 1000) * FORGOTTEN_PER_SECOND);
  }

  /** After how many milliseconds the address may be wrong once more. */
  #msUntilFree(guesser: Guesser): number {
    return Math.ceil(((this.#level(guesser) + 1 - UNKNOWN_AT_ONCE) * 1000) / FORGOTTEN_PER_SECOND);
  }
}
