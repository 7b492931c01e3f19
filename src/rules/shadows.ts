// Finds records that an earlier one shadows whole: same or wider in type, databases, users and address. Earlier
// records are kept by what they match, so that ten thousand records are compared in well under a second.

import { fromBytes } from '../base/bytestring.ts';
import { never } from './never.ts';
import type { AddressSpec, DatabaseSpec, HbaRecord, IpAddress, UserSpec } from './types.ts';

/** A record that lists more database and user pairs than this is not considered as a shadow. */
const MAX_PAIRS = 64;
/** Candidates compared in full for one record, and distinct masks remembered. Beyond them nothing is reported. */
const MAX_CANDIDATES = 64;
const MAX_MASKS = 160;
/** Comparisons made for one file: a second of work. Beyond them nothing is reported, so that no file takes minutes. */
const MAX_COMPARISONS = 4_000_000;

/** A record that may shadow later ones, with the keys of what it matches. */
interface Candidate {
  readonly record: HbaRecord;
  readonly databases: ReadonlySet<string>;
  readonly users: ReadonlySet<string>;
}

/** The records so far, able to name the one that leaves a further record nothing to match. */
export class Shadows {
  readonly #candidates = new Map<string, Candidate[]>();
  #comparisons = 0;
  readonly #masks = new Map<string, IpAddress>();

  /** Returns the earlier record that matches everything `record` does; null when none is sure to. */
  add(record: HbaRecord): HbaRecord | null {
    if (this.#comparisons > MAX_COMPARISONS) return null;
    const shadow = this.#find(record);
    // What a shadowed record covers, its shadow covers too.
    if (shadow === null) this.#keep(record);
    return shadow;
  }

  #find(record: HbaRecord): HbaRecord | null {
    const [database, user] = [record.databases[0], record.users[0]];
    if (database === undefined || user === undefined || record.address === null) return null;
    const addresses = this.#widerAddressKeys(record.address);
    const [databases, users] = [record.databases.map(specKey), record.users.map(specKey)];
    for (const databaseKey of new Set(['all', specKey(database)])) {
      for (const userKey of new Set(['all', specKey(user)])) {
        for (const address of addresses) {
          this.#comparisons += 1;
          for (const candidate of this.#candidates.get(`${databaseKey}\n${userKey}\n${address}`) ?? []) {
            this.#comparisons += databases.length + users.length;
            const { record: wide } = candidate;
            if (!coversType(wide.type, record.type)) continue;
            if (covers(candidate.databases, databases) && covers(candidate.users, users)) return wide;
          }
        }
      }
    }
    return null;
  }

  #keep(record: HbaRecord): void {
    if (record.address === null) return;
    const databases = distinctKeys(record.databases);
    const users = distinctKeys(record.users);
    if (databases.length * users.length > MAX_PAIRS) return;
    const address = this.#keepAddress(record.address);
    if (address === null) return;
    const candidate = {
      record,
      databases: new Set(record.databases.map(specKey)),
      users: new Set(record.users.map(specKey)),
    };
    for (const database of databases) {
      for (const user of users) {
        this.#comparisons += 1;
        const key = `${database}\n${user}\n${address}`;
        const candidates = this.#candidates.get(key);
        if (candidates === undefined) this.#candidates.set(key, [candidate]);
        else if (candidates.length < MAX_CANDIDATES) candidates.push(candidate);
      }
    }
  }

  /** The key that a record with this address is kept under; null when too many masks are known already. */
  #keepAddress(spec: AddressSpec): string | null {
    if (spec.kind === 'mask') {
      const mask = { family: spec.address.family, bytes: spec.mask };
      const maskKey = fromBytes(mask.bytes);
      if (!this.#masks.has(maskKey)) {
        if (this.#masks.size >= MAX_MASKS) return null;
        this.#masks.set(maskKey, mask);
      }
    }
    return addressKey(spec);
  }

  /** Keys of every kept address that holds the whole of this one. */
  #widerAddressKeys(spec: AddressSpec): string[] {
    if (spec.kind === 'all') return ['all'];
    if (spec.kind !== 'mask') return ['all', addressKey(spec)];
    const keys = ['all'];
    for (const wider of this.#masks.values()) {
      const holds =
        wider.family === spec.address.family &&
        wider.bytes.every((byte, i) => (byte & ~(spec.mask[i] ?? 0)) === 0);
      if (holds) keys.push(addressKey({ ...spec, mask: wider.bytes }));
    }
    return keys;
  }
}

function addressKey(spec: AddressSpec): string {
  switch (spec.kind) {
    case 'all':
    case 'samehost':
    case 'samenet':
      return spec.kind;
    case 'name':
      return `name ${spec.name}`;
    case 'mask':
      return `mask ${fromBytes(spec.mask)} ${fromBytes(spec.address.bytes.map((byte, i) => byte & (spec.mask[i] ?? 0)))}`;
    default:
      return never(spec);
  }
}

/** Two tokens with the same key match the same names. */
function specKey(spec: DatabaseSpec | UserSpec): string {
  switch (spec.kind) {
    case 'name':
      return `=${spec.name}`;
    case 'member':
      return `+${spec.role}`;
    case 'pattern':
      return `/${spec.pattern.source}`;
    case 'all':
    case 'sameuser':
    case 'samerole':
    case 'replication':
      return spec.kind;
    default:
      return never(spec);
  }
}

/** Keys without repetition; `all` stands for everything else that it covers. */
function distinctKeys(specs: readonly (DatabaseSpec | UserSpec)[]): string[] {
  const keys = new Set(specs.map(specKey));
  return keys.has('all') ? [...keys].filter((key) => key === 'all' || key === 'replication') : [...keys];
}

function coversType(wide: HbaRecord['type'], narrow: HbaRecord['type']): boolean {
  // GSSAPI encryption is never in use here, so hostnogssenc is host.
  return wide === 'host' || wide === 'hostnogssenc' || wide === narrow;
}

/** By their keys. `all` covers every token but `replication`, which alone matches physical replication. */
function covers(wide: ReadonlySet<string>, narrow: readonly string[]): boolean {
  return narrow.every((key) => wide.has(key) || (wide.has('all') && key !== 'replication'));
}
