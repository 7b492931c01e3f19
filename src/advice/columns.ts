// What a column of pg_hba.conf says in form and not in fact: a keyword in capitals, an address where a user belongs, an
// address that is read as another one. PostgreSQL takes each of these lines.

import { toText } from '../base/bytestring.ts';
import type { Problem } from '../base/problems.ts';
import { nearest } from '../base/nearest.ts';
import { formatAddress, formatAddressSpec, parseNumericAddress } from '../rules/address.ts';
import { problemAt } from '../rules/bad-line.ts';
import { fieldsOf } from '../rules/scan.ts';
import type { AddressSpec, DatabaseSpec, HbaRecord, Token, UserSpec } from '../rules/types.ts';

const ADDRESS_KEYWORDS = ['all', 'samehost', 'samenet'];
const DATABASE_KEYWORDS = ['all', 'sameuser', 'samerole', 'replication'];

/** Warnings about the columns of one line. Such a line does not admit the clients that its author meant. */
export function columnWarnings(record: HbaRecord): Problem[] {
  return [
    ...record.databases.flatMap((spec) => nameWarnings(record, spec, 'database', DATABASE_KEYWORDS)),
    ...record.users.flatMap((spec) => nameWarnings(record, spec, 'user', ['all'])),
    ...(record.address === null ? [] : addressNameWarnings(record, record.address)),
  ];
}

/** Warnings of an address that is read otherwise than it looks. */
export function addressWarnings(record: HbaRecord): Problem[] {
  const { address } = record;
  if (address?.kind !== 'mask') return [];
  const warnings: Problem[] = [];
  const written = writtenAddress(record);
  const [host = ''] = written.split('/');
  const ip = formatAddress(address.address);
  if (address.address.family === 4 && host !== '' && host !== ip) {
    warnings.push(
      problemAt(
        record,
        `"${written}" is read as ${formatAddressSpec(address)}`,
        'Write all four parts of an IPv4 address, in decimal and without leading zeros.',
      ),
    );
  }
  if (address.mask.every((byte) => byte === 0) && address.address.bytes.some((byte) => byte !== 0)) {
    const [one, every] = address.address.family === 4 ? ['32', '0.0.0.0/0'] : ['128', '::/0'];
    warnings.push(
      problemAt(
        record,
        `"${formatAddressSpec(address)}" matches every IPv${address.address.family} address`,
        `Write ${ip}/${one} for that one address, or ${every} for all.`,
      ),
    );
  }
  return warnings;
}

function nameWarnings(
  record: HbaRecord,
  spec: DatabaseSpec | UserSpec,
  column: 'database' | 'user',
  keywords: readonly string[],
): Problem[] {
  if (spec.kind !== 'name') return [];
  const name = toText(spec.name);
  if (looksLikeAddress(name)) {
    return [
      problemAt(
        record,
        `"${name}" in the ${column} column looks like an address`,
        'The columns are: TYPE DATABASE USER ADDRESS METHOD.',
      ),
    ];
  }
  return keywordWarnings(record, name, column, keywords);
}

function keywordWarnings(
  record: HbaRecord,
  name: string,
  column: 'database' | 'user',
  keywords: readonly string[],
): Problem[] {
  // A keyword in quotes is a name on purpose, as PostgreSQL's manual says of "replication".
  const keyword =
    name === '*' ? 'all' : keywords.find((each) => each === name.toLowerCase() && each !== name);
  if (keyword === undefined) return [];
  return [
    problemAt(
      record,
      `"${name}" in the ${column} column means a ${column} of that name`,
      `Perhaps you meant ${keyword}.`,
    ),
  ];
}

function addressNameWarnings(record: HbaRecord, address: AddressSpec): Problem[] {
  if (address.kind !== 'name') return [];
  const name = toText(address.name);
  const meant = name === '*' || name === 'any' ? 'all' : nearestKeyword(name);
  const isAddress = /^[0-9.]+$|^\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\]?$/.test(name);
  if (meant === null && !isAddress) return [];
  const hint = meant === null ? 'It is not a valid address.' : `Perhaps you meant ${meant}.`;
  return [problemAt(record, `"${name}" in the address column is read as a host name`, hint)];
}

function nearestKeyword(name: string): string | null {
  const plain = name.toLowerCase().replaceAll(/[-_]/g, '');
  return (
    ADDRESS_KEYWORDS.find((each) => each === plain) ??
    (name.length > 4 ? nearest(name, ADDRESS_KEYWORDS.slice(1)) : null)
  );
}

function looksLikeAddress(name: string): boolean {
  if (name === 'samehost' || name === 'samenet') return true;
  const [host = '', length] = name.split('/');
  if (parseNumericAddress(host) === null) return false;
  return length !== undefined || host.includes('.') || host.includes(':');
}

/** The address field as it is written. */
function writtenAddress(record: HbaRecord): string {
  const token: Token | undefined = fieldsOf(record.raw)[3]?.[0];
  return token === undefined ? '' : toText(token.text);
}
