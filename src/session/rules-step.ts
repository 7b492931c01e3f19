// Asking the rules: puts together the facts of a connection, and looks up its host name and the upstream's memberships as
// far as a rule wants to know them. The same for a connection that comes and for a session that a reload judges again.

import type { Snapshot } from '../config/snapshot.ts';
import { decisionSteps } from '../rules/decide.ts';
import type { Admission, CatalogRoles, Facts, Refusal, RuleBook } from '../rules/types.ts';
import { inSlices } from '../base/slices.ts';
import { lookUpHostName } from './host-names.ts';
import type { UpstreamCatalog } from './upstream-catalog.ts';

/**
 * The rules ask for each name once, and for memberships again after a name. More would be a defect of theirs, and must
 * not become a loop.
 */
const MAX_LOOK_UPS = 5;

/** Who is asked, and what else happens meanwhile. */
export interface JudgeOptions {
  readonly catalog: UpstreamCatalog;
  /** Ends a look-up, or a decision that takes several slices; its reason is what is then thrown. */
  readonly signal: AbortSignal;
  /**
   * Called before a look-up; what it returns is called after it. A caller with a client watches it meanwhile: otherwise
   * the gate would look up a client that has gone.
   */
  readonly watch?: () => () => void;
}

/** A verdict, and what it was found with. */
export interface Judged {
  readonly verdict: Admission | Refusal;
  /** With the names that were looked up. */
  readonly facts: Facts;
  /** The memberships that the decision was made by; null = it needed none of the catalogue's. */
  readonly catalog: CatalogRoles | null;
}

/**
 * What a state decides by.
 *
 * @param catalog memberships that have been read; null = a decision that needs them asks, where the state has an auth_user
 */
export function ruleBook(
  { rules, maps, settings }: Pick<Snapshot, 'rules' | 'maps' | 'settings'>,
  catalog: CatalogRoles | null,
): RuleBook {
  const book = { hba: rules, ident: maps, roles: settings.roles };
  return settings.auth_user === '' ? book : { ...book, catalog: catalog ?? 'unasked' };
}

/**
 * Asks the rules.
 *
 * @throws GatehouseError `roles-unavailable`, `host-name-timeout`, or the signal's reason
 */
export async function judge(
  snapshot: Snapshot,
  asked: Facts,
  { catalog, signal, watch = () => () => {} }: JudgeOptions,
): Promise<Judged> {
  let facts = asked;
  let roles: CatalogRoles | null = null;
  for (let lookUps = 0; ; lookUps++) {
    const verdict = await inSlices(decisionSteps(ruleBook(snapshot, roles), facts), signal);
    if (verdict.kind !== 'look-up') return { verdict, facts, catalog: roles };
    if (lookUps === MAX_LOOK_UPS) throw new Error('the rules asked for a look-up that had been made');
    const stopWatching = watch();
    try {
      if (verdict.want === 'roles') roles = await catalog.memberships(snapshot, signal);
      else {
        facts = { ...facts, hostName: await lookUpHostName(facts, verdict.want, signal) };
        // SECURITY: a name may take half a minute. Memberships of before it would be older than is promised.
        roles = null;
      }
    } finally {
      stopWatching();
    }
  }
}
