// Addresses that have failed to authenticate too often are refused for a while (contract §10). One table for the whole
// gate: of a single process, or of all workers in the first one.

import type { Settings } from '../config/schema.ts';
import { addressBlock, clientAddress } from '../rules/address.ts';
import type { Logger } from '../telemetry/log.ts';
import { Guesses, type Turn } from './guesses.ts';

/**
 * SECURITY: the most failures that are remembered, of all addresses together, and the most bans. An attacker with a
 * million addresses can fill the table, but not the memory. While it is full, further failures are not counted (§10).
 */
const MAX_FAILURES = 100_000;
const MAX_BANS = 100_000;

/** The three settings; durations in milliseconds. */
export type BanLimits = Pick<
  Settings,
  'max_authentication_failures_per_address' | 'authentication_failures_window' | 'authentication_ban_time'
>;

/** A ban as GET /bans shows it. */
export interface BanRow {
  /** An IPv4 address, or an IPv6 network of 64 bits. */
  readonly address: string;
  /** ISO 8601. */
  readonly until: string;
  readonly failures: number;
  /** Connections that it has refused so far. */
  readonly refused: number;
}

/** What a connection asks of the table, in whichever process it stands. Addresses are those of `addressBlock`. */
export interface Bans {
  /** Whether connections of this address are refused now. Counts the refusal. */
  refuses(address: string): Promise<boolean>;
  /**
   * An answer to a password request has come. On `go` it may be looked at; `ended` must follow once the verdict has
   * counted, or none will come. `later` = ask again.
   */
  guess(address: string, limits: BanLimits): Promise<Turn>;
  ended(address: string): void;
  /** An authentication has failed. When this resolves every later connection sees it. */
  failed(address: string, limits: BanLimits): Promise<void>;
  /** A client has proved itself: forgets the address's failures, unless it is refused by now, which this returns. */
  succeeded(address: string): Promise<boolean>;
}

interface Ban {
  readonly until: Date;
  readonly failures: number;
  refused: number;
  readonly timer: NodeJS.Timeout;
}

export interface BanTableOptions {
  readonly log: Logger;
  /** Tests need fewer addresses to fill it. */
  readonly maxFailures?: number;
  readonly maxBans?: number;
}

/** The table itself. Times are those of the monotonic clock, so that a set clock neither bans nor frees anyone. */
export class BanTable {
  /** When each address has failed. The one that failed last stands last. */
  readonly #failures = new Map<string, number[]>();
  readonly #bans = new Map<string, Ban>();
  readonly #guesses = new Guesses();
  readonly #log: Logger;
  readonly #maxFailures: number;
  readonly #maxBans: number;
  /** Of all addresses together. */
  #remembered = 0;

  constructor({ log, maxFailures = MAX_FAILURES, maxBans = MAX_BANS }: BanTableOptions) {
    this.#log = log;
    this.#maxFailures = maxFailures;
    this.#maxBans = maxBans;
  }

  /** How many addresses are refused now. */
  get size(): number {
    return this.#bans.size;
  }

  refuses(address: string): boolean {
    const ban = this.#bans.get(address);
    if (ban === undefined) return false;
    ban.refused++;
    return true;
  }

  /**
   * SECURITY: an address has at most as many guesses under way as it may still get wrong. One that is right is then
   * never among more wrong ones than that, so no ban can tell which it was.
   */
  async guess(address: string, limits: BanLimits): Promise<Turn> {
    return await this.#guesses.begin(address, () =>
      this.refuses(address) ? null : this.#allowed(address, limits),
    );
  }

  ended(address: string): void {
    this.#guesses.end(address);
  }

  #allowed(address: string, limits: BanLimits): number {
    const since = performance.now() - limits.authentication_failures_window;
    const failures = (this.#failures.get(address) ?? []).filter((at) => at > since);
    return Math.max(1, limits.max_authentication_failures_per_address - failures.length);
  }

  failed(address: string, limits: BanLimits): void {
    const { max_authentication_failures_per_address: most, authentication_failures_window: windowMs } =
      limits;
    // Connections that were let in before the ban may fail during it: those are not failures after it.
    if (most === 0 || this.#bans.has(address)) return;
    const now = performance.now();
    this.#forgetUntil(now - windowMs);
    const earlier = (this.#failures.get(address) ?? []).filter((at) => at > now - windowMs);
    this.#forget(address);
    if (earlier.length + 1 >= most) {
      this.#ban(address, earlier.length + 1, limits.authentication_ban_time);
      return;
    }
    const isFull = this.#remembered + earlier.length >= this.#maxFailures;
    const times = isFull ? earlier : [...earlier, now];
    if (times.length === 0) return;
    this.#failures.set(address, times);
    this.#remembered += times.length;
  }

  succeeded(address: string): boolean {
    if (this.refuses(address)) return true;
    this.#forget(address);
    return false;
  }

  /** The bans in force, the oldest first. */
  list(): readonly BanRow[] {
    return [...this.#bans].map(([address, { until, failures, refused }]) => ({
      address,
      until: until.toISOString(),
      failures,
      refused,
    }));
  }

  /** Ends a ban. @returns false = there is none of this address */
  lift(address: string): boolean {
    const ban = this.#bans.get(address);
    if (ban === undefined) return false;
    clearTimeout(ban.timer);
    this.#bans.delete(address);
    const { refused } = ban;
    this.#log.info(
      { address, refused },
      `address "${address}" is let in again, ${refused} connections were refused`,
    );
    return true;
  }

  /** New settings are in force. Without a limit nobody is refused, and nothing is remembered. */
  adopt({ max_authentication_failures_per_address: most }: BanLimits): void {
    if (most > 0) return;
    for (const address of this.#bans.keys()) this.lift(address);
    this.#failures.clear();
    this.#remembered = 0;
  }

  #ban(address: string, failures: number, forMs: number): void {
    if (this.#bans.size >= this.#maxBans) return;
    const until = new Date(Date.now() + forMs);
    const timer = setTimeout(() => this.lift(address), forMs).unref();
    this.#bans.set(address, { until, failures, refused: 0, timer });
    this.#log.warn(
      { address, until, failures },
      `address "${address}" is refused until ${until.toISOString()} after ${failures} failed authentications`,
    );
  }

  #forget(address: string): void {
    this.#remembered -= this.#failures.get(address)?.length ?? 0;
    this.#failures.delete(address);
  }

  /** Forgets every address whose last failure is older, the oldest first. */
  #forgetUntil(horizon: number): void {
    for (const [address, times] of this.#failures) {
      if ((times.at(-1) ?? 0) > horizon) return;
      this.#forget(address);
    }
  }
}

/** The table of a gate of one process. */
export class LocalBans implements Bans {
  readonly #table: BanTable;

  constructor(table: BanTable) {
    this.#table = table;
  }

  async refuses(address: string): Promise<boolean> {
    return this.#table.refuses(address);
  }

  async guess(address: string, limits: BanLimits): Promise<Turn> {
    return await this.#table.guess(address, limits);
  }

  ended(address: string): void {
    this.#table.ended(address);
  }

  async failed(address: string, limits: BanLimits): Promise<void> {
    this.#table.failed(address, limits);
  }

  async succeeded(address: string): Promise<boolean> {
    return this.#table.succeeded(address);
  }
}

/** What a person may write for a banned address, as the table has it: any address of an IPv6 network is that network. */
export function banAddress(text: string): string {
  const known = clientAddress(text.replace(/\/(?:32|64)$/, ''));
  return known === null ? text : addressBlock(known.address);
}
