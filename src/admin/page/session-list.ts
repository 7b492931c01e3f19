// Which sessions the page shows, and in which order: what the query string asks for, applied to the rows.

import type { FullSessionRow } from '../../session/session-row.ts';
import { endPoint, urgencyOf } from './words.ts';

/** Rows of one page. More would help nobody, and would cost the gate its time at each refresh. */
export const ROWS_A_PAGE = 100;

/** What the query string asks for. Anything unknown is left out. */
export interface ListQuery {
  /** Sessions that have this text somewhere; empty = all. */
  readonly text: string;
  readonly group: GroupKey;
  readonly sort: SortKey;
  readonly descending: boolean;
  /** From 1. */
  readonly page: number;
  /** The session whose details are shown; empty = none. */
  readonly open: string;
}

const groups = {
  all: { title: 'All', holds: () => true },
  active: { title: 'Active', holds: ({ state }) => state === 'active' },
  transaction: { title: 'In transaction', holds: ({ state }) => state.startsWith('idle in transaction') },
  clear: { title: 'Without TLS', holds: ({ version }) => version === null },
  expiring: { title: 'Certificate ends soon', holds: endsSoon },
  refused: { title: 'No longer admitted', holds: (row) => row.no_longer_admitted },
  unjudged: { title: 'Not judged', holds: ({ judgement }) => judgement === 'not-judged' },
} as const satisfies Record<
  string,
  { readonly title: string; readonly holds: (row: FullSessionRow, now: Date) => boolean }
>;

export type GroupKey = keyof typeof groups;

/** What sessions can be sorted by: the values that are compared. */
const sorts = {
  id: ({ id }) => id,
  user: ({ user }) => user,
  database: ({ database }) => database,
  client: ({ client_addr: address }) => address,
  application: (row) => row.application_name,
  certificate: ({ certificate }) => certificate?.not_after ?? '',
  /** By its begin: the youngest has the latest. */
  age: (row) => row.backend_start,
  rule: ({ rule }) => `${rule.file}:${String(rule.line).padStart(9, '0')}`,
  in: (row) => row.bytes_in,
  out: (row) => row.bytes_out,
  state: ({ state, judgement }) => `${judgement} ${state}`,
} as const satisfies Record<string, (row: FullSessionRow) => string | number>;

export type SortKey = keyof typeof sorts;

const DEFAULT: ListQuery = { text: '', group: 'all', sort: 'age', descending: false, page: 1, open: '' };

/** Longest text that is looked for. */
const MAX_TEXT = 200;

export function readQuery(query: URLSearchParams): ListQuery {
  const group = query.get('show') ?? '';
  const sort = query.get('sort') ?? '';
  const page = Number(query.get('page') ?? 1);
  const known = isKey(sorts, sort);
  return {
    text: (query.get('q') ?? '').slice(0, MAX_TEXT),
    group: isKey(groups, group) ? group : DEFAULT.group,
    sort: known ? sort : DEFAULT.sort,
    descending: known ? query.get('order') === 'desc' : DEFAULT.descending,
    page: Number.isSafeInteger(page) && page > 0 ? page : 1,
    open: query.get('open') ?? '',
  };
}

/** The page's address for a query, with changes. A change of what is listed begins at the first page. */
export function addressOf(query: ListQuery, changes: Partial<ListQuery> = {}): string {
  const { text, group, sort, descending, page, open } = { ...query, page: 1, open: '', ...changes };
  const parameters = new URLSearchParams();
  if (text !== '') parameters.set('q', text);
  if (group !== DEFAULT.group) parameters.set('show', group);
  if (sort !== DEFAULT.sort || descending !== DEFAULT.descending) {
    parameters.set('sort', sort);
    parameters.set('order', descending ? 'desc' : 'asc');
  }
  if (page > 1) parameters.set('page', String(page));
  if (open !== '') parameters.set('open', open);
  return parameters.size === 0 ? '/' : `/?${parameters.toString()}`;
}

/** One group, with how many sessions belong to it among those that fit the text. */
export interface GroupCount {
  readonly key: GroupKey;
  readonly title: string;
  readonly count: number;
}

/** What is shown of the sessions. */
export interface ListedSessions {
  readonly rows: readonly FullSessionRow[];
  /** How many fit text and group, on all pages. */
  readonly found: number;
  readonly page: number;
  readonly pages: number;
  readonly groups: readonly GroupCount[];
}

export function listSessions(all: readonly FullSessionRow[], query: ListQuery, now: Date): ListedSessions {
  const text = query.text.trim().toLowerCase();
  const fitting = text === '' ? all : all.filter((row) => textOf(row).includes(text));
  const counts = Object.entries(groups).map(([key, { title, holds }]) => ({
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of `groups`
    key: key as GroupKey,
    title,
    count: fitting.reduce((count, row) => count + (holds(row, now) ? 1 : 0), 0),
  }));
  const found = fitting.filter((row) => groups[query.group].holds(row, now));
  const sorted = inOrder(found, query);
  const pages = Math.max(1, Math.ceil(found.length / ROWS_A_PAGE));
  const page = Math.min(query.page, pages);
  return {
    rows: sorted.slice((page - 1) * ROWS_A_PAGE, page * ROWS_A_PAGE),
    found: found.length,
    page,
    pages,
    groups: counts.filter(({ key, count }) => count > 0 || key === query.group || key === 'all'),
  };
}

function inOrder(rows: readonly FullSessionRow[], { sort, descending }: ListQuery): FullSessionRow[] {
  const value = sorts[sort];
  const sign = descending === (sort === 'age') ? 1 : -1;
  // Sessions that are alike keep their order from one refresh to the next.
  return rows.toSorted((a, b) => sign * (compare(value(a), value(b)) || compare(a.id, b.id)));
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Everything of a session that a person may look for. */
function textOf(row: FullSessionRow): string {
  return [
    row.id,
    row.user,
    row.database,
    endPoint(row.client_addr, row.client_port),
    row.application_name,
    row.client_dn ?? '',
    row.client_serial ?? '',
    row.version ?? '',
    row.state,
    row.judgement,
    `${row.rule.file}:${row.rule.line}`,
    String(row.upstream_pid ?? ''),
  ]
    .join('\n')
    .toLowerCase();
}

function endsSoon({ certificate }: FullSessionRow, now: Date): boolean {
  return certificate !== null && urgencyOf(lifeOf(certificate), now) !== 'far';
}

/** From when to when a client certificate holds. */
export function lifeOf({ not_before: from, not_after: to }: NonNullable<FullSessionRow['certificate']>): {
  readonly from: Date;
  readonly to: Date;
} {
  return { from: new Date(from), to: new Date(to) };
}

function isKey<Key extends string>(record: Readonly<Record<Key, unknown>>, key: string): key is Key {
  return Object.hasOwn(record, key);
}
