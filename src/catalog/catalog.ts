// The upstream's catalogue for the whole gate (contract §13): one session in the first process, made again when it is lost,
// and what the gate keeps of its answers. Workers ask the first process.

import type { SaltedPasswords } from '../auth/scram-keys.ts';
import { fromText, type ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { CatalogRoles } from '../rules/types.ts';
import type { Dialer } from '../session/dial.ts';
import { withSignal } from '../session/end-signal.ts';
import type { UpstreamCatalog } from '../session/upstream-catalog.ts';
import type { Logger } from '../telemetry/log.ts';
import { catalogKey } from './catalog-key.ts';
import { CatalogLink } from './catalog-link.ts';
import { reasonFor, type CatalogSession } from './catalog-session.ts';
import { FairQuestions } from './fair-questions.ts';
import { FreshRoles, type DatedMemberships } from './fresh-roles.ts';
import { askMemberships, askSecret } from './questions.ts';

/** How long a connection waits for the catalogue, in milliseconds. */
const PATIENCE_MS = 10_000;

export interface CatalogOptions {
  /** Holds the state in force. */
  readonly config: { readonly current: Snapshot };
  readonly dialer: Dialer;
  readonly salted: SaltedPasswords;
  readonly log: Logger;
}

/** What Prometheus is told of it. */
export interface CatalogHealth {
  /** Whether the last attempt to reach it succeeded; null = nothing has been tried, or auth_user is empty. */
  readonly up: boolean | null;
  /** When memberships were last read, in seconds since 1970; null = never. */
  readonly refreshedAt: number | null;
}

/** The catalogue as the first process asks it. */
export class Catalog implements UpstreamCatalog {
  readonly #config: CatalogOptions['config'];
  readonly #link: CatalogLink;
  readonly #roles: FreshRoles;
  readonly #secrets: FairQuestions;
  /** Of the settings that the link and the memberships belong to. */
  #key = '';
  #refreshedAt: number | null = null;
  #isClosed = false;

  constructor({ config, dialer, salted, log }: CatalogOptions) {
    this.#config = config;
    this.#link = new CatalogLink({ dialer, salted, log });
    this.#roles = new FreshRoles(async () => await this.#readMemberships());
    this.#secrets = new FairQuestions(async (user) => {
      const { auth_query: query } = this.#config.current.settings;
      return await askSecret(await this.#session(), query, user);
    });
    this.load();
  }

  /** Takes over the state in force: another catalogue, role or secret begins anew, and nothing of the old one counts. */
  load(): void {
    // A reload may come to its end after the gate has: a session that it began would keep the process from ending.
    if (this.#isClosed) return;
    const { current } = this.#config;
    const key = catalogKey(current);
    if (key === this.#key) {
      this.#link.renew(current);
      return;
    }
    this.#key = key;
    this.#refreshedAt = null;
    this.#roles.clear();
    this.#link.use(current);
  }

  /** Follows the upstream's name after a reload, once the dialer has been loaded. What is known grows old as ever. */
  async follow(): Promise<void> {
    await this.#link.follow();
  }

  get health(): CatalogHealth {
    return { up: this.#link.up, refreshedAt: this.#refreshedAt };
  }

  async memberships(snapshot: Snapshot, signal: AbortSignal): Promise<CatalogRoles> {
    return (await withSignal(this.datedMemberships(catalogKey(snapshot)), signal)).roles;
  }

  /**
   * Memberships with their age, for a worker.
   *
   * @param key of the state that is to be decided by
   * @throws GatehouseError `roles-unavailable`
   */
  async datedMemberships(key: string): Promise<DatedMemberships> {
    try {
      this.#require(key);
      const found = await inTime(this.#roles.get());
      this.#require(key);
      return found;
    } catch (error) {
      throw unavailable('roles-unavailable', 'look up role memberships', error);
    }
  }

  async secretOf(
    user: ByteString,
    asker: string,
    snapshot: Snapshot,
    signal: AbortSignal,
  ): Promise<ByteString | null> {
    return await withSignal(this.secretByKey(user, asker, catalogKey(snapshot)), signal);
  }

  /** The same for a worker. @throws GatehouseError `secrets-unavailable` */
  async secretByKey(user: ByteString, asker: string, key: string): Promise<ByteString | null> {
    try {
      this.#require(key);
      const secret = await inTime(this.#secrets.get(user, asker));
      this.#require(key);
      return secret;
    } catch (error) {
      throw unavailable('secrets-unavailable', 'look up the password', error);
    }
  }

  /** Ends the session for good. */
  close(): void {
    this.#isClosed = true;
    this.#link.close();
  }

  /** SECURITY: what one catalogue says is never used for a decision by settings that name another. */
  #require(key: string): void {
    this.load();
    if (key !== this.#key) throw new Error('the settings have changed');
  }

  async #session(): Promise<CatalogSession> {
    return await this.#link.session();
  }

  async #readMemberships(): Promise<DatedMemberships> {
    const key = this.#key;
    const session = await this.#session();
    const askedAt = performance.now();
    const found = await this.#link.noting(session, askMemberships(session));
    if (key === this.#key) this.#refreshedAt = Date.now() / 1000;
    return { ...found, askedAt };
  }
}

/** Fails where an answer takes too long; what asks for it goes on for those who come next. */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE_MS / 1000} s`)), PATIENCE_MS);
  });
  return await Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

function unavailable(
  code: 'roles-unavailable' | 'secrets-unavailable',
  what: string,
  error: unknown,
): GatehouseError {
  return new GatehouseError(code, {
    message: `could not ${what}: ${fromText(reasonFor(error))}`,
    cause: error,
  });
}
