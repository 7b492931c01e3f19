// How many TLS handshakes of one address run at one time. Node reads, verifies and answers the client's whole flight in
// one go, one socket after the other: what twenty of them cost cannot be stopped between. So an address begins with
// one, and each handshake that has cost no more than is usual allows one more.

import { withSignal, type EndSignal } from './end-signal.ts';

/** SECURITY: addresses that are remembered. */
const MAX_ADDRESSES = 4096;

/** A handshake holds others up for this long at most, in milliseconds: a slow client must not keep its neighbours out. */
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
        // It may have been called already, and then somebody else is to have its turn.
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

  /** The handshake is over, well or not. `usual` = it has cost no more than is usual; null = nothing is known. */
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

/** Calls as many as may run. */
function wake({ allowed, running, waiting }: Address): void {
  for (const next of [...waiting].slice(0, Math.max(0, allowed - running.size))) {
    waiting.delete(next);
    next();
  }
}
