// The lines that may decide about a user in a database, from wherever and however the client comes: for questions that no
// connection stands behind.

import type { ByteString } from '../base/bytestring.ts';
import { matchRecord, Subject } from './match.ts';
import { demandOf } from './authenticate.ts';
import type { Facts, HbaRecord, RuleBook } from './types.ts';

/**
 * Lines that admit, in the order of the file, up to the first one that leaves nothing to those after it. A line whose
 * membership cannot be told is among them.
 */
export function linesFor(
  book: RuleBook,
  { user, database }: { readonly user: ByteString; readonly database: ByteString },
): readonly HbaRecord[] {
  const subject = new Subject({ ...SOMEBODY, user, database }, book, Infinity);
  const found: HbaRecord[] = [];
  for (const record of book.hba.records) {
    if (record.type === 'local' || record.type === 'hostgssenc') continue;
    const anywhere: HbaRecord = { ...record, type: 'host', address: { kind: 'all' } };
    const outcome = matchRecord(anywhere, subject);
    if (outcome !== 'match' && outcome !== 'roles') continue;
    if (demandOf(record.method) !== null) found.push(record);
    if (outcome === 'match' && isForAll(record)) break;
  }
  return found;
}

function isForAll({ type, address }: HbaRecord): boolean {
  return address?.kind === 'all' && (type === 'host' || type === 'hostnogssenc');
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
