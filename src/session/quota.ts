// max_connections and max_connections_per_address: how many admitted sessions there may be. With several workers the
// limits are global, so an interface hides who counts.

import { GatehouseError } from '../base/errors.ts';

/** 0 = no limit. */
export interface SessionLimits {
  readonly max_connections: number;
  readonly max_connections_per_address: number;
}

/** Which limit leaves no room. */
export type Exhausted = 'too-many-connections' | 'too-many-connections-per-address';

/** Counts admitted sessions. */
export interface Quota {
  /** Says whether there is room for one more from `address`, and takes nothing. */
  check(address: string, limits: SessionLimits): Promise<Exhausted | null>;
  /** Takes a place for a session from `address` where there is room. */
  take(address: string, limits: SessionLimits): Promise<Exhausted | null>;
  /** Gives a place back. */
  release(address: string): void;
}

/** The refusal, in the words that PostgreSQL has for it. */
export function tooMany(exhausted: Exhausted): GatehouseError {
  return new GatehouseError(exhausted);
}

/** The count itself: of a single process, or of all workers in the one that counts for them. */
export class SessionCount {
  readonly #perAddress = new Map<string, number>();
  #total = 0;

  /** Which limit leaves no room for one more from `address`; null = none. */
  exhausted(
    address: string,
    { max_connections: maxConnections, max_connections_per_address: maxConnectionsPerAddress }: SessionLimits,
  ): Exhausted | null {
    if (maxConnections > 0 && this.#total >= maxConnections) return 'too-many-connections';
    const fromHere = this.#perAddress.get(address) ?? 0;
    const isFull = maxConnectionsPerAddress > 0 && fromHere >= maxConnectionsPerAddress;
    return isFull ? 'too-many-connections-per-address' : null;
  }

  add(address: string): void {
    this.#total++;
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
  }

  remove(address: string): void {
    this.#total--;
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, left);
  }
}

/** The quota of a gate of one process. */
export class LocalQuota implements Quota {
  readonly #count = new SessionCount();

  async check(address: string, limits: SessionLimits): Promise<Exhausted | null> {
    return this.#count.exhausted(address, limits);
  }

  async take(address: string, limits: SessionLimits): Promise<Exhausted | null> {
    const exhausted = this.#count.exhausted(address, limits);
    if (exhausted === null) this.#count.add(address);
    return exhausted;
  }

  release(address: string): void {
    this.#count.remove(address);
  }
}
