// Answers to password requests whose verdict is still to come. An address that may fail five times before it is refused
// may have at most five of them under way; the others wait for their turn. Otherwise an attacker could send hundreds of
// guesses at once, and all of them would be checked before the first failure counts.

/** Longer than this nobody waits in one call, in milliseconds: the first process answers a worker within ten seconds. */
const LONGEST_WAIT_MS = 5000;

/** `go` = its answer may be looked at, and `end` must follow; `later` = ask again. */
export type Turn = 'go' | 'refused' | 'later';

interface Address {
  underWay: number;
  /** Calls that wait, the oldest first. */
  readonly waiting: Set<() => void>;
}

/** The turns of all addresses. */
export class Guesses {
  readonly #addresses = new Map<string, Address>();

  /**
   * Waits for a turn.
   *
   * @param allowed how many the address may have under way now; null = it is refused
   */
  async begin(name: string, allowed: () => number | null): Promise<Turn> {
    const address = this.#addresses.get(name) ?? { underWay: 0, waiting: new Set() };
    this.#addresses.set(name, address);
    const until = performance.now() + LONGEST_WAIT_MS;
    let isNext = address.waiting.size === 0;
    for (;;) {
      const most = allowed();
      if (most === null) {
        this.#wake(name, address);
        return 'refused';
      }
      if (isNext && address.underWay < most) {
        address.underWay++;
        // A success may have made room for more than the one that it let go on.
        if (address.underWay < most) this.#wake(name, address);
        return 'go';
      }
      isNext = await turn(address, until - performance.now());
      if (isNext) continue;
      this.#wake(name, address);
      return 'later';
    }
  }

  /** The verdict is there and has counted, or there will be none. */
  end(name: string): void {
    const address = this.#addresses.get(name);
    if (address === undefined) return;
    address.underWay--;
    this.#wake(name, address);
  }

  /** Lets the one that has waited longest look again. */
  #wake(name: string, { underWay, waiting }: Address): void {
    const [first] = waiting;
    if (first !== undefined) first();
    else if (underWay <= 0) this.#addresses.delete(name);
  }
}

/** Resolves when the call is woken, or with false after `ms`. */
async function turn({ waiting }: Address, ms: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const wake = (): void => resolve(true);
  waiting.add(wake);
  const timer = setTimeout(() => resolve(false), Math.max(0, ms));
  try {
    return await promise;
  } finally {
    // SECURITY: it is in the set until it goes on. Else its address would be forgotten in between, and the turn that it
    // takes would not be counted.
    waiting.delete(wake);
    clearTimeout(timer);
  }
}
