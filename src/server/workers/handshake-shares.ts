// How many unadmitted connections each address has in all workers together. SECURITY: a worker sees its own part alone, so
// an address that is spread over all of them would have as many shares as there are workers.

/** The numbers that workers have told. */
export class HandshakeShares<Worker> {
  readonly #ofWorkers = new Map<Worker, Map<string, number>>();
  readonly #ofAll = new Map<string, number>();

  /** Notes what a worker has told. @param changes the addresses whose number has changed, each with the new one */
  note(worker: Worker, changes: ReadonlyMap<string, number>): void {
    const known = this.#ofWorkers.get(worker) ?? new Map<string, number>();
    this.#ofWorkers.set(worker, known);
    for (const [address, count] of changes) {
      put(this.#ofAll, address, (this.#ofAll.get(address) ?? 0) - (known.get(address) ?? 0) + count);
      put(known, address, count);
    }
  }

  /** The worker is gone, and its connections with it. */
  forget(worker: Worker): void {
    const known = this.#ofWorkers.get(worker) ?? new Map<string, number>();
    this.note(worker, new Map(Array.from(known.keys(), (address) => [address, 0])));
    this.#ofWorkers.delete(worker);
  }

  /** The addresses that have more than their share of `limit`, or of all that there are where these are more. */
  crowded(limit: number): ReadonlySet<string> {
    let total = 0;
    for (const count of this.#ofAll.values()) total += count;
    const share = Math.max(limit, total) / Math.max(1, this.#ofAll.size);
    return new Set([...this.#ofAll].flatMap(([address, count]) => (count > share ? [address] : [])));
  }
}

/** Keeps no address that has none. */
function put(counts: Map<string, number>, address: string, count: number): void {
  if (count === 0) counts.delete(address);
  else counts.set(address, count);
}
