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
  /** By connection, in the order of their beginning: when its lease ends. */
  readonly running: Map<EndSignal, number>;
  readonly waiting: Set<() => void>;
  /** Ends the oldest lease. Set only while somebody waits, because a timer for each handshake would be felt. */
  timer: NodeJS.Timeout | null;
}

/** Lets the handshakes of each address run, or wait. */
export class Turns {
  readonly #addresses = new Map<string, Address>();

  /** Resolves when the handshake may begin. @throws the life's reason */
  async take(life: EndSignal, name: string): Promise<void> {
    // SECURITY: looked up again after each wait. An address is forgotten when none of its handshakes runs or waits, and
    // one that was just woken does neither: it would run uncounted.
    let address = this.#address(name);
    while (isFull(address)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      address.waiting.add(resolve);
      endLeases(address);
      try {
        await withSignal(promise, life.signal);
      } catch (error) {
        // It may have had its turn already. Another handshake gets it then.
        address.waiting.delete(resolve);
        wake(address);
        throw error;
      }
      address = this.#address(name);
    }
    address.running.set(life, performance.now() + LEASE_MS);
    // Those who wait already may have found no lease to wait for.
    endLeases(address);
  }

  /** Notes that a handshake is over, well or not. `usual` = it has cost at most what is usual; null = not known. */
  done(life: EndSignal, name: string, usual: boolean | null): void {
    const address = this.#addresses.get(name);
    if (address === undefined) return;
    address.running.delete(life);
    if (usual !== null) address.allowed = usual ? address.allowed + 1 : 1;
    wake(address);
    if (address.allowed === 1 && isIdle(address)) this.#addresses.delete(name);
  }

  #address(name: string): Address {
    const known = this.#addresses.get(name);
    if (known !== undefined) return known;
    const address: Address = { allowed: 1, running: new Map(), waiting: new Set(), timer: null };
    this.#addresses.set(name, address);
    for (const [other, { running, waiting }] of this.#addresses) {
      if (this.#addresses.size <= MAX_ADDRESSES) break;
      if (other !== name && running.size === 0 && waiting.size === 0) this.#addresses.delete(other);
    }
    return address;
  }
}

/** Whether as many run as may. One whose lease is over does not count. */
function isFull(address: Address): boolean {
  if (address.running.size >= address.allowed) dropEnded(address);
  return address.running.size >= address.allowed;
}

function dropEnded({ running }: Address): void {
  const now = performance.now();
  for (const [life, endsAt] of running) {
    if (endsAt > now) break;
    running.delete(life);
  }
}

/** Lets those who wait begin when a lease is over. */
function endLeases(address: Address): void {
  const [oldest] = address.running.values();
  if (address.timer !== null || address.waiting.size === 0 || oldest === undefined) return;
  address.timer = setTimeout(
    () => {
      address.timer = null;
      dropEnded(address);
      wake(address);
      endLeases(address);
    },
    Math.max(1, Math.ceil(oldest - performance.now())),
  );
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
