// Asking the rules: puts together the facts of a connection, and looks up its host name as far as a rule wants to
// know it. The same for a connection that comes and for a session that a reload judges again.

import type { Snapshot } from '../config/snapshot.ts';
import { decisionSteps } from '../rules/decide.ts';
import type { Admission, Facts, Refusal } from '../rules/types.ts';
import { inSlices } from '../base/slices.ts';
import { lookUpHostName } from './host-names.ts';

/** The rules ask for each look-up once. More would be a defect of theirs, and must not become a loop. */
const MAX_LOOK_UPS = 2;

/**
 * @param signal ends a look-up, or a decision that takes several slices; its reason is what is then thrown
 * @param watch called before a look-up; what it returns is called after it. A caller with a client watches it
 *   meanwhile: otherwise the gate would look up a client that has gone
 * @returns the verdict, and the facts with what was looked up
 */
export async function judge(
  snapshot: Pick<Snapshot, 'rules' | 'maps' | 'settings'>,
  facts: Facts,
  signal: AbortSignal,
  watch: () => () => void = () => () => {},
): Promise<{ readonly verdict: Admission | Refusal; readonly facts: Facts }> {
  const book = { hba: snapshot.rules, ident: snapshot.maps, roles: snapshot.settings.roles };
  let known = facts;
  for (let lookUps = 0; ; lookUps++) {
    const verdict = await inSlices(decisionSteps(book, known), signal);
    if (verdict.kind !== 'look-up') return { verdict, facts: known };
    if (lookUps === MAX_LOOK_UPS) throw new Error('the rules asked for a look-up that had been made');
    const stopWatching = watch();
    try {
      known = { ...known, hostName: await lookUpHostName(known, verdict.want, signal) };
    } finally {
      stopWatching();
    }
  }
}
