// SHOW with PgBouncer's words and columns, so that its tools and its users' habits work here.

import type { ConsoleSession, ConsoleSetting, ConsoleView } from './console-view.ts';
import type { PgType, SqlValue } from './pg-types.ts';
import { isTableName, loadTable, tableNames } from './tables.ts';

/** What a command answers with. */
export interface ResultSet {
  readonly columns: readonly { readonly name: string; readonly type: PgType }[];
  readonly rows: readonly (readonly SqlValue[])[];
}

/** What SHOW takes beside the names of settings. */
export const showTopics = [
  'help',
  'tables',
  'clients',
  'servers',
  'stats',
  'stats_totals',
  'pools',
  'stat_ssl',
  'config',
  'databases',
  'version',
  'state',
  'lists',
  'rules',
  'certificates',
  'refusals',
  'totals',
] as const;

export type ShowTopic = (typeof showTopics)[number];

export function isShowTopic(word: string): word is ShowTopic {
  return (showTopics as readonly string[]).includes(word);
}

/** What only a pooler has: PgBouncer's topics and commands that are refused by name. */
const POOLER_TOPICS: ReadonlySet<string> = new Set([
  'mem',
  'users',
  'peers',
  'peer_pools',
  'sockets',
  'active_sockets',
  'fds',
  'dns_hosts',
  'dns_zones',
  'stats_averages',
]);

export function isPoolerTopic(word: string): boolean {
  return POOLER_TOPICS.has(word);
}

/** The help text, which SHOW HELP sends as a notice as PgBouncer does. */
export const HELP = [
  'SHOW HELP|TABLES|CLIENTS|SERVERS|POOLS|STATS|STATS_TOTALS|STAT_SSL|CONFIG|DATABASES|VERSION|STATE|LISTS',
  'SHOW RULES|CERTIFICATES|REFUSALS|TOTALS',
  'SHOW name of a setting',
  'SELECT … FROM the tables that SHOW TABLES lists',
  'SELECT pg_reload_conf(), pg_terminate_backend(pid), current_setting(name)',
  'RELOAD',
  'KILL_CLIENT id',
  'SHUTDOWN WAIT_FOR_CLIENTS',
].join('\n\t');

/** What the console knows of itself and its user. */
export interface ShowContext {
  readonly view: ConsoleView;
  readonly database: string;
}

/** The rows of one topic. */
export async function show(topic: ShowTopic, { view, database }: ShowContext): Promise<ResultSet> {
  switch (topic) {
    case 'help':
      return { columns: [], rows: [] };
    case 'tables':
      return { columns: texts('table'), rows: tableNames.map((name) => [name]) };
    case 'clients':
      return await links(view, 'C');
    case 'servers':
      return await links(view, 'S');
    case 'stats':
    case 'stats_totals':
    case 'totals':
      return await totals(view, topic, database);
    case 'pools':
      return await pools(view, database);
    case 'config':
      return {
        columns: texts('key', 'value', 'default', 'changeable'),
        rows: (await view.settings()).map((each) => [
          each.name,
          shownText(each),
          each.initial,
          each.restart ? 'no' : 'yes',
        ]),
      };
    case 'databases':
      return await databases(view, database);
    case 'version':
      return { columns: texts('version'), rows: [[`pg-gatehouse ${view.version}`]] };
    case 'state':
      return { columns: texts('key', 'value'), rows: await stateRows(view) };
    case 'lists':
      return await lists(view);
    case 'stat_ssl':
      return await table('pg_stat_ssl', view);
    case 'rules':
    case 'certificates':
    case 'refusals':
      return await table(topic, view);
    default:
      return topic satisfies never;
  }
}

const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
  ['ms', 1],
];

/** A setting as SHOW prints it: a duration in the largest unit that leaves nothing over, as PostgreSQL does. */
export function shownText({ setting, unit }: Pick<ConsoleSetting, 'setting' | 'unit'>): string {
  if (setting === null) return HIDDEN;
  const value = Number(setting);
  if (unit !== 'ms' || value === 0) return setting;
  const [name, ms] = UNITS.find(([, each]) => value % each === 0) ?? ['ms', 1];
  return `${value / ms}${name}`;
}

/** In place of a value that may hold a secret. */
const HIDDEN = '********';

async function table(name: string, view: ConsoleView): Promise<ResultSet> {
  if (!isTableName(name)) return { columns: [], rows: [] };
  const { columns, rows } = await loadTable(name, view);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- tables.ts declares PostgreSQL's types only
  return { columns: columns as ResultSet['columns'], rows };
}

function ints(...names: readonly string[]): ResultSet['columns'] {
  return names.map((name) => ({ name, type: 'int4' }));
}

function texts(...names: readonly string[]): ResultSet['columns'] {
  return names.map((name) => ({ name, type: 'text' }));
}

const LINK_COLUMNS: ResultSet['columns'] = [
  ...texts('type', 'user', 'database', 'replication', 'state', 'addr'),
  { name: 'port', type: 'int4' },
  ...texts('local_addr'),
  { name: 'local_port', type: 'int4' },
  ...texts('connect_time', 'request_time'),
  { name: 'wait', type: 'int4' },
  { name: 'wait_us', type: 'int4' },
  { name: 'close_needed', type: 'int4' },
  ...texts('ptr', 'link'),
  { name: 'remote_pid', type: 'int4' },
  ...texts('tls', 'application_name'),
  { name: 'prepared_statements', type: 'int4' },
  ...texts('id'),
];

/** A session seen from its client's side, or from the upstream's. */
async function links(view: ConsoleView, type: 'C' | 'S'): Promise<ResultSet> {
  const sessions = await view.sessions();
  const upstream = new Map((await view.settings()).map(({ name, setting }) => [name, setting ?? '']));
  const rows = sessions
    .filter((session) => type === 'C' || !session.is_console)
    .map((session) => linkRow(session, type, upstream));
  return { columns: LINK_COLUMNS, rows };
}

function linkRow(
  session: ConsoleSession,
  type: 'C' | 'S',
  settings: ReadonlyMap<string, string>,
): SqlValue[] {
  const isClient = type === 'C';
  const connected = `${session.backend_start.replace('T', ' ').replace(/\.\d+Z$|Z$/, '')} UTC`;
  const address = isClient ? session.client_addr : (settings.get('upstream.host') ?? '');
  const port = isClient ? session.client_port : Number(settings.get('upstream.port') ?? 0);
  const who = [
    type,
    session.user,
    session.database,
    session.replication ? 'yes' : 'none',
    linkState(session),
  ];
  const where = [address, port, '', 0, connected, connected, 0, 0, 0, session.id, session.id];
  const tls = isClient ? tlsText(session) : '';
  return [...who, ...where, session.pid ?? 0, tls, session.application_name, 0, session.id];
}

function linkState({ state }: ConsoleSession): string {
  return state.startsWith('idle') ? 'idle' : 'active';
}

function tlsText({ version, cipher }: ConsoleSession): string {
  return version === null ? '' : `${version}/${cipher ?? ''}`;
}

async function totals(
  view: ConsoleView,
  topic: 'stats' | 'stats_totals' | 'totals',
  database: string,
): Promise<ResultSet> {
  const metrics = await view.rows('metrics');
  const sum = (name: string, label = ''): number =>
    metrics.reduce(
      (total, [metric, labels, value]) =>
        metric === name && String(labels).includes(label) ? total + Number(value) : total,
      0,
    );
  const received = sum('gatehouse_relay_bytes_total', 'to_upstream');
  const sent = sum('gatehouse_relay_bytes_total', 'to_client');
  const logins = sum('gatehouse_connections_total', 'relayed');
  if (topic === 'totals') {
    return {
      columns: [...texts('name'), { name: 'value', type: 'numeric' }],
      rows: [
        ['client_login_count', logins],
        ['bytes_received', received],
        ['bytes_sent', sent],
        ['connections', sum('gatehouse_connections_total')],
      ],
    };
  }
  // The gate counts no statements, so PgBouncer's columns of them are not there.
  const columns =
    topic === 'stats'
      ? ['total_received', 'total_sent', 'total_client_login_count']
      : ['bytes_received', 'bytes_sent', 'client_login_count'];
  return {
    columns: [...texts('database'), ...columns.map((name) => ({ name, type: 'numeric' as const }))],
    rows: [[database, received, sent, logins]],
  };
}

/** Counts of a pool that the gate has none of: a client has its server from its login to its end. */
const NO_POOL = ['sv_idle', 'sv_used', 'sv_tested', 'sv_login', 'maxwait', 'maxwait_us'] as const;

/** Sizes of a pool, likewise. */
const NO_POOL_SIZE = ['pool_size', 'min_pool_size', 'reserve_pool_size', 'server_lifetime'] as const;

/** What PgBouncer counts and a gate has none of: its peers, and host names that it has looked up for its pools. */
const NO_LISTS = ['peers', 'peer_pools', 'dns_names', 'dns_zones', 'dns_queries', 'dns_pending'] as const;

/** One row for each user of each database, as if each were a pool of its own. */
async function pools(view: ConsoleView, console: string): Promise<ResultSet> {
  const counts = new Map<string, { readonly names: readonly [string, string]; count: number }>();
  for (const { user, database: name } of await view.sessions()) {
    const key = JSON.stringify([name, user]);
    const pool = counts.get(key) ?? { names: [name, user] as const, count: 0 };
    pool.count += 1;
    counts.set(key, pool);
  }
  return {
    columns: [
      ...texts('database', 'user'),
      ...ints('cl_active', 'cl_waiting', 'cl_active_cancel_req', 'cl_waiting_cancel_req'),
      ...ints('sv_active', 'sv_active_cancel', 'sv_being_canceled', ...NO_POOL),
      ...texts('pool_mode', 'load_balance_hosts'),
    ],
    rows: [...counts.values()].map(({ names, count }) => {
      const isConsole = names[0] === console;
      const served = isConsole ? 0 : count;
      return [
        ...names,
        count,
        0,
        0,
        0,
        served,
        0,
        0,
        ...NO_POOL.map(() => 0),
        isConsole ? 'statement' : 'session',
        null,
      ];
    }),
  };
}

async function databases(view: ConsoleView, console: string): Promise<ResultSet> {
  const settings = new Map((await view.settings()).map(({ name, setting }) => [name, setting]));
  const counts = new Map<string, number>();
  for (const { database } of await view.sessions()) counts.set(database, (counts.get(database) ?? 0) + 1);
  const host = settings.get('upstream.host') ?? '';
  const port = Number(settings.get('upstream.port') ?? 0);
  const rows = [...counts].map(([name, count]) => {
    const isConsole = name === console;
    const where = isConsole ? [null, 0] : [host, port];
    const mode = isConsole ? 'statement' : 'session';
    return [name, ...where, name, null, ...NO_POOL_SIZE.map(() => 0), mode, null, 0, count, 0, count, 0, 0];
  });
  return {
    columns: [
      ...texts('name', 'host'),
      { name: 'port', type: 'int4' },
      ...texts('database', 'force_user'),
      ...ints(...NO_POOL_SIZE),
      ...texts('pool_mode', 'load_balance_hosts'),
      ...ints('max_connections', 'current_connections', 'max_client_connections'),
      ...ints('current_client_connections', 'paused', 'disabled'),
    ],
    rows,
  };
}

async function stateRows(view: ConsoleView): Promise<SqlValue[][]> {
  const isDraining = await view.draining();
  return [
    ['active', isDraining ? 'no' : 'yes'],
    ['paused', 'no'],
    ['suspended', 'no'],
    ['draining', isDraining ? 'yes' : 'no'],
  ];
}

async function lists(view: ConsoleView): Promise<ResultSet> {
  const workers = await view.rows('workers');
  const sessions = await view.sessions();
  const distinct = (read: (session: ConsoleSession) => string): number => new Set(sessions.map(read)).size;
  return {
    columns: [...texts('list'), { name: 'items', type: 'int4' }],
    rows: [
      ['databases', distinct(({ database }) => database)],
      ['users', distinct(({ user }) => user)],
      ['pools', distinct(({ database, user }) => JSON.stringify([database, user]))],
      ['free_clients', 0],
      ['used_clients', sessions.length],
      ['login_clients', workers.reduce((sum, [, , handshakes]) => sum + Number(handshakes), 0)],
      ['free_servers', 0],
      ['used_servers', sessions.filter((session) => !session.is_console).length],
      ...NO_LISTS.map((name) => [name, 0]),
      ['rules', await view.ruleCount()],
      ['workers', workers.length],
    ],
  };
}
