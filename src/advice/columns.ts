// What a column of pg_hba.conf says in form and not in fact: a keyword in capitals, an address where a user belongs, an
// address that is read as another one. PostgreSQL takes each of these lines.

import { MAX_NAME_BYTES, toText, type ByteString } from '../base/bytestring.ts';
import type { Problem } from '../base/problems.ts';
import { nearest } from '../base/nearest.ts';
import { formatAddress, formatAddressSpec, parseNumericAddress } from '../rules/address.ts';
import { problemAt } from '../rules/bad-line.ts';
import { fieldsOf } from '../rules/scan.ts';
import type { AddressSpec, DatabaseSpec, HbaRecord, Token, UserSpec } from '../rules/types.ts';

type Column = 'database' | 'user';

const ADDRESS_KEYWORDS = ['all', 'samehost', 'samenet'];
const KEYWORDS: Readonly<Record<Column, readonly string[]>> = {
  database: ['all', 'sameuser', 'samerole', 'replication'],
  user: ['all'],
};

/** What the columns of one line say in form and not in fact. */
export interface ColumnAdvice {
  /** What they name does not admit the clients that its author meant. */
  readonly warnings: readonly Problem[];
  /** Each column has something that admits clients: of a list one good name is enough. */
  readonly admits: boolean;
}

export function adviseOnColumns(record: HbaRecord): ColumnAdvice {
  const fields = fieldsOf(record.raw);
  const databases = adviseOnNames(record, record.databases, 'database', fields[1]);
  const users = adviseOnNames(record, record.users, 'user', fields[2]);
  const address = record.address === null ? [] : addressNameWarnings(record, record.address);
  return {
    warnings: [...databases.warnings, ...users.warnings, ...address],
    admits: databases.admits && users.admits && address.length === 0,
  };
}

/** @param written the column as it stands in the line, where names of an `@file` are not */
function adviseOnNames(
  record: HbaRecord,
  specs: readonly (DatabaseSpec | UserSpec)[],
  column: Column,
  written: readonly Token[] = [],
): ColumnAdvice {
  const quoted = new Set(written.flatMap((token) => (token.quoted ? [token.text] : [])));
  const warnings: Problem[] = [];
  let admits = false;
  for (const spec of specs) {
    const warning = spec.kind === 'name' ? nameWarning(record, spec.name, column, quoted) : null;
    if (warning !== null) warnings.push(warning);
    else if (!isTooLong(spec)) admits = true;
  }
  return { warnings, admits };
}

/** Whether no connection can have this name. */
export function isTooLong(spec: DatabaseSpec | UserSpec): boolean {
  return spec.kind === 'name' && spec.name.length > MAX_NAME_BYTES;
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

function nameWarning(
  record: HbaRecord,
  bytes: ByteString,
  column: Column,
  quoted: ReadonlySet<ByteString>,
): Problem | null {
  const name = toText(bytes);
  if (looksLikeAddress(name)) {
    return problemAt(
      record,
      `"${name}" in the ${column} column looks like an address`,
      'The columns are: TYPE DATABASE USER ADDRESS METHOD.',
    );
  }
  const keyword =
    name === '*' ? 'all' : KEYWORDS[column].find((each) => each === name.toLowerCase() && each !== name);
  // A keyword in quotes is a name on purpose, as PostgreSQL's manual says of "replication".
  if (keyword === undefined || quoted.has(bytes)) return null;
  return problemAt(
    record,
    `"${name}" in the ${column} column means a ${column} of that name`,
    `Perhaps you meant ${keyword}.`,
  );
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
