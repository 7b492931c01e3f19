// Whether some connection could match two lines. Where that cannot be told the answer is yes, so that a change of who
// gets in is rather looked at once too often.

import type { AddressSpec, DatabaseSpec, HbaRecord, UserSpec } from '../rules/types.ts';

/** True unless it is certain that no connection matches both. */
function overlaps(one: HbaRecord, other: HbaRecord): boolean {
  return (
    typesMeet(one.type, other.type) && addressesMeet(one.address, other.address) && shareNames(one, other)
  );
}

/** True unless it is certain that no database and user are in both. */
export function shareNames(one: HbaRecord, other: HbaRecord): boolean {
  return databasesMeet(one.databases, other.databases) && namesMeet(one.users, other.users);
}

/** The first of the later records, null where a line does not stay, that admits some client of this one. */
export function admittedBy(record: HbaRecord, later: readonly (HbaRecord | null)[]): HbaRecord | null {
  const taker = later.find((other) => other !== null && other.method !== 'reject' && overlaps(record, other));
  return taker ?? null;
}

function typesMeet(one: HbaRecord['type'], other: HbaRecord['type']): boolean {
  const pair = new Set([one, other]);
  if (pair.has('local')) return pair.size === 1;
  return !(pair.has('hostssl') && pair.has('hostnossl'));
}

function addressesMeet(one: AddressSpec | null, other: AddressSpec | null): boolean {
  if (one?.kind !== 'mask' || other?.kind !== 'mask') return true;
  if (one.address.family !== other.address.family) return false;
  return one.address.bytes.every((byte, index) => {
    const both = (one.mask[index] ?? 0) & (other.mask[index] ?? 0);
    return (byte & both) === ((other.address.bytes[index] ?? 0) & both);
  });
}

function isReplication({ kind }: DatabaseSpec): boolean {
  return kind === 'replication';
}

/** Anything but a name may match any name. */
function isOpen({ kind }: DatabaseSpec | UserSpec): boolean {
  return kind !== 'name';
}

/** `all` leaves physical replication out. */
function databasesMeet(one: readonly DatabaseSpec[], other: readonly DatabaseSpec[]): boolean {
  if (one.some(isReplication) && other.some(isReplication)) return true;
  return namesMeet(
    one.filter((spec) => !isReplication(spec)),
    other.filter((spec) => !isReplication(spec)),
  );
}

function namesMeet(
  one: readonly (DatabaseSpec | UserSpec)[],
  other: readonly (DatabaseSpec | UserSpec)[],
): boolean {
  if (one.length === 0 || other.length === 0) return false;
  if (one.some(isOpen) || other.some(isOpen)) return true;
  const names = new Set(one.flatMap((spec) => (spec.kind === 'name' ? [spec.name] : [])));
  return other.some((spec) => spec.kind === 'name' && names.has(spec.name));
}
