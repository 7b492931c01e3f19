// Memberships that are never too old for a decision. They are asked for again while decisions use them, so that a decision
// waits only where nothing has been decided for some seconds.

import type { Memberships } from './questions.ts';

/** Older than this, in milliseconds, they are asked for again; those that are there go on. */
const RENEWED_AFTER_MS = 3_000;

/** SECURITY: older than this, in milliseconds, no decision is made by them (contract §13 has 10 s). */
const TOO_OLD_MS = 8_000;

/** Memberships, and when they were asked for. */
export interface DatedMemberships extends Memberships {
  /** performance.now() before the question was sent: what was granted or revoked after it may be missing. */
  readonly askedAt: number;
}

/** Keeps one answer and renews it. */
export class FreshRoles {
  readonly #now: () => number;
  readonly #ask: (known: DatedMemberships | null) => Promise<DatedMemberships>;
  #known: DatedMemberships | null = null;
  #asking: Promise<DatedMemberships> | null = null;
  #generation = 0;

  /**
   * @param ask gets what is known already
   * @param now the clock of `askedAt`
   */
  constructor(
    ask: (known: DatedMemberships | null) => Promise<DatedMemberships>,
    now = (): number => performance.now(),
  ) {
    this.#ask = ask;
    this.#now = now;
  }

  /** Forgets everything: they are to come from another catalogue. */
  clear(): void {
    this.#known = null;
    this.#asking = null;
    this.#generation++;
  }

  /**
   * Memberships that are fresh enough to decide by.
   *
   * @throws what the asking throws
   */
  async get(): Promise<DatedMemberships> {
    const known = this.#known;
    const age = known === null ? Infinity : this.#now() - known.askedAt;
    if (known !== null && age < RENEWED_AFTER_MS) return known;
    const renewed = this.#renew();
    if (known === null || age >= TOO_OLD_MS) return await renewed;
    // A failure is reported to the next decision that needs them.
    renewed.catch(() => {});
    return known;
  }

  #renew(): Promise<DatedMemberships> {
    if (this.#asking !== null) return this.#asking;
    const generation = this.#generation;
    const asking = this.#ask(this.#known).then(
      (found) => {
        if (generation === this.#generation) {
          this.#known = sameObject(found, this.#known);
          this.#asking = null;
        }
        return found;
      },
      (error: unknown) => {
        if (generation === this.#generation) this.#asking = null;
        throw error;
      },
    );
    this.#asking = asking;
    return asking;
  }
}

/** The same memberships stay the same object, so that what is derived from them is not derived again. */
function sameObject(found: DatedMemberships, known: DatedMemberships | null): DatedMemberships {
  return known !== null && known.version === found.version ? { ...found, roles: known.roles } : found;
}
