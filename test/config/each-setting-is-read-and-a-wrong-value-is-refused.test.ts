// Tables of YAML texts: what they are read to, or every problem with its place and hint.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, networkInterfaces, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import t from 'tap';
import { fromText } from '../../src/base/bytestring.ts';
import { loadSettings } from '../../src/config/load.ts';
import { formatAddressSpec } from '../../src/rules/address.ts';
import type { IpAddress } from '../../src/rules/types.ts';
import { groups, schema } from '../../src/config/schema.ts';
import { LoadError } from '../../src/base/problems.ts';
import { diskFiles } from '../support/run/disk-files.ts';

// Of this run alone: tap's own directory has the same name in every run of a file.
const directory = mkdtempSync(join(tmpdir(), 'gate-'));
t.teardown(() => rmSync(directory, { recursive: true, force: true }));
const file = `${directory}/gatehouse.yaml`;

function load(text: string | Uint8Array) {
  writeFileSync(file, text);
  return loadSettings(file, diskFiles);
}

/** `line:column message [hint]` of every problem; with its file where that is not the YAML file. */
function problems(text: string | Uint8Array): string[] {
  try {
    load(text);
    return [];
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return error.problems.map((problem) => {
      const place = problem.line === null ? '' : `${problem.line}:${problem.column} `;
      const where = problem.file === file ? place : `${problem.file}:${place}`;
      return `${where}${problem.message}${problem.hint === undefined ? '' : ` [${problem.hint}]`}`;
    });
  }
}

// --- values

const { placeOf, ...defaults } = load('');
t.same(defaults, {
  file,
  listen_addresses: ['localhost'],
  port: 6432,
  workers: 1,
  max_connections: 0,
  max_connections_per_address: 0,
  max_handshakes: 1000,
  proxy_networks: [],
  max_authentication_failures_per_address: 0,
  authentication_failures_window: 600_000,
  authentication_ban_time: 60_000,
  authentication_timeout: 60_000,
  idle_session_timeout: 0,
  shutdown_timeout: 30_000,
  tcp_keepalives_idle: 60_000,
  tcp_keepalives_interval: 0,
  tcp_keepalives_count: 0,
  ssl: true,
  ssl_cert_file: `${directory}/server.crt`,
  ssl_key_file: `${directory}/server.key`,
  ssl_ca_file: '',
  ssl_crl_file: '',
  ssl_crl_dir: '',
  ssl_ciphers: 'HIGH:MEDIUM:+3DES:!aNULL',
  ssl_tls13_ciphers: '',
  ssl_prefer_server_ciphers: true,
  ssl_groups: 'X25519:prime256v1',
  ssl_min_protocol_version: 'TLSv1.2',
  ssl_max_protocol_version: '',
  ssl_dh_params_file: '',
  ssl_passphrase_command: '',
  ssl_passphrase_command_supports_reload: false,
  ssl_sni: false,
  hosts_file: `${directory}/pg_hosts.conf`,
  hba_file: `${directory}/pg_hba.conf`,
  ident_file: `${directory}/pg_ident.conf`,
  auth_file: '',
  scram_iterations: 4096,
  roles: new Map(),
  auth_user: '',
  auth_dbname: 'postgres',
  auth_query: '',
  upstream: {
    host: '127.0.0.1',
    port: 5432,
    connect_timeout: 10_000,
    application_name_add_host: false,
    identity_prefix: '',
    allow_remote: false,
  },
  reload: { watch: true, interval: 5000, sessions: 'keep' },
  admin: {
    listen: '127.0.0.1:9432',
    status_listen: '',
    ssl_cert_file: '',
    ssl_key_file: '',
    ssl_ca_file: '',
  },
  log_level: 'info',
  log_format: 'auto',
  log_connections: 'on',
  log_disconnections: true,
  admin_users: [],
  stats_users: [],
  console_database: 'gatehouse',
});
for (const [written, names] of [
  ['alice, bob', ['alice', 'bob']],
  ['[alice, "b,c"]', ['alice', 'b,c']],
  ["''", []],
] as const) {
  t.strictSame(load(`admin_users: ${written}\n`).admin_users, names);
}
t.strictSame(placeOf('port'), { source: 'default', file: defaults.file, line: null });

const formatNetwork = (network: { address: IpAddress; mask: Uint8Array }) =>
  formatAddressSpec({ kind: 'mask', ...network });

type Loaded = ReturnType<typeof loadSettings>;
const values: [text: string, read: (settings: Loaded) => unknown, expected: unknown][] = [
  ['# only a comment\n', (s) => s.port, 6432],
  ['upstream:\n  # nothing set\nroles:\n', (s) => [s.upstream.port, s.roles], [5432, new Map()]],
  ['port: 0', (s) => s.port, 0],
  ['port: "5433"', (s) => s.port, 5433],
  ['port: 0x10', (s) => s.port, 16],
  ['port: 010', (s) => s.port, 8],
  ['workers: auto', (s) => s.workers, availableParallelism()],
  ['workers: 2', (s) => s.workers, 2],
  ['listen_addresses: a, 10.0.0.1 ,::1', (s) => s.listen_addresses, ['a', '10.0.0.1', '::1']],
  ['listen_addresses: ["::", 0.0.0.0]', (s) => s.listen_addresses, ['::', '0.0.0.0']],
  ["listen_addresses: '*'", (s) => s.listen_addresses, ['*']],
  ["proxy_networks: ''", (s) => s.proxy_networks, []],
  ['proxy_networks: []', (s) => s.proxy_networks, []],
  [
    'proxy_networks: 10.1.2.3 ,fd00::/8',
    (s) => s.proxy_networks.map(formatNetwork),
    ['10.1.2.3/32', 'fd00::/8'],
  ],
  [
    'proxy_networks: [10.1.2.3/9, "::1"]',
    (s) => s.proxy_networks.map(formatNetwork),
    ['10.1.2.3/9', '::1/128'],
  ],
  ['authentication_timeout: 1min', (s) => s.authentication_timeout, 60_000],
  ['authentication_timeout: 30', (s) => s.authentication_timeout, 30_000],
  ['authentication_timeout: 1500ms', (s) => s.authentication_timeout, 2000],
  ['idle_session_timeout: 500', (s) => s.idle_session_timeout, 500],
  ['idle_session_timeout: 1 h', (s) => s.idle_session_timeout, 3_600_000],
  ['shutdown_timeout: 2', (s) => s.shutdown_timeout, 2000],
  ['shutdown_timeout: 0', (s) => s.shutdown_timeout, 0],
  ['shutdown_timeout: 0.25', (s) => s.shutdown_timeout, 250],
  ['shutdown_timeout: 250ms', (s) => s.shutdown_timeout, 250],
  ['tcp_keepalives_idle: 2min', (s) => s.tcp_keepalives_idle, 120_000],
  ['tcp_keepalives_interval: 5', (s) => s.tcp_keepalives_interval, 5000],
  ['tcp_keepalives_count: 3', (s) => s.tcp_keepalives_count, 3],
  ['ssl: off', (s) => s.ssl, false],
  ['ssl: No', (s) => s.ssl, false],
  ['ssl: false', (s) => s.ssl, false],
  ['ssl: 0', (s) => s.ssl, false],
  ['ssl: "t"', (s) => s.ssl, true],
  ['%YAML 1.1\n---\nssl: no', (s) => s.ssl, false],
  ['ssl_cert_file: ../x/../tls.crt', (s) => s.ssl_cert_file, `${directory.replace(/\/[^/]*$/, '')}/tls.crt`],
  ['ssl_ca_file: /etc/ca.crt', (s) => s.ssl_ca_file, '/etc/ca.crt'],
  ['ssl_crl_dir: crl', (s) => s.ssl_crl_dir, `${directory}/crl`],
  ['ssl_cert_file: 1.10', (s) => s.ssl_cert_file, `${directory}/1.10`],
  ['ssl_ecdh_curve: prime256v1', (s) => [s.ssl_groups, s.placeOf('ssl_groups').line], ['prime256v1', 1]],
  ['ssl_min_protocol_version: tlsv1.3', (s) => s.ssl_min_protocol_version, 'TLSv1.3'],
  ['ssl_max_protocol_version: TLSv1.3', (s) => s.ssl_max_protocol_version, 'TLSv1.3'],
  ['log_connections: off', (s) => s.log_connections, 'off'],
  ['log_connections: yes', (s) => s.log_connections, 'on'],
  ['log_connections: tr', (s) => s.log_connections, 'on'],
  ["log_connections: ''", (s) => s.log_connections, ''],
  ['log_connections: []', (s) => s.log_connections, ''],
  [
    'log_connections: "Receipt" ,SETUP_DURATIONS'.replaceAll('"', ''),
    (s) => s.log_connections,
    'receipt, setup_durations',
  ],
  ['log_connections: [authorization, all]', (s) => s.log_connections, 'all'],
  ['ssl_renegotiation_limit: 0', (s) => s.placeOf('ssl_renegotiation_limit').line, 1],
  ['log_level: WARN', (s) => s.log_level, 'warn'],
  ['\uFEFFlog_level: warn', (s) => s.log_level, 'warn'],
  [
    'roles: {é: [a, "b c"], empty: [], none: , 0640: [1]}',
    (s) => s.roles,
    new Map([
      [fromText('é'), ['a', 'b c']],
      ['empty', []],
      ['none', []],
      ['0640', ['1']],
    ]),
  ],
  ['auth_file: users/userlist.txt', (s) => s.auth_file, `${directory}/users/userlist.txt`],
  ['scram_iterations: 600000', (s) => s.scram_iterations, 600_000],
  ['roles:\n  a: &team [x, y]\n  b: *team', (s) => s.roles.get('b'), ['x', 'y']],
  ['upstream: {host: "::1", port: 1}', (s) => [s.upstream.host, s.upstream.port], ['::1', 1]],
  ['upstream: {host: LOCALHOST}', (s) => s.upstream.host, 'LOCALHOST'],
  ['upstream: {host: 127.8.9.10}', (s) => s.upstream.host, '127.8.9.10'],
  ['upstream: {host: "::ffff:127.0.0.1"}', (s) => s.upstream.host, '::ffff:127.0.0.1'],
  ['upstream: {host: /run/postgresql}', (s) => s.upstream.host, '/run/postgresql'],
  ['upstream: {host: db.example, allow_remote: on}', (s) => s.upstream.host, 'db.example'],
  ['upstream:\n  connect_timeout: 1500ms', (s) => s.upstream.connect_timeout, 1500],
  ['upstream: {application_name_add_host: yes}', (s) => s.upstream.application_name_add_host, true],
  ['upstream: {identity_prefix: Gate_2}', (s) => s.upstream.identity_prefix, 'Gate_2'],
  [
    'reload: {interval: 50ms, watch: off, sessions: terminate}',
    (s) => s.reload,
    { watch: false, interval: 50, sessions: 'terminate' },
  ],
  ["admin: {listen: ''}", (s) => s.admin.listen, ''],
  ['admin: {listen: localhost:0}', (s) => s.admin.listen, 'localhost:0'],
  ["admin: {listen: '[::1]:9'}", (s) => s.admin.listen, '[::1]:9'],
  ['admin: {listen: /run/gate.sock}', (s) => s.admin.listen, '/run/gate.sock'],
  [
    'admin: {listen: "*:9432", ssl_cert_file: /c, ssl_key_file: /k, ssl_ca_file: /a}',
    (s) => s.admin,
    { listen: '*:9432', status_listen: '', ssl_cert_file: '/c', ssl_key_file: '/k', ssl_ca_file: '/a' },
  ],
  // not this gate itself
  ['upstream: {port: 6432, host: 127.0.0.2}\nlisten_addresses: 127.0.0.1', (s) => s.upstream.port, 6432],
  ['upstream: {port: 6432}\nlisten_addresses: "::1, 127.0.0.2, ::"', (s) => s.upstream.port, 6432],
  [
    'upstream: {port: 6432, host: 10.255.254.253, allow_remote: on}\nlisten_addresses: "*"',
    (s) => s.upstream.port,
    6432,
  ],
  ['upstream: {port: 6432, host: /tmp}\nlisten_addresses: "*"', (s) => s.upstream.port, 6432],
  [
    'log_level: warn\nupstream:\n  port: 1\n',
    (s) => [s.placeOf('upstream.port').line, s.placeOf('log_level').line, s.placeOf('ssl').line],
    [3, 1, null],
  ],
];
for (const [text, read, expected] of values) t.same(read(load(text)), expected, text);

// --- errors

const units = 'Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".';
const remote =
  'The link to the upstream is not encrypted. Set upstream.allow_remote to on where the network between is trusted.';
const adminForm = 'Write host:port, [IPv6 address]:port or the absolute path of a Unix socket.';
const adminTls = 'admin.ssl_cert_file, admin.ssl_key_file, admin.ssl_ca_file';
const needsTls = (listen: string) =>
  `admin.listen "${listen}" is neither a loopback address nor a Unix socket [There it must speak TLS and ask for client certificates: set ${adminTls}.]`;
const notLoopback = (host: string) =>
  `upstream.host "${host}" is neither a loopback address nor the directory of a Unix socket [${remote}]`;
const isThisGate = (host: string, port: number) =>
  `upstream.host "${host}" and upstream.port ${port} lead to this gate itself [Set them to where the PostgreSQL server listens, or have the gate listen elsewhere (listen_addresses, port).]`;
/** This machine's own; at least the loopback ones. */
const ownAddresses = Object.values(networkInterfaces()).flatMap((all) =>
  (all ?? []).map(({ address }) => address),
);
const badAdmin = (listen: string, hint: string) =>
  `invalid value for parameter "admin.listen": "${listen}" [${hint}]`;
const versions = 'TLSv1, TLSv1.1, TLSv1.2, TLSv1.3.';
const addresses = 'Give host names, addresses, or "*" for every address.';

const networksForm = 'Give addresses and CIDR masks, such as 10.0.0.7 or 10.1.0.0/16.';
const badNetwork = (text: string, hint = networksForm) =>
  `invalid value for parameter "proxy_networks": "${text}" [${hint}]`;
const balancersAlone = 'Name the addresses of the load balancers alone.';

const retiredLimit = 'parameter "ssl_renegotiation_limit"';
const badAspects = (text: string, detail: string) =>
  `1:18 invalid value for parameter "log_connections": "${text}" [${detail} Available: on or off alone, or receipt, authentication, authorization, setup_durations, all.]`;

const errors: [text: string | Uint8Array, expected: string[]][] = [
  ...[
    'db.example',
    '*',
    '10.1',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.1/8/8',
    'fe80::1%eth0',
    '::ffff:10.0.0.1',
  ].map((text): [string, string[]] => [`proxy_networks: "${text}"`, [`1:17 ${badNetwork(text)}`]]),
  ['proxy_networks: [10.0.0.1, 0.0.0.0/0]', [`1:28 ${badNetwork('0.0.0.0/0', balancersAlone)}`]],
  ['proxy_networks: "::1, ::/0"', [`1:17 ${badNetwork('::/0', balancersAlone)}`]],
  ['proxy_networks: "::1,"', [`1:17 ${badNetwork('')}`]],
  ['proxy_networks: {a: b}', ['1:17 parameter "proxy_networks" requires a single value, not a map']],
  // PostgreSQL's texts
  ['port: 70000', ['1:7 70000 is outside the valid range for parameter "port" (0 .. 65535)']],
  ['port: -1', ['1:7 -1 is outside the valid range for parameter "port" (0 .. 65535)']],
  ['port: 5x', ['1:7 invalid value for parameter "port": "5x"']],
  ['port: 1e99', ['1:7 invalid value for parameter "port": "1e99" [Value exceeds integer range.]']],
  ['ssl: maybe', ['1:6 parameter "ssl" requires a Boolean value']],
  [
    'authentication_timeout: 0',
    ['1:25 0 s is outside the valid range for parameter "authentication_timeout" (1 s .. 600 s)'],
  ],
  [
    'authentication_timeout: 11min',
    ['1:25 660 s is outside the valid range for parameter "authentication_timeout" (1 s .. 600 s)'],
  ],
  [
    'authentication_timeout: 60S',
    [`1:25 invalid value for parameter "authentication_timeout": "60S" [${units}]`],
  ],
  [
    'shutdown_timeout: 2d',
    ['1:19 172800000 ms is outside the valid range for parameter "shutdown_timeout" (0 ms .. 86400000 ms)'],
  ],
  [
    'shutdown_timeout: 9999999',
    ['1:19 invalid value for parameter "shutdown_timeout": "9999999" [Value exceeds integer range.]'],
  ],
  ['reload: {interval: 3 x}', [`1:20 invalid value for parameter "reload.interval": "3 x" [${units}]`]],
  [
    "ssl_min_protocol_version: ''",
    [`1:27 invalid value for parameter "ssl_min_protocol_version": "" [Available values: ${versions}]`],
  ],
  [
    'ssl_max_protocol_version: SSLv3',
    [
      `1:27 invalid value for parameter "ssl_max_protocol_version": "SSLv3" [Available values: , ${versions}]`,
    ],
  ],
  [
    'reload: {sessions: drop}',
    ['1:20 invalid value for parameter "reload.sessions": "drop" [Available values: keep, terminate.]'],
  ],
  ['ssl_renegotiation_limit: 1', [`1:26 1 is outside the valid range for ${retiredLimit} (0 .. 0)`]],
  ['ssl_renegotiation_limit: -1', [`1:26 -1 is outside the valid range for ${retiredLimit} (0 .. 0)`]],
  ['ssl_renegotiation_limit: foo', [`1:26 invalid value for ${retiredLimit}: "foo"`]],
  // as PostgreSQL 18 answers ALTER SYSTEM
  ['log_connections: foo', [badAspects('foo', 'Invalid option "foo".')]],
  ['log_connections: none', [badAspects('none', 'Invalid option "none".')]],
  ['log_connections: receipt, on', [badAspects('receipt, on', 'Invalid option "on".')]],
  [
    'log_connections: on, receipt',
    [badAspects('on, receipt', 'Cannot specify log_connections option "on" in a list with other options.')],
  ],
  ...['receipt,,authorization', 'receipt authorization', 'receipt,'].map((text): [string, string[]] => [
    `log_connections: ${text}`,
    [badAspects(text, 'Invalid list syntax in parameter "log_connections".')],
  ]),
  // unknown names
  ['prot: 1', ['1:1 unrecognized configuration parameter "prot" [Perhaps you meant "port".]']],
  ['SSL: on', ['1:1 unrecognized configuration parameter "SSL" [Perhaps you meant "ssl".]']],
  [
    'ssl_crt_file: x',
    ['1:1 unrecognized configuration parameter "ssl_crt_file" [Perhaps you meant "ssl_cert_file".]'],
  ],
  ...['a.b', '2a', 'a-b', 'a b', 'ä', 'a'.repeat(64)].map((prefix): [string, string[]] => [
    `upstream: {identity_prefix: "${prefix}"}`,
    [
      `1:29 invalid value for parameter "upstream.identity_prefix": "${prefix}" [Give one word of letters, digits and underscores, or nothing.]`,
    ],
  ]),
  ['shared_buffers: 1GB', ['1:1 unrecognized configuration parameter "shared_buffers"']],
  [
    'upstream:\n  hots: x',
    [
      '2:3 unrecognized configuration parameter "upstream.hots" [Perhaps you meant "host" beneath "upstream:".]',
    ],
  ],
  [
    'connect_timeout: 1s',
    [
      '1:1 unrecognized configuration parameter "connect_timeout" [Perhaps you meant "connect_timeout" beneath "upstream:".]',
    ],
  ],
  [
    'upstream.host: ::1',
    [
      '1:1 unrecognized configuration parameter "upstream.host" [Perhaps you meant "host" beneath "upstream:".]',
    ],
  ],
  ['<<: {port: 1}', ['1:1 unrecognized configuration parameter "<<"']],
  [
    '__proto__: 1\nconstructor: 1',
    [
      '1:1 unrecognized configuration parameter "__proto__"',
      '2:1 unrecognized configuration parameter "constructor"',
    ],
  ],
  [`${'x'.repeat(1000)}: 1`, [`1:1 unrecognized configuration parameter "${'x'.repeat(1000)}"`]],
  // shapes
  ['port: [1]', ['1:7 parameter "port" requires a single value, not a list']],
  ['port: {a: 1}', ['1:7 parameter "port" requires a single value, not a map']],
  ['port:', ['1:1 parameter "port" has no value [Write \'\' where empty is meant.]']],
  ['ssl_ca_file: ~', ['1:1 parameter "ssl_ca_file" has no value [Write \'\' where empty is meant.]']],
  ['ssl_ca_file: "a\\0b"', ['1:14 parameter "ssl_ca_file" contains a NUL byte']],
  [
    'scram_iterations: 0',
    ['1:19 0 is outside the valid range for parameter "scram_iterations" (1 .. 2147483647)'],
  ],
  ["hba_file: ''", ['1:11 invalid value for parameter "hba_file": "" [Give the path of a file.]']],
  [
    'upstream: 127.0.0.1',
    [
      '1:11 parameter "upstream" requires a map of settings [Write upstream: and its settings indented below.]',
    ],
  ],
  [
    'listen_addresses: []',
    ['1:19 invalid value for parameter "listen_addresses": "" [At least one address is needed.]'],
  ],
  ["listen_addresses: ''", [`1:19 invalid value for parameter "listen_addresses": "" [${addresses}]`]],
  [
    'listen_addresses: [a, "b c"]',
    [`1:23 invalid value for parameter "listen_addresses": "b c" [${addresses}]`],
  ],
  [
    'listen_addresses: ["a,b"]',
    [`1:20 invalid value for parameter "listen_addresses": "a,b" [${addresses}]`],
  ],
  [
    'listen_addresses: 127.0.0.1:5432',
    [`1:19 invalid value for parameter "listen_addresses": "127.0.0.1:5432" [${addresses}]`],
  ],
  ['roles: [a]', ['1:8 parameter "roles" requires a map of roles to lists of members']],
  ['roles: {a: b}', ['1:12 parameter "roles.a" requires a list of members [Write [a, b], or [] for none.]']],
  ['roles:\n  a:\n    - x\n    - [y]', ['4:7 parameter "roles.a" requires a single value, not a list']],
  // several settings together
  ['port: 1\nport: 2', ['2:1 parameter "port" is set twice, first in line 1']],
  [
    'ssl_groups: X25519\nssl_ecdh_curve: prime256v1',
    ['2:1 parameter "ssl_groups" is set twice, first in line 1'],
  ],
  ['roles: {a: [], a: []}', ['1:16 parameter "a" is set twice, first in line 1']],
  // names that no client can have
  [`auth_dbname: ${'é'.repeat(32)}`, ['1:1 parameter "auth_dbname" is longer than 63 bytes']],
  [`console_database: ${'c'.repeat(64)}`, ['1:1 parameter "console_database" is longer than 63 bytes']],
  [
    `stats_users: [${'c'.repeat(63)}, ${'d'.repeat(64)}]`,
    [`1:1 parameter "stats_users" has a name that is longer than 63 bytes: "${'d'.repeat(64)}"`],
  ],
  [
    "admin_users: dba\nconsole_database: ''",
    ['2:1 parameter "console_database" is empty [Name the database whose connections the console answers.]'],
  ],
  ['upstream: {host: 10.0.0.1}', [`1:12 ${notLoopback('10.0.0.1')}`]],
  ['upstream:\n  host: db.example', [`2:3 ${notLoopback('db.example')}`]],
  ['upstream: {host: localhost.example}', [`1:12 ${notLoopback('localhost.example')}`]],
  ['upstream: {host: 127.1}', [`1:12 ${notLoopback('127.1')}`]],
  ['upstream: {host: 0.0.0.0}', [`1:12 ${notLoopback('0.0.0.0')}`]],
  ['upstream: {host: "::ffff:10.0.0.1"}', [`1:12 ${notLoopback('::ffff:10.0.0.1')}`]],
  ['upstream: {host: db.example, allow_remote: off}', [`1:12 ${notLoopback('db.example')}`]],
  [
    "upstream: {host: ''}",
    [
      '1:18 invalid value for parameter "upstream.host": "" [Give one host name, one address, or the absolute path of a directory.]',
    ],
  ],
  [
    'upstream: {host: "a,b"}',
    [
      '1:18 invalid value for parameter "upstream.host": "a,b" [Give one host name, one address, or the absolute path of a directory.]',
    ],
  ],
  [
    `upstream: {host: /${'d'.repeat(100)}}`,
    [`1:12 Unix-domain socket path "/${'d'.repeat(100)}/.s.PGSQL.5432" is too long (maximum 107 bytes)`],
  ],
  ['upstream: {port: 0}', ['1:18 0 is outside the valid range for parameter "upstream.port" (1 .. 65535)']],
  // this gate itself
  ['upstream: {port: 6432}', [`1:1 ${isThisGate('127.0.0.1', 6432)}`]],
  ['port: 5432', [`1:1 ${isThisGate('127.0.0.1', 5432)}`]],
  [
    'upstream: {host: LOCALHOST, port: 6432}\nlisten_addresses: "::1"',
    [`1:12 ${isThisGate('LOCALHOST', 6432)}`],
  ],
  ['upstream: {host: "::ffff:127.0.0.1", port: 6432}', [`1:12 ${isThisGate('::ffff:127.0.0.1', 6432)}`]],
  [
    'upstream: {host: 127.0.0.9, port: 6432}\nlisten_addresses: "*"',
    [`1:12 ${isThisGate('127.0.0.9', 6432)}`],
  ],
  [
    'upstream: {host: 0.0.0.0, port: 6432}\nlisten_addresses: 127.0.0.1',
    [`1:12 ${isThisGate('0.0.0.0', 6432)}`],
  ],
  ['upstream: {host: "0:0::1", port: 6432}\nlisten_addresses: "::"', [`1:12 ${isThisGate('0:0::1', 6432)}`]],
  [
    'upstream: {host: DB.example, port: 6432}\nlisten_addresses: db.example',
    [`1:12 ${isThisGate('DB.example', 6432)}`],
  ],
  ...ownAddresses.map((host): [string, string[]] => [
    `upstream: {host: "${host}", port: 6432, allow_remote: on}\nlisten_addresses: "*"`,
    [`1:12 ${isThisGate(host, 6432)}`],
  ]),
  ['admin: {listen: 0.0.0.0:9432}', [`1:9 ${needsTls('0.0.0.0:9432')}`]],
  ['admin: {listen: "*:9432"}', [`1:9 ${needsTls('*:9432')}`]],
  [
    'admin: {status_listen: 127.0.0.1:9432}',
    [
      '1:9 admin.status_listen and admin.listen are both "127.0.0.1:9432" [Give each a port of its own, such as 9433.]',
    ],
  ],
  ['admin: {listen: "[::]:9432"}', [`1:9 ${needsTls('[::]:9432')}`]],
  ['admin: {listen: gate.example:9432}', [`1:9 ${needsTls('gate.example:9432')}`]],
  [
    'admin: {listen: "0.0.0.0:1", ssl_cert_file: c, ssl_ca_file: a}',
    [
      `1:30 parameter "admin.ssl_cert_file" is set, and "admin.ssl_key_file" is not [Set all of ${adminTls}, or none.]`,
    ],
  ],
  [
    'admin: {listen: "127.0.0.1:1", ssl_key_file: k}',
    [
      `1:32 parameter "admin.ssl_key_file" is set, and "admin.ssl_cert_file" and "admin.ssl_ca_file" is not [Set all of ${adminTls}, or none.]`,
    ],
  ],
  [
    'admin: {listen: /run/s, ssl_cert_file: c, ssl_key_file: k, ssl_ca_file: a}',
    [`1:9 parameters ${adminTls} mean nothing for a Unix socket [Leave them out.]`],
  ],
  ['admin: {listen: "9432"}', [`1:17 ${badAdmin('9432', adminForm)}`]],
  ['admin: {listen: localhost:99999}', [`1:17 ${badAdmin('localhost:99999', adminForm)}`]],
  ['admin: {listen: "::1:9432"}', [`1:17 ${badAdmin('::1:9432', adminForm)}`]],
  ['admin: {listen: "[localhost]:9432"}', [`1:17 ${badAdmin('[localhost]:9432', adminForm)}`]],
  ['admin: {listen: gate.sock}', [`1:17 ${badAdmin('gate.sock', adminForm)}`]],
  // every problem, in the file's order
  [
    'port: x\nworkers: 0\nhbafile: y\nupstream:\n  host: far\n  prot: 1\nssl: 2',
    [
      '1:7 invalid value for parameter "port": "x"',
      '2:10 0 is outside the valid range for parameter "workers" (1 .. 1024)',
      '3:1 unrecognized configuration parameter "hbafile" [Perhaps you meant "hba_file".]',
      `5:3 ${notLoopback('far')}`,
      '6:3 unrecognized configuration parameter "upstream.prot" [Perhaps you meant "port" beneath "upstream:".]',
      '7:6 parameter "ssl" requires a Boolean value',
    ],
  ],
  // the text itself
  ['- a', ['1:1 the file must be a map of settings [Write name: value lines.]']],
  ['just words', ['1:1 the file must be a map of settings [Write name: value lines.]']],
  ['port: 1\n---\nport: 2', ['2:1 the file holds more than one YAML document']],
  ['upstream:\n\tport: 1', ['2:1 Tabs are not allowed as indentation [Indent with spaces.]']],
  ['port: 1\nssl', ['2:1 Implicit map keys need to be followed by map values']],
  ['port: !far 1', ['1:7 Unresolved tag: !far']],
  ['port: *x', ['1:7 no anchor "x" stands before its alias']],
  ['? [a]\n: 1', ['1:3 a key must be a plain word']],
  ['roles:\n  a: &a [*a]', ['2:9 nested too deeply']],
  [Uint8Array.of(0x61, 0xff), ['the file is not UTF-8']],
  ['#'.repeat(1024 * 1024 + 1), ['the file is larger than 1048576 bytes']],
];
for (const [text, expected] of errors) t.strictSame(problems(text), expected, text.slice(0, 100).toString());

// --- small texts that mean much, and other attempts to bring the reader down

const bomb = ['roles:', '  r0: &r0 [a, a, a, a, a, a, a, a, a, a]'];
for (let level = 1; level < 30; level += 1)
  bomb.push(
    `  r${level}: &r${level} [${Array(10)
      .fill(`*r${level - 1}`)
      .join(', ')}]`,
  );
t.match(problems(bomb.join('\n')), [/more than 100 aliases/]);
for (const text of ['['.repeat(500_000), '- '.repeat(200_000)])
  t.match(problems(text), [/nested too deeply$/]);
t.match(problems(`port: ${'{a: '.repeat(20)}1${'}'.repeat(20)}`), [/nested too deeply/]);
for (const text of [
  '\0',
  '\u2028',
  '%',
  '&',
  '*',
  '!!binary',
  '"\\',
  'a: |\n',
  ': :',
  '- - -',
  '{',
  '? ?',
  '\uD800',
]) {
  // A line separator in a name would end the TAP line.
  t.not(problems(text).length, 0, JSON.stringify(text).replace('\u2028', 'LS'));
}

// --- no setting is ignored

for (const name of Object.keys(schema)) {
  const [group, leaf] = name.split('.');
  const nonsense = name === 'roles' ? '[]' : '{nonsense: 1}';
  const text = leaf === undefined ? `${group}: ${nonsense}` : `${group}:\n  ${leaf}: ${nonsense}`;
  t.match(problems(text), [new RegExp(`parameter "${name}"`)], `${name} is looked at`);
}
t.same([...groups], ['upstream', 'reload', 'admin']);

// --- files

mkdirSync(`${directory}/folder`);
const unreadable: [path: string, reason: string][] = [
  [`${directory}/missing.yaml`, 'No such file or directory'],
  [`${directory}/folder`, 'Is a directory'],
  [`${file}/below`, 'Not a directory'],
];
for (const [path, reason] of unreadable) {
  t.throws(() => loadSettings(path, diskFiles), {
    message: `${path}: could not open configuration file "${path}": ${reason}`,
  });
}
load('port: 1');
t.equal(
  loadSettings(relative(process.cwd(), file), diskFiles).file,
  file,
  'a relative path becomes absolute',
);
