// The list of settings (contract §2). The type Settings, the loader, config/gatehouse.yaml and docs/configuration.md are
// all made from it, so none can differ from another. A new setting is one entry here.

import {
  adminListen,
  boolean,
  duration,
  fineDuration,
  identifier,
  integer,
  listenAddresses,
  networks,
  oneOf,
  path,
  string,
  upstreamHost,
  users,
  workerCount,
  type Setting,
} from './kinds.ts';
import { logConnections } from './log-connections.ts';
import { rules } from './schema-rules.ts';
import type { SettingPlace } from '../base/problems.ts';
import { tls } from './schema-tls.ts';

const INT_MAX = 2_147_483_647;
/** PostgreSQL's MAX_BACKENDS. */
const MAX_BACKENDS = 262_143;
const DAY_MS = 86_400_000;
/** 24 days in seconds: Node's timers end at 2^31 milliseconds. */
const MAX_BAN_S = 24 * 86_400;

const connections = {
  listen_addresses: listenAddresses({
    default: 'localhost',
    restart: true,
    doc: "The addresses to listen on: host names or addresses, as a YAML list or one text with commas. `'*'` is every address, `0.0.0.0` every IPv4 one, `'::'` every IPv6 one.",
  }),
  port: integer({
    default: '6432',
    min: 0,
    max: 65535,
    restart: true,
    doc: 'The TCP port to listen on. 0 lets the system choose one; the ready line of the log says which.',
  }),
  workers: workerCount({
    default: '1',
    min: 1,
    max: 1024,
    restart: true,
    doc: 'The number of processes that serve connections, or `auto` for one per processor core.',
  }),
  max_connections: integer({
    default: '0',
    min: 0,
    max: MAX_BACKENDS,
    doc: 'The most sessions at one time; a client beyond them gets 53300 `sorry, too many clients already`. 0 is no limit.',
  }),
  max_connections_per_address: integer({
    default: '0',
    min: 0,
    max: MAX_BACKENDS,
    doc: 'The most sessions at one time from one client address. 0 is no limit.',
  }),
  max_handshakes: integer({
    default: '1000',
    min: 0,
    max: MAX_BACKENDS,
    doc: 'The most connections at one time that have yet to prove themselves: until AuthenticationOk where a password is asked for, else until a rule admits them. When one more arrives, one of them is dropped: first one that keeps the gate waiting, then one whose address has more than its share. So silent strangers keep nobody out. The default fits 1,000 clients that come back at once. 0 is no limit.',
  }),
  proxy_networks: networks({
    default: "''",
    doc: "The load balancers that speak the PROXY protocol (version 1 or 2): addresses and CIDR masks, as a YAML list or one text with commas. Every connection from there must begin with its header, cancel requests and health checks too, and the address and port in it are the client's from then on: for the rules, the limits and the log. From every other address a header is refused. List only the balancers: anyone who connects from there can claim any address. Empty is none.",
  }),
  max_authentication_failures_per_address: integer({
    default: '0',
    min: 0,
    max: 10_000,
    doc: 'A client address that fails to authenticate this often within `authentication_failures_window` is refused for `authentication_ban_time` with 28000 `too many authentication failures`; no rule is asked then. What counts: a certificate that does not verify, one that is missing or names another user where a line demands it, a line that rejects or none that matches, a wrong password. A success forgets the failures. IPv6 counts by /64, clients of `proxy_networks` by their declared address; loopback and the balancers themselves are never refused. 0 is off.',
  }),
  authentication_failures_window: duration({
    default: '10min',
    unit: 's',
    min: 1,
    max: MAX_BAN_S,
    doc: 'How long a failed authentication counts.',
  }),
  authentication_ban_time: duration({
    default: '1min',
    unit: 's',
    min: 1,
    max: MAX_BAN_S,
    doc: 'How long an address is refused after `max_authentication_failures_per_address` failures. `DELETE /bans/ADDRESS` lets it in earlier.',
  }),
  authentication_timeout: duration({
    default: '60s',
    unit: 's',
    min: 1,
    max: 600,
    doc: "How long a client may take from being accepted to the upstream's AuthenticationOk, the typing of a password included.",
  }),
  idle_session_timeout: duration({
    default: '0',
    unit: 'ms',
    min: 0,
    max: INT_MAX,
    doc: "A session in which no byte has passed either way for this long is ended with 57P05. One that waits for its query's answer is not idle. A reload counts for the sessions that begin after it. 0 is never.",
  }),
  shutdown_timeout: fineDuration({
    default: '30s',
    min: 0,
    max: DAY_MS,
    doc: 'How long sessions may go on after SIGTERM before they are ended with 57P01.',
  }),
  tcp_keepalives_idle: duration({
    default: '60s',
    unit: 's',
    min: 0,
    max: 32_767,
    doc: "How long a TCP connection, a client's or the upstream's, may be silent before the system asks whether its other end is still there. 0 is the system's own value, two hours on most; keep-alive itself is always on. The range is the one that Linux takes. A reload changes open connections too, as in PostgreSQL. The three settings need a Node whose setKeepAlive takes all three, as 26.10 does; under an older one (24) every connection has the system's values, and a warning says so.",
  }),
  tcp_keepalives_interval: duration({
    default: '0',
    unit: 's',
    min: 0,
    max: 32_767,
    doc: "How long the system waits for an answer before it asks again. 0 is the system's own value, 75 seconds on most.",
  }),
  tcp_keepalives_count: integer({
    default: '0',
    min: 0,
    max: 127,
    doc: "The connection counts as lost after this many questions without an answer. 0 is the system's own value, 9 on most.",
  }),
};

const upstream = {
  'upstream.host': upstreamHost({
    default: '127.0.0.1',
    doc: 'The PostgreSQL server behind the gate: a host name, an address, or, where it begins with `/`, the directory of its Unix socket.',
  }),
  'upstream.port': integer({
    default: '5432',
    min: 1,
    max: 65535,
    doc: "The server's port, also the number in its Unix socket's name.",
  }),
  'upstream.connect_timeout': fineDuration({
    default: '10s',
    min: 1,
    max: 600_000,
    doc: 'How long connecting to the upstream and its first answer may take.',
  }),
  'upstream.application_name_add_host': boolean({
    default: 'off',
    doc: "Whether the client's address and port are added to its `application_name`, as PgBouncer does it: `psql - 10.0.0.7:51234`. The name is cut so that the whole has at most 63 bytes. A client may change the name later. Physical replication keeps its name, because `synchronous_standby_names` goes by it.",
  }),
  'upstream.identity_prefix': identifier({
    default: "''",
    doc: 'With `gatehouse` every session begins with the settings `gatehouse.client_addr`, `gatehouse.client_port`, `gatehouse.dn`, `gatehouse.identity` and `gatehouse.rule`. What the client itself sends under this prefix is dropped. [Who is it?](operations.md#who-is-it) has the function that reads them so that no client can forge them. Servers from 9.2 on take them. Empty is off.',
  }),
  'upstream.allow_remote': boolean({
    default: 'off',
    doc: 'The link to the upstream is not encrypted. A host that is neither a loopback address, nor `localhost`, nor a Unix socket is refused unless this is on.',
  }),
};

const reload = {
  'reload.watch': boolean({
    default: 'on',
    doc: "Whether changed content of any file in use, this one included, causes a reload. The swapped symlinks of Kubernetes' volumes are noticed.",
  }),
  'reload.interval': fineDuration({
    default: '5s',
    min: 10,
    max: DAY_MS,
    doc: 'How often the gate looks at the files: at their status, and at the content where that has changed, or once a minute. On a network file system, which may keep a status for a minute, a change may take as long.',
  }),
  'reload.sessions': oneOf(['keep', 'terminate'], {
    default: 'keep',
    doc: 'What happens to live sessions that the new rules, root certificates or revocation lists would refuse.',
  }),
};

const admin = {
  'admin.listen': adminListen({
    default: '127.0.0.1:9432',
    restart: true,
    doc: 'Where metrics, health and the session list are served over HTTP. On a loopback address or a Unix socket it asks nobody who they are; any other address needs the three settings below. Empty is off.',
  }),
  'admin.status_listen': adminListen({
    default: "''",
    restart: true,
    doc: 'A second listener for probes and Prometheus: `/metrics`, `/healthz` and `/readyz` over plain HTTP, and nothing else, on any address. It asks nobody who they are, and has no name of a client or user and no secret on it; paths of rule files and issuers of revocation lists are labels of `/metrics`. Empty is off.',
  }),
  'admin.ssl_cert_file': path({
    default: "''",
    restart: true,
    doc: 'The certificate with which the admin listener speaks TLS. It then asks every client, Prometheus too, for a certificate of `admin.ssl_ca_file`, judged as the certificates of database clients are: by the same `ssl_` settings and, where they are set, `ssl_crl_file` and `ssl_crl_dir`. Anyone who has one may end sessions. The three settings go together; their files are read again at a reload.',
  }),
  'admin.ssl_key_file': path({
    default: "''",
    restart: true,
    doc: 'Its private key, held to the same permissions as `ssl_key_file`.',
  }),
  'admin.ssl_ca_file': path({
    default: "''",
    restart: true,
    doc: "The root certificates that the certificates of the admin listener's clients must lead to. Not the CA of your database clients, unless each of them may end the others' sessions.",
  }),
};

const sqlConsole = {
  admin_users: users({
    default: "''",
    doc: 'The users who may use the SQL console and its commands, as a YAML list or one text with commas. A name is a user as the client gives it. With this and `stats_users` empty there is no console.',
  }),
  stats_users: users({
    default: "''",
    doc: 'The users who may look at everything on the console and change nothing.',
  }),
  console_database: string({
    default: 'gatehouse',
    doc: 'The database name whose connections the console answers. The rules decide on them first, with this name in their database field.',
  }),
};

const logging = {
  log_level: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
    default: 'info',
    doc: 'The least important lines to write.',
  }),
  log_format: oneOf(['auto', 'json', 'text'], {
    default: 'auto',
    doc: 'How lines of the log are written. `json` is one JSON object a line. `text` is for a person: columns, with DETAIL and HINT below, coloured at a terminal unless NO_COLOR is set. `auto` is text at a terminal and JSON elsewhere; under journald it also has the syslog priority (`<4>`) before each line, which journald takes off again.',
  }),
  log_connections: logConnections({
    default: 'on',
    doc: "Which steps of a connection are logged: a boolean, or PostgreSQL 18's list, as a YAML list or one text with commas. `receipt` is its arrival, `authentication` who it has proved to be, `authorization` that the upstream has let it in, `setup_durations` how long all that took, `all` the four; `on` is the first three. Empty is none.",
  }),
  log_disconnections: boolean({
    default: 'on',
    doc: "Whether to log each session's end, with its duration.",
  }),
};

/**
 * Every setting by its full name (`upstream.host` is `host` beneath `upstream:`). Durations are in milliseconds, paths
 * are absolute, and '' means that a path is not set.
 */
export const schema = {
  ...connections,
  ...tls,
  ...rules,
  ...upstream,
  ...reload,
  ...admin,
  ...sqlConsole,
  ...logging,
};

export type SettingName = keyof typeof schema;

type ValueOf<Name extends SettingName> = (typeof schema)[Name] extends Setting<infer T> ? T : never;
type GroupName = {
  [Name in SettingName]: Name extends `${infer Group}.${string}` ? Group : never;
}[SettingName];

type Alone = {
  readonly [Name in SettingName as Name extends `${string}.${string}` ? never : Name]: ValueOf<Name>;
};
type Grouped = {
  readonly [Group in GroupName]: {
    readonly [Name in SettingName as Name extends `${Group}.${infer Leaf}` ? Leaf : never]: ValueOf<Name>;
  };
};

/** Where the settings were read. */
export interface Origin {
  /** Absolute path of the YAML file. */
  readonly file: string;
  /** Where the value of a name was read (`ssl_cert_file`, `upstream.host`, or an older name). */
  readonly placeOf: (name: string) => SettingPlace;
}

/** The value of every setting under the name that the YAML file has for it: `settings.upstream.host`. */
export interface Settings extends Alone, Grouped, Origin {}

/**
 * The settings in their order and sections, as the documentation shows them.
 *
 * @internal for tools and tests
 */
export const sections: readonly {
  readonly title: string;
  readonly settings: Readonly<Record<string, Setting<unknown>>>;
}[] = [
  { title: 'Connections', settings: connections },
  { title: 'TLS', settings: tls },
  { title: 'Rules', settings: rules },
  { title: 'Upstream', settings: upstream },
  { title: 'Reload', settings: reload },
  { title: 'Admin', settings: admin },
  { title: 'Console', settings: sqlConsole },
  { title: 'Logging', settings: logging },
];

/** The mappings that group settings: `upstream` for `upstream.host`. */
export const groups: ReadonlySet<string> = new Set(
  Object.keys(schema).flatMap((name) => (name.includes('.') ? [name.slice(0, name.indexOf('.'))] : [])),
);

/** Older names that PostgreSQL had, and the setting each is. */
export const olderNames: ReadonlyMap<string, SettingName> = new Map([['ssl_ecdh_curve', 'ssl_groups']]);

/**
 * SECURITY: a command may hold a passphrase in its own text. It is shown to nobody, as PostgreSQL shows it to superusers
 * only.
 */
export const secretSettings: ReadonlySet<SettingName> = new Set(['ssl_passphrase_command']);

/** Whether a name is a setting's. */
export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(schema, name);
}
