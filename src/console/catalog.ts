// The system catalogues that drivers and psql ask for when they connect or describe: there, and all but empty. A driver
// that finds no type of its own goes on with the ones that it knows.

import { isPgType, pgTypes, type PgType } from './pg-types.ts';
import type { TableData } from './engine-messages.ts';

/** OID of the schema pg_catalog, and of the role that owns it. */
const PG_CATALOG = 11;
const SUPERUSER = 10;

function empty(name: string, columns: string): TableData {
  return {
    name,
    columns: columns.split(' ').map((column) => ({ name: column, type: typeOf(column) })),
    rows: [],
  };
}

function typeOf(column: string): string {
  return /oid$|num$|typ.*(?:namespace|array|elem|relid|basetype|notnull)|relnamespace|len$/.test(column)
    ? 'int8'
    : 'text';
}

const typeColumns =
  'oid typname typnamespace typowner typlen typbyval typtype typcategory typispreferred typisdefined typdelim typrelid typsubscript typelem typarray typinput typoutput typreceive typsend typbasetype typtypmod typndims typcollation typnotnull';

function typeRow(name: PgType, { oid, size }: (typeof pgTypes)[PgType]): TableData['rows'][number] {
  const category = name === 'text' ? 'S' : 'N';
  const head = [oid, name, PG_CATALOG, SUPERUSER, size, 1, 'b', category, 0, 1, ',', 0];
  return [...head, '-', 0, 0, `${name}in`, `${name}out`, `${name}recv`, `${name}send`, 0, -1, 0, 0, 0];
}

const types: TableData = {
  name: 'pg_type',
  columns: typeColumns.split(' ').map((name) => ({ name, type: typeOf(name) })),
  rows: Object.entries(pgTypes).flatMap(([name, type]) => (isPgType(name) ? [typeRow(name, type)] : [])),
};

export const catalogTables: readonly TableData[] = [
  types,
  {
    name: 'pg_namespace',
    columns: [
      { name: 'oid', type: 'int8' },
      { name: 'nspname', type: 'text' },
      { name: 'nspowner', type: 'int8' },
    ],
    rows: [[PG_CATALOG, 'pg_catalog', SUPERUSER]],
  },
  empty(
    'pg_class',
    'oid relname relnamespace reltype relowner relam relkind relhasindex reltuples relpersistence',
  ),
  empty(
    'pg_attribute',
    'attrelid attname atttypid attnum attlen attnotnull atthasdef attisdropped attidentity',
  ),
  empty('pg_proc', 'oid proname pronamespace proargtypes prorettype'),
  empty('pg_range', 'rngtypid rngsubtype rngmultitypid rngcollation rngsubopc rngcanonical rngsubdiff'),
  empty('pg_enum', 'oid enumtypid enumsortorder enumlabel'),
  empty('pg_index', 'indexrelid indrelid indkey indisprimary indisunique'),
  empty('pg_description', 'objoid classoid objsubid description'),
  empty('pg_collation', 'oid collname'),
  empty('pg_extension', 'oid extname extversion'),
  empty('pg_roles', 'oid rolname rolsuper rolcanlogin'),
];
