// What addresses owe for openings that have failed. Each worker has all debts, whichever of them has charged an address.

/** An address whose failed openings have cost more than this, in milliseconds, is refused (contract §7.35). */
export const MAX_COST_MS = 250;

/** An address is refused for this many times what it has cost. */
const PENANCE = 10;

/**
 * SECURITY: the most addresses that are remembered. One more makes the gate forget the one that was charged longest
 * ago.
 */
const MAX_ADDRESSES = 4096;

/** What an address owes now. Plain data. */
export interface Owed {
  readonly address: string;
  readonly ms: number;
  readonly refused: boolean;
}

interface Debt {
  /** What failed openings have cost, less what time has paid back, at `at`. */
  ms: number;
  at: number;
  refused: boolean;
}

/** The debts of all addresses. */
export class Debts {
  readonly #debts = new Map<string, Debt>();

  /** Whether the address is refused: from the moment when it owes too much until it has paid everything back. */
  refuses(address: string): boolean {
    const debt = this.#debts.get(address);
    if (debt === undefined) return false;
    payBack(debt);
    if (debt.ms === 0) this.#debts.delete(address);
    return debt.refused;
  }

  /** A failed opening of this address has cost so many milliseconds, in this process or another. */
  charge(address: string, ms: number): void {
    const debt = this.#debts.get(address) ?? { ms: 0, at: performance.now(), refused: false };
    payBack(debt);
    debt.ms += ms;
    debt.refused ||= debt.ms > MAX_COST_MS;
    this.#put(address, debt);
  }

  /** All that is owed now, for a process that has just started. */
  list(): readonly Owed[] {
    return [...this.#debts].flatMap(([address, debt]) => {
      payBack(debt);
      const { ms, refused } = debt;
      return ms > 0 ? [{ address, ms, refused }] : [];
    });
  }

  /** Takes over what is owed, the address that was charged last at the end. */
  take(owed: readonly Owed[]): void {
    for (const { address, ms, refused } of owed) this.#put(address, { ms, at: performance.now(), refused });
  }

  #put(address: string, debt: Debt): void {
    // Set again, so that the address charged last is forgotten last.
    this.#debts.delete(address);
    this.#debts.set(address, debt);
    const [oldest] = this.#debts.keys();
    if (this.#debts.size > MAX_ADDRESSES && oldest !== undefined) this.#debts.delete(oldest);
  }
}

function payBack(debt: Debt): void {
  const now = performance.now();
  debt.ms = Math.max(0, debt.ms - (now - debt.at) / PENANCE);
  debt.at = now;
  // Also where the address has not come since: a process hears of what others charge.
  if (debt.ms === 0) debt.refused = false;
}
