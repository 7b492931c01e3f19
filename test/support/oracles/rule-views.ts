// Our records in the columns of PostgreSQL's views of its rule files, for comparison with what a server reads.

import { toText } from '../../../src/base/bytestring.ts';
import { formatAddress } from '../../../src/rules/address.ts';
import type { DatabaseSpec, HbaRecord, IdentRecord, UserSpec } from '../../../src/rules/types.ts';
import type { Row } from '../servers/postgres.ts';

function specText(spec: DatabaseSpec | UserSpec): string {
  if (spec.kind === 'name') return toText(spec.name);
  if (spec.kind === 'member') return `+${toText(spec.role)}`;
  return spec.kind === 'pattern' ? `/${toText(spec.pattern.source)}` : spec.kind;
}

/** The view, but that an empty map is none, as it is when PostgreSQL uses it. */
export const HBA_VIEW = `
  select file_name, line_number, type, database, user_name, address, netmask, auth_method,
         nullif(array_remove(options, 'map='), '{}') as options, error
    from pg_hba_file_rules`;

/** The record in the columns of HBA_VIEW. */
export function hbaColumns(record: HbaRecord): Row {
  const { address, clientCert, map } = record;
  const options = [
    ...(map === null ? [] : [`map=${map}`]),
    ...(clientCert === 'off' ? [] : [`clientcert=${clientCert}`]),
  ];
  return {
    type: record.type,
    database: record.databases.map(specText),
    user_name: record.users.map(specText),
    address: addressText(address),
    netmask:
      address?.kind === 'mask'
        ? formatAddress({ family: address.address.family, bytes: address.mask })
        : null,
    auth_method: record.method,
    options: options.length === 0 ? null : options,
    error: null,
  };
}

function addressText(address: HbaRecord['address']): string | null {
  if (address === null) return null;
  if (address.kind === 'mask') return formatAddress(address.address);
  return address.kind === 'name' ? address.name : address.kind;
}

/** The record in the columns of pg_ident_file_mappings. */
export function identColumns({ map, systemUser, databaseUser }: IdentRecord): Row {
  return { map_name: map, sys_name: specText(systemUser), pg_username: specText(databaseUser), error: null };
}
