// Waiting without sleeping: everything a test waits for is an event, and every wait has a deadline that says
// what was awaited.

/** How long a test waits for something that normally takes milliseconds, on a machine that may be very busy. */
export const PATIENCE_MS = 30_000;

/**
 * The promise's outcome, or a rejection that names what did not come.
 * @param what completes the sentence `waited 15 s for …`; a function is asked when the time is up.
 */
export async function within<T>(
  promise: Promise<T>,
  what: string | (() => string),
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new Error(`waited ${timeoutMs / 1000} s for ${typeof what === 'string' ? what : what()}`));
  }, timeoutMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

interface Waiter<T> {
  readonly accepts: (item: T) => boolean;
  readonly resolve: (item: T) => void;
  readonly reject: (reason: Error) => void;
}

/** A list that grows, and that can be waited on: log lines, connections. */
export class Arrivals<T> {
  readonly items: T[] = [];
  #waiters: Waiter<T>[] = [];
  #ended: Error | null = null;

  push(item: T): void {
    this.items.push(item);
    const served = this.#waiters.filter((waiter) => waiter.accepts(item));
    this.#waiters = this.#waiters.filter((waiter) => !served.includes(waiter));
    for (const waiter of served) waiter.resolve(item);
  }

  /** No more will come. Every wait that is still open fails with the reason. */
  end(reason: Error): void {
    this.#ended ??= reason;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#ended);
  }

  /**
   * The first item from index `from` on that `accepts` holds for, come already or yet to come.
   * @throws Error when none comes in time, or none can come any more.
   */
  async next(
    accepts: (item: T) => boolean,
    what: string | (() => string),
    { timeoutMs = PATIENCE_MS, from = 0 } = {},
  ): Promise<T> {
    const found = this.items.slice(from).find(accepts);
    if (found !== undefined) return found;
    if (this.#ended !== null) throw this.#ended;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const waiter = { accepts, resolve, reject };
    this.#waiters.push(waiter);
    try {
      return await within(promise, what, timeoutMs);
    } finally {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
    }
  }
}
