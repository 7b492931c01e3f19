// What the soak knows to be true: who may be in at this moment, which faults excuse a loss, and what was counted. A
// client that meets anything else is a violation.

export const users = {
  /** Certificate, never revoked, no rule against her. */
  alice: 'in',
  /** Certificate, revoked and pardoned again and again. */
  carol: 'in',
  /** Certificate; a rule shuts him out and lets him in again. */
  dave: 'in',
  /** The upstream's scram-sha-256 password, without a certificate. */
  sam: 'in',
  /** Trusted without TLS. */
  bob: 'in',
} as const;

export type User = keyof typeof users;

/** `changing` from the moment a file is written until the reload has been answered. */
export type Standing = 'in' | 'out' | 'changing';

interface Interval {
  readonly from: number;
  readonly to: number;
}

/** A fault's echo: what it broke may be noticed so much later, in milliseconds. */
const ECHO_MS = 8_000;
/** A worker that is killed takes the connections in its queue along. */
const WORKER_GAP_MS = 4_000;

/** One client's stay, for judging how it ended. */
export interface Visit {
  readonly user: User;
  readonly from: number;
  readonly standing: Standing;
  readonly changes: number;
  /** The client's port: names the connection in the gate's log. */
  port: number;
  /** The backend's process id; 0 until known. */
  backend: number;
}

export class World {
  readonly counts = new Map<string, number>();
  readonly violations: string[] = [];
  /** Backends that the soak is about to terminate. */
  readonly doomed = new Set<number>();
  /** Gate workers that the soak has killed, with the time. */
  readonly killedWorkers = new Map<number, number>();
  /** Times in which a worker that hangs keeps the connections in its queue, in milliseconds since 1970. */
  readonly #hangs: { from: number; to: number }[] = [];
  /** Times in which TLS files changed: a handshake made with the old ones is told to come again. */
  readonly #tlsChanges: { from: number; to: number }[] = [];
  /** Live backends that a fault may pick. */
  readonly backends = new Set<number>();
  readonly #standings = new Map<User, { standing: Standing; changes: number }>();
  readonly #outages: { from: number; to: number }[] = [];
  /** Which of the gate's processes has accepted a client's port since then: ports are used again. */
  readonly #workerOf: (port: number, since: number) => number | null;

  constructor(workerOf: (port: number, since: number) => number | null) {
    this.#workerOf = workerOf;
  }

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  violate(what: string): void {
    this.violations.push(`${new Date().toISOString()} ${what}`);
    process.stderr.write(`VIOLATION ${what}\n`);
  }

  standing(user: User): { readonly standing: Standing; readonly changes: number } {
    return this.#standings.get(user) ?? { standing: 'in', changes: 0 };
  }

  setStanding(user: User, standing: Standing): void {
    this.#standings.set(user, { standing, changes: this.standing(user).changes + 1 });
  }

  visit(user: User): Visit {
    return { user, from: Date.now(), ...this.standing(user), port: 0, backend: 0 };
  }

  /** The upstream is away from now on, until the returned function is called. */
  beginOutage(): () => void {
    const outage = { from: Date.now(), to: Number.POSITIVE_INFINITY };
    this.#outages.push(outage);
    return () => void (outage.to = Date.now());
  }

  /** The TLS files are being changed from now on, until the returned function is called. */
  beginTlsChange(): () => void {
    const change = { from: Date.now(), to: Number.POSITIVE_INFINITY };
    this.#tlsChanges.push(change);
    return () => void (change.to = Date.now());
  }

  /** A worker hangs from now on, until the returned function is called. */
  beginHang(worker: number): () => void {
    const hang = { from: Date.now(), to: Number.POSITIVE_INFINITY };
    this.#hangs.push(hang);
    this.killedWorkers.set(worker, hang.from);
    return () => void (hang.to = Date.now());
  }

  /** A client got in. */
  admitted(visit: Visit): void {
    this.count('sessions admitted');
    if (visit.standing === 'out' && !this.#hasChanged(visit)) {
      this.violate(`${visit.user} got in and should not have (port ${visit.port})`);
    }
  }

  /** A client was not let in, or did not get that far. */
  refused(visit: Visit, error: unknown): void {
    if (visit.standing === 'out' || this.#hasChanged(visit))
      return this.count('sessions refused as they should be');
    if (isStale(error) && this.#tlsChanges.some(({ from, to }) => from <= Date.now() && to >= visit.from)) {
      return this.count('told to come again after a change of TLS files');
    }
    const excuse = this.#excuse(visit);
    if (excuse !== null) return this.count(`attempts lost to ${excuse}`);
    this.violate(`${visit.user} was refused (port ${visit.port}): ${String(error)}`);
  }

  /** A session ended without its client's wish. */
  lost(visit: Visit, error: unknown): void {
    if (visit.standing !== 'in' || this.#hasChanged(visit)) return this.count('sessions ended by a reload');
    const excuse = this.doomed.has(visit.backend) ? 'pg_terminate_backend' : this.#excuse(visit);
    if (excuse !== null) return this.count(`sessions lost to ${excuse}`);
    this.count('sessions lost unexpectedly');
    this.violate(`${visit.user} lost a session (port ${visit.port}): ${String(error)}`);
  }

  /** A cancel request with the right key has ended no query. Its connection closed at `closedAt`. */
  cancelLost(request: Visit, closedAt: number): void {
    const excuse = this.#excuse(request, closedAt);
    if (excuse !== null) return this.count(`cancel requests lost to ${excuse}`);
    this.violate(`${request.user}: a cancel request ended no query (port ${request.port})`);
  }

  #hasChanged(visit: Visit): boolean {
    const now = this.standing(visit.user);
    return visit.standing === 'changing' || now.standing === 'changing' || now.changes !== visit.changes;
  }

  /** Whether the upstream was being restarted at that time, in milliseconds since 1970. */
  wasOut(at: number): boolean {
    return this.#outages.some((outage) => outage.from <= at && outage.to + ECHO_MS >= at);
  }

  #excuse({ from, port }: Visit, to = Date.now()): string | null {
    const now: Interval = { from, to };
    if (this.wasOut(now.to)) return 'an upstream restart';
    const worker = this.#workerOf(port, from);
    if (worker !== null && this.killedWorkers.has(worker)) return 'a killed worker';
    const gap = [...this.killedWorkers.values()].some((at) => at >= now.from - WORKER_GAP_MS && at <= now.to);
    // A connection that the worker had not accepted yet has no line that names it.
    if (worker === null && gap) return 'a killed worker';
    const hung = this.#hangs.some((hang) => hang.from <= now.to && hang.to + WORKER_GAP_MS >= now.from);
    return worker === null && hung ? 'a hung worker' : null;
  }
}

/** The refusal of a handshake that was made with TLS files that are no longer in force (contract §7.32). */
function isStale(error: unknown): boolean {
  return (
    error instanceof Error &&
    error.message.includes("the server's certificates have changed, please reconnect")
  );
}
