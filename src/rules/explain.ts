// Why the records above the deciding one did not match: for each, the first field that differs, in words for an
// operator. Kept apart from the decision, which builds no text.

import { toText } from '../base/bytestring.ts';
import type { ByteString } from '../base/bytestring.ts';
import { formatAddressSpec } from './address.ts';
import { decide } from './decide.ts';
import { hostNameMatches, matchRecord, Applicant } from './match.ts';
import { never } from './never.ts';
import { linesOfMap } from './usermap.ts';
import type { DatabaseSpec, Facts, HbaRecord, Place, RuleBook, UserSpec, Verdict } from './types.ts';

/** Tokens of a list that are spelled out. */
const MAX_LISTED = 8;

/** A record that was tried and passed over. */
export interface Considered extends Place {
  readonly why: string;
}

export interface Explanation {
  readonly verdict: Verdict;
  /** Every record above the deciding one, in order; all records for the implicit reject. */
  readonly considered: readonly Considered[];
  /** What the user is a member of, as far as it is known; null = no line has asked for a membership. */
  readonly memberships: readonly ByteString[] | null;
}

/** Decides as `decide` does, and says for each record before the decision why it was passed over. */
export function explain(book: RuleBook, facts: Facts): Explanation {
  const verdict = decide(book, facts);
  const applicant = new Applicant(facts, book, Infinity);
  const considered: Considered[] = [];
  for (const record of book.hba.records) {
    const why = describeMismatch(record, applicant);
    if (why === null) break;
    considered.push({ file: record.file, line: record.line, why });
  }
  const asks = applicant.asksMembership || asksByMap(book, verdict);
  return { verdict, considered, memberships: asks ? [...applicant.memberships()].toSorted() : null };
}

/** Whether the map of the deciding line has a `+role`. */
function asksByMap({ ident }: RuleBook, verdict: Verdict): boolean {
  if (verdict.kind === 'look-up' || verdict.record === null) return false;
  const { map, clientCert } = verdict.record;
  if (map === null || clientCert !== 'verify-full') return false;
  return linesOfMap(map, ident).some(({ databaseUser }) => databaseUser.kind === 'member');
}

/**
 * The first field of a record that does not match, and why; null when it matches or needs a look-up.
 *
 * @internal for tests
 */
export function explainMismatch(
  record: HbaRecord,
  facts: Facts,
  book: Pick<RuleBook, 'roles' | 'catalog'>,
): string | null {
  return describeMismatch(record, new Applicant(facts, book, Infinity));
}

function describeMismatch(record: HbaRecord, applicant: Applicant): string | null {
  const outcome = matchRecord(record, applicant);
  switch (outcome) {
    case 'match':
    case 'reverse':
    case 'forward':
    case 'roles':
      return null;
    case 'type':
      return describeType(record);
    case 'address':
      return describeAddress(record, applicant.facts);
    case 'database':
      return describeDatabase(record, applicant.facts);
    case 'user':
      return describeList('user', applicant.facts.user, record.users);
    default:
      return never(outcome);
  }
}

function describeType({ type }: HbaRecord): string {
  switch (type) {
    case 'local':
      return 'type "local" needs a Unix-domain socket';
    case 'hostssl':
      return 'type "hostssl" needs TLS';
    case 'hostnossl':
      return 'type "hostnossl" needs a connection without TLS';
    case 'hostgssenc':
      return 'type "hostgssenc" needs GSSAPI encryption';
    case 'host':
    case 'hostnogssenc':
      return `type "${type}" does not match`;
    default:
      return never(type);
  }
}

function describeAddress({ address }: HbaRecord, facts: Facts): string {
  const client = `address ${facts.addressText}`;
  switch (address?.kind) {
    case undefined:
    case 'all':
      return `${client} does not match`;
    case 'samehost':
      return `${client} is not an address of this host`;
    case 'samenet':
      return `${client} is in no subnet of this host`;
    case 'mask':
      return `${client} is not in ${formatAddressSpec(address)}`;
    case 'name':
      return describeHostName(address.name, facts);
    default:
      return never(address);
  }
}

function describeHostName(wanted: ByteString, { hostName, addressText }: Facts): string {
  const name = toText(wanted);
  switch (hostName.state) {
    case 'unknown':
    case 'unresolvable':
      return `address ${addressText} resolves to no host name, so not to "${name}"`;
    case 'resolved':
      return hostNameMatches(wanted, hostName.name)
        ? `host name "${hostName.name}" does not resolve back to ${addressText}`
        : `host name "${hostName.name}" is not "${name}"`;
    default:
      return never(hostName);
  }
}

function describeDatabase(record: HbaRecord, facts: Facts): string {
  if (facts.replication === 'physical') return 'database field lacks the keyword replication';
  if (record.databases.every(({ kind }) => kind === 'replication')) {
    return 'keyword replication needs a physical replication connection';
  }
  return describeList('database', facts.database, record.databases, facts.user);
}

/** `user "bob" is not "alice"`; several tokens are listed, very long lists cut. */
function describeList(
  what: 'database' | 'user',
  actual: ByteString,
  specs: readonly (DatabaseSpec | UserSpec)[],
  user = actual,
): string {
  const subject = `${what} "${toText(actual)}"`;
  const [only] = specs;
  if (specs.length === 1 && only !== undefined) return describeOne(subject, only, user, actual);
  const listed = specs.slice(0, MAX_LISTED).map(nameSpec).join(', ');
  const more = specs.length > MAX_LISTED ? ` and ${specs.length - MAX_LISTED} more` : '';
  return `${subject} is none of ${listed}${more}`;
}

function describeOne(
  subject: string,
  spec: DatabaseSpec | UserSpec,
  user: ByteString,
  database: ByteString,
): string {
  switch (spec.kind) {
    case 'sameuser':
      return `${subject} is not named like user "${toText(user)}"`;
    case 'samerole':
      return `user "${toText(user)}" is not a member of role "${toText(database)}"`;
    case 'member':
      return `${subject} is not a member of role "${toText(spec.role)}"`;
    case 'pattern':
      return `${subject} does not match ${nameSpec(spec)}`;
    case 'all':
    case 'replication':
    case 'name':
      return `${subject} is not ${nameSpec(spec)}`;
    default:
      return never(spec);
  }
}

/** A token as a rule would write it. */
function nameSpec(spec: DatabaseSpec | UserSpec): string {
  switch (spec.kind) {
    case 'name':
      return `"${toText(spec.name)}"`;
    case 'member':
      return `+${toText(spec.role)}`;
    case 'pattern':
      return `"/${toText(spec.pattern.source)}"`;
    case 'all':
    case 'sameuser':
    case 'samerole':
    case 'replication':
      return spec.kind;
    default:
      return never(spec);
  }
}
