// The lines that may decide about a user in a database, from wherever and however the client comes: for questions that no
// connection stands behind.

import type { ByteString } from '../base/bytestring.ts';
import { matchRecord, Applicant } from './match.ts';
import { demandOf } from './authenticate.ts';
import { never } from './never.ts';
import type { ConnectionType, Facts, HbaRecord, RuleBook } from './types.ts';

/**
 * The lines that can admit this user to this database from some address, in the order of the file. A line is left out
 * when earlier ones take all of its connections. A line stays in when nobody knows the memberships that it asks for.
 */
export function linesFor(
  book: RuleBook,
  { user, database }: { readonly user: ByteString; readonly database: ByteString },
): readonly HbaRecord[] {
  const applicant = new Applicant({ ...SOMEBODY, user, database }, book, Infinity);
  const found: HbaRecord[] = [];
  /** The kinds of connection that some line has not yet decided for every address. */
  const open = new Set<Kind>(['tls', 'clear']);
  for (const record of book.hba.records) {
    const kinds = kindsOf(record.type).filter((kind) => open.has(kind));
    if (kinds.length === 0) continue;
    const anywhere: HbaRecord = { ...record, type: 'host', address: { kind: 'all' } };
    const outcome = matchRecord(anywhere, applicant);
    if (outcome !== 'match' && outcome !== 'roles') continue;
    if (demandOf(record.method) !== null) found.push(record);
    if (outcome === 'match' && record.address?.kind === 'all') for (const kind of kinds) open.delete(kind);
  }
  return found;
}

type Kind = 'tls' | 'clear';

function kindsOf(type: ConnectionType): readonly Kind[] {
  switch (type) {
    case 'host':
    case 'hostnogssenc':
      return ['tls', 'clear'];
    case 'hostssl':
      return ['tls'];
    case 'hostnossl':
      return ['clear'];
    case 'local':
    case 'hostgssenc':
      return [];
    default:
      return never(type);
  }
}

const SOMEBODY: Omit<Facts, 'user' | 'database'> = {
  replication: 'none',
  tls: true,
  address: { family: 4, bytes: Uint8Array.of(127, 0, 0, 1) },
  addressText: '127.0.0.1',
  hostName: { state: 'unknown' },
  interfaces: () => [],
  certificate: null,
  hasRootCertificates: true,
};
