// What a connection may ask of the upstream's catalogue (contract §13), as an interface: in the first process the catalogue
// itself answers, in a worker the first process does.

import { parseSecret, type Secret } from '../auth/secret.ts';
import type { ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { CatalogRoles } from '../rules/types.ts';
import type { ProcessState } from './process-state.ts';

/** The upstream's catalogue, as connections ask it. */
export interface UpstreamCatalog {
  /**
   * Memberships, no older than 10 s when this resolves.
   *
   * @param snapshot whose settings say which catalogue is meant
   * @throws GatehouseError `roles-unavailable`, or the signal's reason
   */
  memberships(snapshot: Snapshot, signal: AbortSignal): Promise<CatalogRoles>;

  /**
   * Asks auth_query for one user, after this call: an earlier answer never counts.
   *
   * @param asker whose connection it is, its address or /64: askers take turns
   * @returns the secret's text; null = the user has none here
   * @throws GatehouseError `secrets-unavailable`, or the signal's reason
   */
  secretOf(
    user: ByteString,
    asker: string,
    snapshot: Snapshot,
    signal: AbortSignal,
  ): Promise<ByteString | null>;
}

/** Where nothing can be asked: a part of the program that has no catalogue. */
export const NO_CATALOG: UpstreamCatalog = {
  memberships: () =>
    Promise.reject(new GatehouseError('roles-unavailable', { message: 'no catalogue can be asked here' })),
  secretOf: () =>
    Promise.reject(new GatehouseError('secrets-unavailable', { message: 'no catalogue can be asked here' })),
};

/**
 * The user's secret by the state in force: that of auth_file, else what auth_query says.
 *
 * @param asker as UpstreamCatalog.secretOf
 * @returns null = the user is not known
 * @throws GatehouseError `secrets-unavailable`, or the signal's reason
 */
export async function findSecret(
  gate: Pick<ProcessState, 'snapshot' | 'catalog'>,
  user: ByteString,
  asker: string,
  signal: AbortSignal,
): Promise<Secret | null> {
  for (;;) {
    const snapshot = gate.snapshot();
    const { passwords, settings } = snapshot;
    const known = passwords?.secrets.get(user);
    if (known !== undefined) return known;
    if (passwords === null || settings.auth_query === '') return null;
    try {
      const text = await gate.catalog.secretOf(user, asker, snapshot, signal);
      if (gate.snapshot() === snapshot) return text === null ? null : parseSecret(text);
    } catch (error) {
      // A failure by a state that is no longer in force counts for nothing.
      if (gate.snapshot() === snapshot || signal.aborted) throw error;
    }
  }
}
