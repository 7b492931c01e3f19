// Does a record match a connection? Tests in PostgreSQL's order: type, address, database, user (semantics §5).
// A scan of ten thousand records takes well under a millisecond, so nothing here builds texts.

import { fromText } from '../base/bytestring.ts';
import type { ByteString } from '../base/bytestring.ts';
import { isInRange, isSameAddress, isSameHost, isSameNet } from './address.ts';
import { never } from './never.ts';
import { Price } from './price.ts';
import { membershipsOf } from './roles.ts';
import type {
  ConnectionType,
  DatabaseSpec,
  Facts,
  HbaRecord,
  InterfaceAddress,
  Roles,
  UserSpec,
} from './types.ts';

/** `match`, the first field that does not match, or the name look-up without which nobody can tell. */
export type Outcome = 'match' | 'type' | 'address' | 'database' | 'user' | 'reverse' | 'forward';

/** The facts of one connection, with what is derived from them at most once. */
export class Subject {
  readonly facts: Facts;
  readonly price: Price;
  readonly #roles: Roles;
  #memberships: ReadonlySet<ByteString> | undefined;
  #interfaces: readonly InterfaceAddress[] | undefined;

  /** @param limit what the judging may cost (price.ts) */
  constructor(facts: Facts, roles: Roles, limit: number) {
    this.facts = facts;
    this.#roles = roles;
    this.price = new Price(limit);
  }

  /** The user is a direct or indirect member of the role; an unknown user or role is not. */
  isMemberOf(role: ByteString): boolean {
    this.#memberships ??= membershipsOf(this.facts.user, this.#roles);
    return this.#memberships.has(role);
  }

  interfaces(): readonly InterfaceAddress[] {
    this.#interfaces ??= this.facts.interfaces();
    return this.#interfaces;
  }
}

/** Compares a record with a connection, field by field. */
export function matchRecord(record: HbaRecord, subject: Subject): Outcome {
  if (!matchesType(record.type, subject.facts.tls)) return 'type';
  const address = matchAddress(record, subject);
  if (address !== 'match') return address;
  if (!matchesAnyDatabase(record, subject)) return 'database';
  return matchesAnyUser(record, subject) ? 'match' : 'user';
}

// Loops rather than some(): they run for every record of every connection.
function matchesAnyDatabase({ databases }: HbaRecord, subject: Subject): boolean {
  for (const spec of databases) if (matchesDatabase(spec, subject)) return true;
  return false;
}

function matchesAnyUser({ users }: HbaRecord, subject: Subject): boolean {
  for (const spec of users) if (matchesUser(spec, subject)) return true;
  return false;
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

function matchAddress({ address }: HbaRecord, subject: Subject): 'match' | 'address' | 'reverse' | 'forward' {
  switch (address?.kind) {
    case undefined:
      return 'address';
    case 'all':
      return 'match';
    case 'mask':
      return isInRange(subject.facts.address, address.address, address.mask) ? 'match' : 'address';
    case 'samehost':
      return isSameHost(subject.facts.address, subject.interfaces()) ? 'match' : 'address';
    case 'samenet':
      return isSameNet(subject.facts.address, subject.interfaces()) ? 'match' : 'address';
    case 'name':
      return matchHostName(address.name, subject.facts);
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

function matchesDatabase(spec: DatabaseSpec, subject: Subject): boolean {
  const { database, user, replication } = subject.facts;
  // SECURITY: `all` and names never open the door to a base backup.
  if (replication === 'physical') return spec.kind === 'replication';
  switch (spec.kind) {
    case 'all':
      return true;
    case 'sameuser':
      return database === user;
    case 'samerole':
      return subject.isMemberOf(database);
    case 'replication':
      return false;
    case 'pattern':
      return subject.price.test(spec.pattern, database);
    case 'name':
      return spec.name === database;
    default:
      return never(spec);
  }
}

/** One user token against the connection's user (semantics §5.7, §7.4). */
export function matchesUser(spec: UserSpec, subject: Subject): boolean {
  switch (spec.kind) {
    case 'all':
      return true;
    case 'member':
      return subject.isMemberOf(spec.role);
    case 'pattern':
      return subject.price.test(spec.pattern, subject.facts.user);
    case 'name':
      return spec.name === subject.facts.user;
    default:
      return never(spec);
  }
}
