// Does a record match a connection? Tests in PostgreSQL's order: type, address, database, user (semantics §5).
// A scan of ten thousand records takes well under a millisecond, so nothing here builds texts.

import { fromText } from '../base/bytestring.ts';
import type { ByteString } from '../base/bytestring.ts';
import { isInRange, isSameAddress, isSameHost, isSameNet } from './address.ts';
import { never } from './never.ts';
import { Price } from './price.ts';
import { isDeclaredWhole, membershipsOf } from './roles.ts';
import type {
  ConnectionType,
  DatabaseSpec,
  Facts,
  HbaRecord,
  InterfaceAddress,
  RuleBook,
  UserSpec,
} from './types.ts';

/** `match`, the first field that does not match, or the look-up without which nobody can tell. */
export type Outcome = 'match' | 'type' | 'address' | 'database' | 'user' | 'reverse' | 'forward' | 'roles';

/** Null = nobody can tell without the upstream's catalogue. */
export type Matches = boolean | null;

/** The facts of one connection, with what is derived from them at most once. */
export class Applicant {
  readonly facts: Facts;
  readonly price: Price;
  readonly #book: Pick<RuleBook, 'roles' | 'catalog'>;
  #memberships: ReadonlySet<ByteString> | undefined;
  #asksMembership = false;
  #interfaces: readonly InterfaceAddress[] | undefined;

  /** @param limit what the judging may cost (price.ts) */
  constructor(facts: Facts, book: Pick<RuleBook, 'roles' | 'catalog'>, limit: number) {
    this.facts = facts;
    this.#book = book;
    this.price = new Price(limit);
  }

  /** Whether a membership has been asked for that is not the user's own name. */
  get asksMembership(): boolean {
    return this.#asksMembership;
  }

  /** The user is a direct or indirect member of the role; an unknown user or role is not. */
  isMemberOf(role: ByteString): Matches {
    if (role === this.facts.user) return true;
    this.#asksMembership = true;
    if (this.memberships().has(role)) return true;
    return this.#book.catalog === 'unasked' && !isDeclaredWhole(role, this.#book.roles) ? null : false;
  }

  /** All memberships that are known. */
  memberships(): ReadonlySet<ByteString> {
    const { roles, catalog = 'unasked' } = this.#book;
    this.#memberships ??= membershipsOf(this.facts.user, roles, catalog === 'unasked' ? null : catalog);
    return this.#memberships;
  }

  interfaces(): readonly InterfaceAddress[] {
    this.#interfaces ??= this.facts.interfaces();
    return this.#interfaces;
  }
}

/** Compares a record with a connection, field by field. */
export function matchRecord(record: HbaRecord, applicant: Applicant): Outcome {
  if (!matchesType(record.type, applicant.facts.tls)) return 'type';
  const address = matchAddress(record, applicant);
  if (address !== 'match') return address;
  const database = matchesAnyDatabase(record, applicant);
  if (database === false) return 'database';
  const user = matchesAnyUser(record, applicant);
  if (user === false) return 'user';
  // Only now: the catalogue is asked for a line that decides by it, and for no other.
  return database === null || user === null ? 'roles' : 'match';
}

// Loops rather than some(): they run for every record of every connection.
function matchesAnyDatabase({ databases }: HbaRecord, applicant: Applicant): Matches {
  let matches: Matches = false;
  for (const spec of databases) {
    const found = matchesDatabase(spec, applicant);
    if (found === true) return true;
    if (found === null) matches = null;
  }
  return matches;
}

function matchesAnyUser({ users }: HbaRecord, applicant: Applicant): Matches {
  let matches: Matches = false;
  for (const spec of users) {
    const found = matchesUser(spec, applicant);
    if (found === true) return true;
    if (found === null) matches = null;
  }
  return matches;
}

/** Every connection here came over TCP, without GSSAPI encryption. */
function matchesType(type: ConnectionType, tls: boolean): boolean {
  switch (type) {
    case 'host':
    case 'hostnogssenc':
      return true;
    case 'hostssl':
      return tls;
    case 'hostnossl':
      return !tls;
    case 'local':
    case 'hostgssenc':
      return false;
    default:
      return never(type);
  }
}

function matchAddress(
  { address }: HbaRecord,
  applicant: Applicant,
): 'match' | 'address' | 'reverse' | 'forward' {
  switch (address?.kind) {
    case undefined:
      return 'address';
    case 'all':
      return 'match';
    case 'mask':
      return isInRange(applicant.facts.address, address.address, address.mask) ? 'match' : 'address';
    case 'samehost':
      return isSameHost(applicant.facts.address, applicant.interfaces()) ? 'match' : 'address';
    case 'samenet':
      return isSameNet(applicant.facts.address, applicant.interfaces()) ? 'match' : 'address';
    case 'name':
      return matchHostName(address.name, applicant.facts);
    default:
      return never(address);
  }
}

/** Semantics §5.5: the reverse name must match, and must resolve back to the client's address. */
function matchHostName(
  name: ByteString,
  { hostName, address }: Facts,
): 'match' | 'address' | 'reverse' | 'forward' {
  if (hostName.state === 'unknown') return 'reverse';
  if (hostName.state === 'unresolvable' || !hostNameMatches(name, hostName.name)) return 'address';
  if (hostName.forward.state === 'unknown') return 'forward';
  // SECURITY: the owner of the client's address range decides its reverse name; only the forward look-up binds it.
  return hostName.forward.state === 'resolved' &&
    hostName.forward.addresses.some((a) => isSameAddress(a, address))
    ? 'match'
    : 'address';
}

/** Equal but for ASCII case; a rule's name that begins with a dot is a suffix. */
export function hostNameMatches(ruleName: ByteString, hostName: string): boolean {
  const wanted = lowerAscii(ruleName);
  const actual = lowerAscii(fromText(hostName));
  return wanted.startsWith('.') ? actual.endsWith(wanted) : actual === wanted;
}

function lowerAscii(text: ByteString): ByteString {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function matchesDatabase(spec: DatabaseSpec, applicant: Applicant): Matches {
  const { database, user, replication } = applicant.facts;
  // SECURITY: `all` and names never open the door to a base backup.
  if (replication === 'physical') return spec.kind === 'replication';
  switch (spec.kind) {
    case 'all':
      return true;
    case 'sameuser':
      return database === user;
    case 'samerole':
      return applicant.isMemberOf(database);
    case 'replication':
      return false;
    case 'pattern':
      return applicant.price.test(spec.pattern, database);
    case 'name':
      return spec.name === database;
    default:
      return never(spec);
  }
}

/** One user token against the connection's user (semantics §5.7, §7.4). */
export function matchesUser(spec: UserSpec, applicant: Applicant): Matches {
  switch (spec.kind) {
    case 'all':
      return true;
    case 'member':
      return applicant.isMemberOf(spec.role);
    case 'pattern':
      return applicant.price.test(spec.pattern, applicant.facts.user);
    case 'name':
      return spec.name === applicant.facts.user;
    default:
      return never(spec);
  }
}
