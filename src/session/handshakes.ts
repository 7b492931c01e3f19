// max_handshakes: the connections that have yet to prove themselves. When there is one too many, one is dropped: first
// a silent one, then one whose address has more than its share (contract §7.20, §7.34).

import { GatehouseError } from '../base/errors.ts';
import type { EndSignal } from './end-signal.ts';

/**
 * A client that has kept the gate waiting for this long is dropped before any other. In milliseconds: several slow
 * round trips.
 */
const PATIENCE_MS = 2_000;

/**
 * Whom the connection waits for. Where that is the client, it may be silent; where it is the gate or the upstream, it
 * is not. `verdict` = the client has answered a password request, and the gate or the upstream judges the answer.
 * `over` = it waits for nobody, because it has been refused or answered.
 */
type Turn = 'client' | 'gate' | 'verdict' | 'over';

interface Waiting {
  /** The address whose share it takes; for IPv6 the /64. */
  group: string;
  /** performance.now() at its last step. */
  since: number;
  turn: Turn;
  /** Its certificate has verified. */
  proven: boolean;
}

/** The connection that would be dropped first. Several workers compare theirs. */
export interface Candidate {
  /** The lowest is dropped first. */
  readonly rank: number;
  /** For how long it has made no progress, in milliseconds. */
  readonly silentMs: number;
}

/** The addresses that have more than their share. */
export interface Crowded {
  has(group: string): boolean;
}

/** The process's unproven connections. */
export class Handshakes {
  /** In the order of their last progress: an entry that is taken out of a Map and set again stands at its end. */
  readonly #waiting = new Map<EndSignal, Waiting>();
  readonly #groups = new Map<string, number>();
  readonly #onChange: () => void;
  /** The addresses whose number has changed; null = nobody takes the changes. */
  readonly #changed: Set<string> | null;
  #limit = 0;
  #checking = false;

  /** @param onChange called after a number has changed. Who gives it calls `takeChanges` soon after */
  constructor(onChange?: () => void) {
    this.#onChange = onChange ?? (() => {});
    this.#changed = onChange === undefined ? null : new Set();
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Takes in a new connection. Beyond `limit` (0 = none), one is dropped within a turn of the event loop. */
  enter(life: EndSignal, limit: number, group = '', proven = false): void {
    this.#waiting.set(life, { group, since: performance.now(), turn: 'client', proven });
    this.#join(group);
    this.#limit = limit;
    this.#onChange();
    if (limit === 0 || this.#waiting.size <= limit || this.#checking) return;
    this.#checking = true;
    // Not at once. Many are accepted in a row, and only after that is read what they have sent already.
    setImmediate(() => {
      this.#checking = false;
      while (this.#limit > 0 && this.#waiting.size > this.#limit && this.evict(evicted()));
    });
  }

  /** The addresses whose number has changed since the last call, each with the number that it has now. */
  takeChanges(): ReadonlyMap<string, number> {
    const changes = new Map<string, number>();
    for (const group of this.#changed ?? []) changes.set(group, this.#groups.get(group) ?? 0);
    this.#changed?.clear();
    return changes;
  }

  /**
   * Drops the first candidate; false = there is none.
   *
   * @param crowded the addresses with more than their share; by default those of this process alone
   */
  evict(reason: GatehouseError, crowded = this.#crowdedHere()): boolean {
    const [life] = this.#first(crowded) ?? [];
    if (life === undefined) return false;
    this.leave(life);
    life.end(reason);
    return true;
  }

  /** The connection that would be dropped first, or null. @param crowded the addresses with more than their share */
  candidate(crowded: Crowded): Candidate | null {
    const [, waiting, rank] = this.#first(crowded) ?? [];
    if (waiting === undefined || rank === undefined) return null;
    return { rank, silentMs: performance.now() - waiting.since };
  }

  /** Notes that a step is done: a packet, TLS, a certificate. A single byte does not count as progress. */
  progress(life: EndSignal, { turn = 'client', proven }: { turn?: Turn; proven?: boolean } = {}): void {
    const waiting = this.#waiting.get(life);
    if (waiting === undefined) return;
    waiting.since = performance.now();
    waiting.turn = turn;
    waiting.proven = proven ?? waiting.proven;
    this.#waiting.delete(life);
    this.#waiting.set(life, waiting);
  }

  /** Ends every one of them: the gate is closing. */
  endAll(reason: GatehouseError): void {
    for (const life of this.#waiting.keys()) life.end(reason);
  }

  /** Admitted, refused or gone. */
  leave(life: EndSignal): void {
    const waiting = this.#waiting.get(life);
    if (waiting === undefined) return;
    this.#waiting.delete(life);
    this.#part(waiting.group);
    this.#onChange();
  }

  /** From here on it takes the share of another address. */
  regroup(life: EndSignal, group: string): void {
    const waiting = this.#waiting.get(life);
    if (waiting === undefined) return;
    this.#part(waiting.group);
    waiting.group = group;
    this.#join(group);
    this.#onChange();
  }

  #join(group: string): void {
    this.#groups.set(group, (this.#groups.get(group) ?? 0) + 1);
    this.#changed?.add(group);
  }

  #part(group: string): void {
    const left = (this.#groups.get(group) ?? 1) - 1;
    if (left === 0) this.#groups.delete(group);
    else this.#groups.set(group, left);
    this.#changed?.add(group);
  }

  #crowdedHere(): Crowded {
    // Not of the limit: near the limit of open files there are fewer.
    const share = this.#waiting.size / Math.max(1, this.#groups.size);
    return { has: (group) => (this.#groups.get(group) ?? 0) > share };
  }

  /** The first of those with the lowest rank, which has gone longest without progress among them. */
  #first(crowded: Crowded): [EndSignal, Waiting, number] | null {
    const now = performance.now();
    let first: [EndSignal, Waiting, number] | null = null;
    for (const [life, waiting] of this.#waiting) {
      const rank = rankOf(waiting, now, crowded);
      if (first === null || rank < first[2]) first = [life, waiting, rank];
      if (rank === 0) break;
    }
    return first;
  }
}

/**
 * SECURITY: silent and slow strangers are dropped first, or they would keep clients out. A client that makes progress
 * and whose address has at most its share is not dropped for a stranger that came later.
 */
function rankOf({ group, since, turn, proven }: Waiting, now: number, crowded: Crowded): number {
  if (turn === 'over' || (turn === 'client' && now - since > PATIENCE_MS)) return 0;
  // SECURITY: a stranger chooses what it waits for: the names of a dead zone, an upstream that takes seconds over each
  // wrong password. One address could fill the limit with them.
  if (!proven && crowded.has(group)) return turn === 'gate' ? 2 : 1;
  if (turn === 'gate' || turn === 'verdict') return 5;
  return proven ? 4 : 3;
}

/** Too many handshakes: in PostgreSQL's words for too many of anything. */
export function evicted(): GatehouseError {
  return new GatehouseError('handshake-evicted', {
    message: 'max_handshakes was reached and this connection had gone longest without progress',
  });
}
