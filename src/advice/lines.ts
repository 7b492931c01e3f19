// What a line of pg_hba.conf does that its author may not know: it admits nobody, or everybody, or anyone as any user.

import { toText } from '../base/bytestring.ts';
import type { Problem } from '../base/problems.ts';
import { nearest } from '../base/nearest.ts';
import { isInRange } from '../rules/address.ts';
import { problemAt } from '../rules/bad-line.ts';
import { Shadows } from '../rules/shadows.ts';
import type { AddressSpec, HbaRecord, RuleBook } from '../rules/types.ts';
import { linesOfMap } from '../rules/usermap.ts';
import { summedUp } from '../rules/warnings.ts';
import { addressWarnings, adviseOnColumns, isTooLong } from './columns.ts';

/** What the lines are judged beside. */
export interface Surroundings extends RuleBook {
  /** TLS is on. */
  readonly ssl: boolean;
  /** ssl_ca_file, or the CA of a line of pg_hosts.conf, is set. */
  readonly hasRootCertificates: boolean;
  /** The lines of pg_hosts.conf stand for ssl_ca_file. */
  readonly hasHosts: boolean;
}

export interface LineAdvice {
  readonly warnings: readonly Problem[];
  /** Lines that can admit anybody, of how many. */
  readonly admitting: number;
  readonly lines: number;
  /** One of them takes clients that speak TLS and show no certificate. */
  readonly takesTlsWithoutCertificate: boolean;
}

/** Advice on every line of a pg_hba.conf that loads. */
export function adviseOnLines(book: Surroundings): LineAdvice {
  const { records, file } = book.hba;
  const shadows = new Shadows();
  const warnings: Problem[] = [];
  let admitting = 0;
  let takesTlsWithoutCertificate = false;
  for (const record of records) {
    const isDoor = isReached(record, book) && shadows.add(record) === null && admits(record);
    const columns = isDoor ? adviseOnColumns(record) : null;
    const obstacles = isDoor ? obstaclesOf(record, book) : [];
    const opens = columns !== null && columns.admits && obstacles.length === 0;
    if (opens) admitting += 1;
    if (opens && record.clientCert === 'off' && record.type !== 'hostnossl')
      takesTlsWithoutCertificate = true;
    warnings.push(...(columns?.warnings ?? []), ...obstacles, ...addressWarnings(record));
    if (opens) warnings.push(...doorWarnings(record));
  }
  if (admitting === 0) warnings.unshift(nobody(file, book));
  return { warnings: summedUp(warnings), admitting, lines: records.length, takesTlsWithoutCertificate };
}

/** Whether any connection can come to this line. */
function isReached(record: HbaRecord, { ssl }: Surroundings): boolean {
  if (record.type === 'local' || record.type === 'hostgssenc') return false;
  return record.type !== 'hostssl' || ssl;
}

/** Whether the method lets anybody in. */
function admits({ method }: HbaRecord): boolean {
  return !['reject', 'peer', 'gss', 'sspi', 'oauth', 'ident'].includes(method);
}

/** Why a line with such a method admits nobody all the same. */
function obstaclesOf(record: HbaRecord, book: Surroundings): Problem[] {
  return [
    ...(record.clientCert === 'off' || book.hasRootCertificates ? [] : [noRoots(record, book.hasHosts)]),
    ...mapWarnings(record, book),
    ...(matchesNobody(record)
      ? [problemAt(record, 'no connection has a name that this record matches')]
      : []),
  ];
}

function noRoots(record: HbaRecord, hasHosts: boolean): Problem {
  const what = record.method === 'cert' ? 'cert record' : `${record.method} record with clientcert`;
  if (hasHosts) {
    return problemAt(
      record,
      `${what} admits nobody because no line of "hosts_file" has an SSL_CA`,
      'Write the certificate of the authority that issues the client certificates into the fourth field of a line.',
    );
  }
  return problemAt(
    record,
    `${what} admits nobody because "ssl_ca_file" is not set`,
    'Set "ssl_ca_file" to the certificate of the authority that issues the client certificates.',
  );
}

function mapWarnings(record: HbaRecord, { ident }: Surroundings): Problem[] {
  const { map } = record;
  if (map === null || record.clientCert !== 'verify-full' || linesOfMap(map, ident).length > 0) return [];
  const near = nearest(toText(map), [...new Set(ident.records.map((line) => toText(line.map)))]);
  return [
    problemAt(
      record,
      `${record.method} record admits nobody because "${ident.file}" has no line of the map "${toText(map)}"`,
      near === null ? undefined : `Perhaps you meant "${near}".`,
    ),
  ];
}

/** The loader has said why of each name; here it counts only that nothing is left. */
function matchesNobody({ databases, users }: HbaRecord): boolean {
  return users.every(isTooLong) || databases.every(isTooLong);
}

/** What a line opens that does admit clients. */
function doorWarnings(record: HbaRecord): Problem[] {
  const { method, clientCert, type } = record;
  const warnings: Problem[] = [];
  if (method === 'trust' && clientCert === 'off' && isForEverybody(record)) {
    warnings.push(
      problemAt(
        record,
        'trust record admits everybody as any user, with neither certificate nor password',
        'Write cert or scram-sha-256, or name the addresses and users that it is for.',
      ),
    );
  }
  if (method === 'trust' && clientCert === 'verify-ca' && record.users.some(({ kind }) => kind === 'all')) {
    warnings.push(
      problemAt(
        record,
        'trust record with clientcert=verify-ca admits the holder of any certificate as any user',
        'Write cert, or clientcert=verify-full, to have the name in the certificate checked.',
      ),
    );
  }
  if (type !== 'hostssl' && !isLoopback(record.address)) {
    warnings.push(
      problemAt(
        record,
        `${type} record admits clients without TLS`,
        type === 'host'
          ? 'Write hostssl to demand TLS.'
          : 'Their sessions can be read and changed on the way.',
      ),
    );
  }
  return warnings;
}

function isForEverybody({ address, databases, users }: HbaRecord): boolean {
  const everywhere =
    address?.kind === 'all' || (address?.kind === 'mask' && address.mask.every((byte) => byte === 0));
  return (
    everywhere && databases.some(({ kind }) => kind === 'all') && users.some(({ kind }) => kind === 'all')
  );
}

function isLoopback(address: AddressSpec | null): boolean {
  if (address?.kind === 'samehost') return true;
  if (address?.kind !== 'mask') return false;
  const { family, bytes } = address.address;
  const whole =
    family === 4
      ? Uint8Array.of(127, 0, 0, 0)
      : Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? 1 : 0));
  const wanted = family === 4 ? Uint8Array.of(255, 0, 0, 0) : new Uint8Array(16).fill(255);
  const isInside = isInRange({ family, bytes }, { family, bytes: whole }, wanted);
  return isInside && wanted.every((byte, index) => (byte & (address.mask[index] ?? 0)) === byte);
}

function nobody(file: string, { hba: { records }, ssl }: Surroundings): Problem {
  return { file, line: null, message: `no line of "${file}" can admit anybody`, ...hintFor(records, ssl) };
}

function hintFor(records: readonly HbaRecord[], ssl: boolean): { readonly hint?: string } {
  if (records.every(({ type }) => type === 'local')) {
    return { hint: 'All lines are local, and clients reach the gate over TCP: write hostssl lines.' };
  }
  if (!ssl && records.every(({ type }) => type === 'hostssl' || type === 'local')) {
    return { hint: 'All host lines are hostssl, and TLS is off: set "ssl" to "on".' };
  }
  return {};
}
