// The console's tables: their columns with PostgreSQL's types, and how each is filled for one statement.

import type { ConsoleSession, ConsoleView, RowTable } from './console-view.ts';
import type { TableData } from './engine-messages.ts';
import { timestampText, type PgType, type SqlValue } from './pg-types.ts';

/** pg_stat_ssl's texts are cut to this (NAMEDATALEN-1). */
const MAX_STAT_TEXT_BYTES = 63;

type Columns<Row> = readonly (readonly [name: string, type: PgType, read: (row: Row) => SqlValue])[];

const statSsl: Columns<ConsoleSession> = [
  ['pid', 'int4', ({ pid }) => pid],
  ['ssl', 'bool', ({ version }) => Number(version !== null)],
  ['version', 'text', ({ version }) => version],
  ['cipher', 'text', ({ cipher }) => cipher],
  ['bits', 'int4', ({ bits }) => bits],
  ['client_dn', 'text', (row) => cut(row.client_dn)],
  ['client_serial', 'numeric', (row) => row.client_serial],
  ['issuer_dn', 'text', (row) => cut(row.issuer_dn)],
];

const statActivity: Columns<ConsoleSession> = [
  ['pid', 'int4', ({ pid }) => pid],
  ['datname', 'text', ({ database }) => database],
  ['usename', 'text', ({ user }) => user],
  ['application_name', 'text', (row) => row.application_name],
  ['client_addr', 'text', (row) => row.client_addr],
  ['client_port', 'int4', (row) => row.client_port],
  ['backend_start', 'timestamptz', (row) => timestamp(row.backend_start)],
  ['state', 'text', ({ state }) => state],
];

const sessions: Columns<ConsoleSession> = [
  ['id', 'text', ({ id }) => id],
  ['user', 'text', ({ user }) => user],
  ['database', 'text', ({ database }) => database],
  ['client_addr', 'text', (row) => row.client_addr],
  ['client_port', 'int4', (row) => row.client_port],
  ['proxy_addr', 'text', (row) => row.proxy_addr],
  ['proxy_port', 'int4', (row) => row.proxy_port],
  ['application_name', 'text', (row) => row.application_name],
  ['backend_start', 'timestamptz', (row) => timestamp(row.backend_start)],
  ['rule_file', 'text', (row) => row.rule_file],
  ['rule_line', 'int4', (row) => row.rule_line],
  ['bytes_in', 'int8', (row) => row.bytes_in],
  ['bytes_out', 'int8', (row) => row.bytes_out],
  ['state', 'text', ({ state }) => state],
  ['no_longer_admitted', 'bool', (row) => Number(row.no_longer_admitted)],
  ['judgement', 'text', ({ judgement }) => judgement],
  ['judgement_reason', 'text', (row) => row.judgement_reason],
  ['upstream_pid', 'int4', ({ pid }) => pid],
  ['version', 'text', ({ version }) => version],
  ['cipher', 'text', ({ cipher }) => cipher],
  ['bits', 'int4', ({ bits }) => bits],
  ['client_dn', 'text', (row) => row.client_dn_rfc2253],
  ['client_serial', 'numeric', (row) => row.client_serial],
  ['issuer_dn', 'text', (row) => row.issuer_dn_rfc2253],
  ['client_not_after', 'timestamptz', (row) => timestamp(row.client_not_after)],
];

const settingColumns = [
  ['name', 'text'],
  ['setting', 'text'],
  ['unit', 'text'],
  ['source', 'text'],
  ['restart', 'bool'],
] as const;

/** Columns of the tables whose rows come as they are; the view fills them in this order. */
const rowColumns: Readonly<Record<RowTable, readonly (readonly [name: string, type: PgType])[]>> = {
  rules: [
    ['file', 'text'],
    ['line', 'int4'],
    ['rule', 'text'],
    ['hits', 'int8'],
  ],
  certificates: [
    ['role', 'text'],
    ['host', 'text'],
    ['file', 'text'],
    ['subject', 'text'],
    ['issuer', 'text'],
    ['serial', 'numeric'],
    ['not_before', 'timestamptz'],
    ['not_after', 'timestamptz'],
    ['fingerprint', 'text'],
  ],
  crls: [
    ['file', 'text'],
    ['issuer', 'text'],
    ['last_update', 'timestamptz'],
    ['next_update', 'timestamptz'],
  ],
  metrics: [
    ['name', 'text'],
    ['labels', 'text'],
    ['value', 'float8'],
  ],
  bans: [
    ['address', 'text'],
    ['until', 'timestamptz'],
    ['failures', 'int4'],
    ['refused', 'int8'],
  ],
  refusals: [
    ['at', 'timestamptz'],
    ['code', 'text'],
    ['message', 'text'],
    ['client_addr', 'text'],
    ['client_port', 'int4'],
    ['user', 'text'],
    ['database', 'text'],
    ['rule', 'text'],
    ['detail', 'text'],
    ['hint', 'text'],
  ],
  workers: [
    ['pid', 'int4'],
    ['sessions', 'int4'],
    ['handshakes', 'int4'],
    ['state', 'text'],
  ],
};

/** Every table that a person may ask for, in the order of SHOW TABLES. */
export const tableNames = [
  'pg_stat_ssl',
  'pg_stat_activity',
  'sessions',
  'settings',
  'rules',
  'certificates',
  'crls',
  'metrics',
  'bans',
  'refusals',
  'workers',
] as const;

/** The type of each column by its name, which is the same in every table that has one of that name. */
export const columnTypes: ReadonlyMap<string, PgType> = new Map(
  [statSsl, statActivity, sessions, settingColumns, ...Object.values(rowColumns)].flatMap((columns) =>
    columns.map(([name, type]) => [name, type] as const),
  ),
);

export type TableName = (typeof tableNames)[number];

export function isTableName(name: string): name is TableName {
  return (tableNames as readonly string[]).includes(name);
}

/** One table with its rows as they are now. */
export async function loadTable(name: TableName, view: ConsoleView): Promise<TableData> {
  switch (name) {
    case 'pg_stat_ssl':
      return tableOf(name, statSsl, await view.sessions());
    case 'pg_stat_activity':
      return tableOf(name, statActivity, await view.sessions());
    case 'sessions':
      return tableOf(
        name,
        sessions,
        (await view.sessions()).filter((session) => !session.is_console),
      );
    case 'settings': {
      const rows = (await view.settings()).map(({ setting, unit, source, restart, name: key }) => [
        key,
        setting,
        unit,
        source,
        Number(restart),
      ]);
      return { name, columns: described(settingColumns), rows };
    }
    case 'rules':
    case 'certificates':
    case 'crls':
    case 'metrics':
    case 'bans':
    case 'refusals':
    case 'workers':
      return { name, columns: described(rowColumns[name]), rows: await view.rows(name) };
    default:
      return name satisfies never;
  }
}

function tableOf<Row>(name: string, columns: Columns<Row>, rows: readonly Row[]): TableData {
  return {
    name,
    columns: columns.map(([column, type]) => ({ name: column, type })),
    rows: rows.map((row) => columns.map(([, , read]) => read(row))),
  };
}

function described(columns: readonly (readonly [name: string, type: PgType])[]): TableData['columns'] {
  return columns.map(([name, type]) => ({ name, type }));
}

/** A moment as the engine keeps it. */
function timestamp(iso: string | null): string | null {
  return iso === null ? null : timestampText(new Date(iso));
}

/** Cut to 63 bytes, never in the middle of a character. */
function cut(text: string | null): string | null {
  if (text === null || Buffer.byteLength(text) <= MAX_STAT_TEXT_BYTES) return text;
  let end = text.length;
  while (Buffer.byteLength(text.slice(0, end)) > MAX_STAT_TEXT_BYTES) end--;
  return text.slice(0, end);
}
