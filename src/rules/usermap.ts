// May the holder of this certificate name be this database user? Plain equality without a map, else the lines
// of pg_ident.conf (semantics §6.4, §7).

import type { ByteString } from '../base/bytestring.ts';
import type { Steps } from '../base/steps.ts';
import { matchesUser } from './match.ts';
import type { Matches, Applicant } from './match.ts';
import type { IdentMaps, IdentRecord } from './types.ts';

/** The outcome for one name; `note` is PostgreSQL's log line. */
export type Mapping =
  | { readonly kind: 'match'; readonly record: IdentRecord | null }
  | { readonly kind: 'mismatch'; readonly note: ByteString }
  /** A line cannot be carried out: authentication fails at once, later lines and names are not tried. */
  | { readonly kind: 'error'; readonly note: ByteString }
  /** The line of a `+role` decides, and only the upstream's catalogue says whether the user is a member. */
  | { readonly kind: 'unknown' };

/** The lines of each map of the maps in use, so that a name is not tried on the lines of all other maps. */
const linesByMap = new WeakMap<IdentMaps, ReadonlyMap<ByteString, readonly IdentRecord[]>>();

/** The lines of one map, in the order of the file; none where the file does not have it. */
export function linesOfMap(map: ByteString, ident: IdentMaps): readonly IdentRecord[] {
  let lines = linesByMap.get(ident);
  if (lines === undefined) {
    lines = Map.groupBy(ident.records, (record) => record.map);
    linesByMap.set(ident, lines);
  }
  return lines.get(map) ?? [];
}

/**
 * Checks one name against the connection's user.
 *
 * @param lines of the map, which is null where the record names none
 * @throws TooExpensive beyond what a decision may cost
 */
export function* checkUserMap(
  map: ByteString | null,
  lines: readonly IdentRecord[],
  name: ByteString,
  applicant: Applicant,
): Steps<Mapping> {
  const { user } = applicant.facts;
  if (map === null) {
    if (name === user) return { kind: 'match', record: null };
    return {
      kind: 'mismatch',
      note: `provided user name (${user}) and authenticated user name (${name}) do not match`,
    };
  }
  let open: Mapping | null = null;
  for (const record of lines) {
    applicant.price.line();
    if (applicant.price.pauseIsDue()) yield;
    const mapping = applyLine(record, name, applicant);
    // A later line may map the name whatever the catalogue says.
    if (mapping?.kind === 'unknown') open = mapping;
    else if (mapping !== null) return mapping.kind === 'match' ? mapping : (open ?? mapping);
  }
  if (open !== null) return open;
  return {
    kind: 'mismatch',
    note: `no match in usermap "${map}" for user "${user}" authenticated as "${name}"`,
  };
}

/** Null when the line does not match. */
function applyLine(record: IdentRecord, name: ByteString, applicant: Applicant): Mapping | null {
  const { systemUser, databaseUser } = record;
  if (systemUser.kind === 'name') {
    return systemUser.name === name ? mappingBy(matchesUser(databaseUser, applicant), record) : null;
  }
  // Only a literal database user takes the captured group; `+role` and a regular expression keep their meaning.
  const refersBack = databaseUser.kind === 'name' && databaseUser.name.includes('\\1');
  if (!refersBack) {
    // The user first: it is short, and a client may bring a name of ten thousand bytes.
    const matches = matchesUser(databaseUser, applicant);
    return matches !== false && applicant.price.test(systemUser.pattern, name)
      ? mappingBy(matches, record)
      : null;
  }
  const match = applicant.price.exec(systemUser.pattern, name);
  if (match === null) return null;
  const group = match.groups[0] ?? null;
  if (group === null) {
    const note =
      `regular expression "${systemUser.pattern.source}" has no subexpressions ` +
      `as requested by backreference in "${databaseUser.name}"`;
    return { kind: 'error', note };
  }
  // SECURITY: compared as it stands, so that a certificate named `all` or `+dba` gains nothing; only the first
  // `\1` is replaced, and by a function, so that `$&` in a certificate means itself.
  const expanded = databaseUser.name.replace('\\1', () => group);
  return expanded === applicant.facts.user ? { kind: 'match', record } : null;
}

function mappingBy(matches: Matches, record: IdentRecord): Mapping | null {
  if (matches === null) return { kind: 'unknown' };
  return matches ? { kind: 'match', record } : null;
}
