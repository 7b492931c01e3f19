// Keeps the one session with the catalogue: opened when the state is loaded, and again with growing pauses where it could
// not be, or was lost.

import { messageOf } from '../base/errors.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { addressesNow } from '../session/upstream-address.ts';
import type { Logger } from '../telemetry/log.ts';
import { CatalogSession, QuestionRefused, reasonFor, type CatalogAccess } from './catalog-session.ts';

/** The pause before the second attempt, in milliseconds, doubled up to the longest. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/** SECURITY: a decision does not try again sooner than this after a failure, in milliseconds: strangers make decisions. */
const DEMAND_PAUSE_MS = 1_000;

/** One session, or the attempts to have it. */
export class CatalogLink {
  readonly #access: CatalogAccess;
  readonly #log: Logger;
  /** Null = no catalogue is to be asked. */
  #snapshot: Snapshot | null = null;
  #life = new AbortController();
  #session: CatalogSession | null = null;
  #opening: Promise<CatalogSession> | null = null;
  #failure: { readonly at: number; readonly error: unknown } | null = null;
  #pauseMs = FIRST_PAUSE_MS;
  #timer: NodeJS.Timeout | null = null;
  #up: boolean | null = null;
  /** What has been logged last, so that each reason is logged once. */
  #told: string | null = null;

  constructor({ log, ...access }: CatalogAccess & { readonly log: Logger }) {
    this.#access = access;
    this.#log = log;
  }

  /** Whether the last attempt or question succeeded; null = nothing has been tried yet. */
  get up(): boolean | null {
    return this.#up;
  }

  /** Ends the session that there is, and opens one for this state where it has an auth_user. */
  use(snapshot: Snapshot): void {
    this.close();
    this.#life = new AbortController();
    this.#snapshot = snapshot.settings.auth_user === '' ? null : snapshot;
    if (this.#snapshot !== null) this.#open().catch(() => {});
  }

  /**
   * Goes on by another state that means the same catalogue: its connect_timeout and keep-alive count from the next attempt
   * on. The state before it would stay in memory otherwise, with its revocation lists.
   */
  renew(snapshot: Snapshot): void {
    if (this.#snapshot !== null) this.#snapshot = snapshot;
  }

  /**
   * Asks where the upstream's name leads now. Where the session is with another server, a new one takes its place: a server
   * that has moved may go on answering at its old address. Never rejects; a resolver that fails changes nothing.
   */
  async follow(): Promise<void> {
    const { signal } = this.#life;
    if (this.#snapshot === null) return;
    const addresses = await addressesNow(this.#snapshot.settings.upstream.host).catch(() => null);
    // It may have been dialled by the answer before.
    await this.#opening?.catch(() => undefined);
    const session = this.#session;
    if (signal.aborted || session === null || addresses === null) return;
    if (addresses.includes(session.address)) return;
    this.#session = null;
    this.#retire(session, signal);
    this.#open().catch(() => {});
  }

  /** The session answers what it was asked and ends. Until then it ends with the link: nobody else has it any more. */
  #retire(session: CatalogSession, signal: AbortSignal): void {
    const onAbort = (): void => session.close();
    signal.addEventListener('abort', onAbort, { once: true });
    void session.over.then(() => signal.removeEventListener('abort', onAbort));
    session.retire();
  }

  /** Ends the session. Nothing is tried any more. */
  close(): void {
    this.#life.abort(new Error('the session with the catalogue is closed'));
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#session?.close();
    this.#session = this.#opening = this.#failure = this.#snapshot = null;
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#up = this.#told = null;
  }

  /**
   * The session, once there is one.
   *
   * @throws what the last attempt has failed with
   */
  async session(): Promise<CatalogSession> {
    if (this.#session !== null) return this.#session;
    if (this.#opening === null && this.#failure !== null) {
      const { at, error } = this.#failure;
      if (performance.now() - at < DEMAND_PAUSE_MS) throw error;
    }
    return await this.#open();
  }

  /**
   * Notes how a question ends that everything depends on. Of a retired session it says nothing: what an old server fails at
   * is no news of the new one.
   */
  async noting<T>(session: CatalogSession, asked: Promise<T>): Promise<T> {
    const { signal } = this.#life;
    const isNews = (): boolean => !signal.aborted && !session.isRetired;
    try {
      const answer = await asked;
      if (isNews()) this.#works();
      return answer;
    } catch (error) {
      if (isNews()) this.#fails(error);
      throw error;
    }
  }

  #open(): Promise<CatalogSession> {
    this.#opening ??= this.#connect(this.#life.signal);
    return this.#opening;
  }

  async #connect(signal: AbortSignal): Promise<CatalogSession> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    try {
      if (this.#snapshot === null) throw new Error('auth_user is not set');
      const session = await CatalogSession.open(this.#access, this.#snapshot, signal);
      if (signal.aborted) session.close();
      signal.throwIfAborted();
      this.#session = session;
      void session.over.then(() => this.#onOver(session));
      this.#pauseMs = FIRST_PAUSE_MS;
      this.#failure = null;
      this.#works();
      return session;
    } catch (error) {
      if (!signal.aborted) {
        this.#failure = { at: performance.now(), error };
        this.#fails(error);
        this.#openLater();
      }
      throw error;
    } finally {
      if (!signal.aborted) this.#opening = null;
    }
  }

  #onOver(session: CatalogSession): void {
    if (this.#session !== session) return;
    this.#session = null;
    this.#fails(new Error('the session has ended'));
    this.#openLater();
  }

  #openLater(): void {
    if (this.#timer !== null || this.#snapshot === null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#open().catch(() => {});
    }, this.#pauseMs).unref();
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }

  #works(): void {
    this.#up = true;
    if (this.#told !== null) this.#log.info("the upstream's catalogue answers again");
    this.#told = null;
  }

  #fails(error: unknown): void {
    this.#up = false;
    const reason = reasonFor(error);
    if (reason === this.#told) return;
    this.#told = reason;
    const hint = hintFor(error);
    this.#log.error(hint === null ? {} : { hint }, `could not ask the upstream's catalogue: ${reason}`);
  }
}

function hintFor(error: unknown): string | null {
  if (error instanceof QuestionRefused || !(error instanceof Error)) return null;
  if ('hint' in error && typeof error.hint === 'string') return error.hint;
  return messageOf(error).includes('no pg_hba.conf entry')
    ? "The upstream's pg_hba.conf needs a line for auth_user from this host."
    : null;
}
