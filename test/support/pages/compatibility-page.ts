// docs/compatibility.md as data: its rows, its tables, and where it stands. No test runs here, so that the tool which
// writes the page can read this too.

import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One row of the page. */
export interface Row {
  /** The client with its major version, or '' where the row is about a server alone. */
  readonly client: string;
  /** The upstream with its major version. */
  readonly server: string;
  /** What was run; no vertical bar in it. */
  readonly ran: string;
  /** For what does not work through a gate: why. The test shows that it fails as told. */
  readonly because?: string;
}

/** A row as a run leaves it for the page. */
export interface RecordedRow extends Row {
  /** Test file, below test/. */
  readonly file: string;
}

/** Where the page stands. */
export const COMPATIBILITY_PAGE = fileURLToPath(new URL('../../../docs/compatibility.md', import.meta.url));

/** In this variable the tool names the file in which each passed row leaves a line. */
export const RECORD_TO = 'GATEHOUSE_COMPATIBILITY';

/** The `server` of a row that is about the gate's own console. */
export const CONSOLE = 'the SQL console';

/** The heading of each of the page's tables, and the columns of a row in it. */
export const TABLES = {
  clients: {
    heading: 'Clients',
    columns: ['client', 'server', 'what was run', 'test'],
    holds: (row: Row): boolean => row.client !== '' && row.server !== CONSOLE && row.because === undefined,
    cells: (row: Row): readonly string[] => [row.client, row.server, row.ran],
  },
  console: {
    heading: 'Clients of the SQL console',
    columns: ['client', 'what was run', 'test'],
    holds: (row: Row): boolean => row.server === CONSOLE && row.because === undefined,
    cells: (row: Row): readonly string[] => [row.client, row.ran],
  },
  servers: {
    heading: 'Servers',
    columns: ['server', 'what was run', 'test'],
    holds: (row: Row): boolean => row.client === '' && row.because === undefined,
    cells: (row: Row): readonly string[] => [row.server, row.ran],
  },
  limits: {
    heading: 'What does not work, and why',
    columns: ['client', 'server', 'what', 'why', 'test'],
    holds: (row: Row): boolean => row.because !== undefined,
    cells: (row: Row): readonly string[] => [row.client, row.server, row.ran, row.because ?? ''],
  },
} as const;

/** The row as a line of its table. */
export function tableLine(row: RecordedRow): string {
  const table = Object.values(TABLES).find(({ holds }) => holds(row)) ?? TABLES.clients;
  const name = basename(row.file)
    .replace(/\.test\.ts$/, '')
    .replaceAll('-', ' ');
  return `| ${[...table.cells(row), `[${name}](../test/${row.file})`].join(' | ')} |`;
}
