// How many TLS handshakes of one address run at one time. Node reads, verifies and answers a client's whole flight in
// one go, one socket after another, and nothing can stop it between twenty of them. So an address begins with one, and
// each handshake that has cost at most what is usual allows one more.

import { withSignal, type EndSignal } from './end-signal.ts';

/** SECURITY: the most addresses that are remembered. */
const MAX_ADDRESSES = 4096;

/**
 * A handshake holds up others for at most this long, in milliseconds: a slow client must not keep its neighbours out.
 */
const LEASE_MS = 250;

interface Address {
  allowed: number;
  /** By connection: what ends its lease. */
  readonly running: Map<EndSignal, NodeJS.Timeout>;
  readonly waiting: Set<() => void>;
}

/** Lets the handshakes of each address run, or wait. */
export class Turns {
  readonly #addresses = new Map<string, Address>();

  /** Resolves when the handshake may begin. @throws the life's reason */
  async take(life: EndSignal, name: string): Promise<void> {
    const address = this.#address(name);
    while (address.running.size >= address.allowed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      address.waiting.add(resolve);
      try {
        await withSignal(promise, life.signal);
      } catch (error) {
        // It may have had its turn already. Another handshake gets it then.
        address.waiting.delete(resolve);
        wake(address);
        throw error;
      }
    }
    const timer = setTimeout(() => {
      address.running.delete(life);
      wake(address);
    }, LEASE_MS);
    address.running.set(life, timer);
  }

  /** Notes that a handshake is over, well or not. `usual` = it has cost at most what is usual; null = not known. */
  done(life: EndSignal, name: string, usual: boolean | null): void {
    const address = this.#addresses.get(name);
    if (address === undefined) return;
    clearTimeout(address.running.get(life));
    address.running.delete(life);
    if (usual !== null) address.allowed = usual ? address.allowed + 1 : 1;
    wake(address);
    if (address.allowed === 1 && isIdle(address)) this.#addresses.delete(name);
  }

  #address(name: string): Address {
    const known = this.#addresses.get(name);
    if (known !== undefined) return known;
    const address: Address = { allowed: 1, running: new Map(), waiting: new Set() };
    this.#addresses.set(name, address);
    for (const [other, { running, waiting }] of this.#addresses) {
      if (this.#addresses.size <= MAX_ADDRESSES) break;
      if (other !== name && running.size === 0 && waiting.size === 0) this.#addresses.delete(other);
    }
    return address;
  }
}

function isIdle({ running, waiting }: Address): boolean {
  return running.size === 0 && waiting.size === 0;
}

/** Starts as many as may run. */
function wake({ allowed, running, waiting }: Address): void {
  for (const next of [...waiting].slice(0, Math.max(0, allowed - running.size))) {
    waiting.delete(next);
    next();
  }
}
