// The upstream's catalogue as a worker knows it: the first process has the session, and the worker keeps the memberships
// that it was sent last.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ByteString } from '../../base/bytestring.ts';
import type { Code } from '../../base/codes.ts';
import { GatehouseError, messageOf } from '../../base/errors.ts';
import { catalogKey } from '../../catalog/catalog-key.ts';
import { FreshRoles, type DatedMemberships } from '../../catalog/fresh-roles.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import type { CatalogRoles } from '../../rules/types.ts';
import { withSignal } from '../../session/end-signal.ts';
import type { UpstreamCatalog } from '../../session/upstream-catalog.ts';
import type { PrimaryMethods } from './methods.ts';
import type { Remote } from './rpc.ts';

/** After a failure a reload that is on its way to this worker has this long to arrive, in milliseconds. */
const ADOPTION_MS = 500;

/** Asks the first process. */
export class WorkerCatalog implements UpstreamCatalog {
  readonly #primary: Remote<PrimaryMethods>;
  readonly #roles: FreshRoles;
  /** Of the settings that the memberships belong to. */
  #key = '';
  #onAdopted = Promise.withResolvers<void>();

  constructor(primary: Remote<PrimaryMethods>) {
    this.#primary = primary;
    this.#roles = new FreshRoles(async (known) => await this.#ask(known));
  }

  /** Another state is in force here. */
  adopted(): void {
    this.#onAdopted.resolve();
    this.#onAdopted = Promise.withResolvers<void>();
  }

  async memberships(snapshot: Snapshot, signal: AbortSignal): Promise<CatalogRoles> {
    const key = catalogKey(snapshot);
    // SECURITY: what one catalogue says is never used for a decision by settings that name another.
    if (key !== this.#key) this.#roles.clear();
    this.#key = key;
    const { roles } = await this.#answer('roles-unavailable', this.#roles.get(), signal);
    return roles;
  }

  async secretOf(
    user: ByteString,
    asker: string,
    snapshot: Snapshot,
    signal: AbortSignal,
  ): Promise<ByteString | null> {
    const asked = this.#primary.call('secretOf', user, asker, catalogKey(snapshot));
    return await this.#answer('secrets-unavailable', asked, signal);
  }

  /**
   * Waits for an answer. Where there is none, the first process may have a state that this worker is about to get: the
   * connection is then decided on again, so its failure waits a moment.
   */
  async #answer<T>(code: Code, asked: Promise<T>, signal: AbortSignal): Promise<T> {
    const adopted = this.#onAdopted.promise;
    asked.catch(() => {});
    try {
      return await withSignal(asked, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      await withSignal(Promise.race([adopted, sleep(ADOPTION_MS, undefined, { ref: false })]), signal);
      throw new GatehouseError(code, { message: messageOf(error), cause: error });
    }
  }

  async #ask(known: DatedMemberships | null): Promise<DatedMemberships> {
    const sentAt = performance.now();
    const { roles, version, ageMs } = await this.#primary.call(
      'memberships',
      this.#key,
      known?.version ?? null,
    );
    const found = roles ?? known?.roles;
    if (found === undefined) throw new Error('memberships were not sent');
    // The oldest that they can be: the answer was under way for a part of that time.
    return { roles: found, version, askedAt: sentAt - ageMs };
  }
}
