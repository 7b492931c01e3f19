// The statements of prometheus-community's pgbouncer_exporter and of Debian's prometheus-pgbouncer-exporter, in the simple
// protocol as their drivers send them: labels are texts or integers, values are numbers. What only a pooler has is
// refused by name, and the connection goes on.

import { Client } from 'pg';
import { test } from 'tap';
import { psql } from '../support/peers/psql.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { startGate } from '../support/run/gate.ts';
import { needs } from '../support/run/tools.ts';

const TEXT = 25;
const NUMBERS: ReadonlySet<number> = new Set([20, 23, 1700]);

/** Each statement with the columns that the exporters read of it: labels, then values. */
const ASKED: readonly (readonly [statement: string, labels: readonly string[], values: readonly string[]])[] =
  [
    ['SHOW STATS', ['database'], ['total_received', 'total_sent']],
    ['SHOW stats_totals;', ['database'], ['bytes_received', 'bytes_sent']],
    [
      'SHOW pools;',
      ['database', 'user'],
      [
        'cl_active',
        'cl_waiting',
        'cl_active_cancel_req',
        'cl_waiting_cancel_req',
        'sv_active',
        'sv_active_cancel',
        'sv_being_canceled',
        'sv_idle',
        'sv_used',
        'sv_tested',
        'sv_login',
        'maxwait',
      ],
    ],
    [
      'SHOW databases;',
      ['name', 'host', 'port', 'database', 'force_user', 'pool_mode'],
      ['max_connections', 'current_connections', 'paused', 'disabled'],
    ],
    ['SHOW LISTS;', ['list'], ['items']],
  ];

/** All columns of PgBouncer 1.25, in its order. */
const WHOLE: readonly (readonly [statement: string, columns: string])[] = [
  [
    'SHOW POOLS',
    'database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active sv_active_cancel ' +
      'sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us pool_mode load_balance_hosts',
  ],
  [
    'SHOW DATABASES',
    'name host port database force_user pool_size min_pool_size reserve_pool_size server_lifetime pool_mode ' +
      'load_balance_hosts max_connections current_connections max_client_connections current_client_connections ' +
      'paused disabled',
  ],
];

const REFUSED = ['SHOW MEM', 'SHOW USERS', 'SHOW SOCKETS', 'SHOW DNS_HOSTS'];

/** What a pooler's administrator may do: an exporter is told that it may not, as before PgBouncer. */
const FORBIDDEN = ['PAUSE', 'RESUME app', 'KILL app'];

await test('an exporter', needs('psql'), async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream,
    config: { stats_users: 'exporter' },
  });
  for (const user of ['app', 'app', 'batch'])
    t.equal((await (await connectRaw(t, gate.port)).login({ user, database: 'orders' })).error, null);
  const client = new Client({ host: '127.0.0.1', port: gate.port, user: 'exporter', database: 'gatehouse' });
  await client.connect();
  t.teardown(() => client.end());

  for (const [statement, labels, values] of ASKED) {
    const { fields, rows } = await client.query<Record<string, unknown>>(statement);
    t.ok(rows.length > 0, statement);
    const types = new Map(fields.map(({ name, dataTypeID }) => [name, dataTypeID]));
    for (const label of labels)
      t.match(String(types.get(label)), /^(25|23)$/, `${statement}: label ${label}`);
    for (const value of values) {
      t.ok(NUMBERS.has(types.get(value) ?? 0), `${statement}: type of ${value}`);
      t.ok(
        rows.every((row) => Number.isFinite(Number(row[value]))),
        `${statement}: ${value}`,
      );
    }
  }
  for (const [statement, columns] of WHOLE) {
    const { fields } = await client.query(statement);
    t.strictSame(
      fields.map(({ name }) => name),
      columns.split(' '),
      `${statement}: PgBouncer's columns`,
    );
  }
  const databases = await client.query('SHOW DATABASES');
  t.match(
    databases.rows.find(({ name }) => name === 'orders'),
    { pool_size: 0, reserve_pool_size: 0, current_connections: 3, current_client_connections: 3 },
    'a gate has no pool',
  );
  const pools = await client.query('SHOW POOLS');
  t.match(
    pools.rows.toSorted((a, b) => (a.user < b.user ? -1 : 1)),
    [
      { database: 'orders', user: 'app', cl_active: 2, sv_active: 2, pool_mode: 'session' },
      { database: 'orders', user: 'batch', cl_active: 1, sv_active: 1 },
      { database: 'gatehouse', user: 'exporter', cl_active: 1, sv_active: 0, pool_mode: 'statement' },
    ],
  );
  const lists = new Map((await client.query('SHOW LISTS')).rows.map(({ list, items }) => [list, items]));
  t.match(Object.fromEntries(lists), { databases: 2, users: 3, pools: 3, used_clients: 4, used_servers: 3 });
  const none = ['peers', 'peer_pools', 'dns_names', 'dns_zones', 'dns_queries', 'dns_pending'];
  for (const name of none) t.equal(lists.get(name), 0, `SHOW LISTS: ${name}`);

  const config = await client.query('SHOW CONFIG;');
  t.strictSame(
    config.fields.map(({ name, dataTypeID }) => [name, dataTypeID]),
    ['key', 'value', 'default', 'changeable'].map((name) => [name, TEXT]),
  );
  t.match((await client.query('SHOW VERSION;')).rows, [{ version: /^pg-gatehouse / }]);

  for (const statement of REFUSED) {
    await t.rejects(client.query(statement), {
      code: '0A000',
      message: /is not supported: the gate has no pool/,
    });
  }
  for (const statement of FORBIDDEN) {
    await t.rejects(
      client.query(statement),
      { code: '42501', message: /^permission denied for / },
      statement,
    );
  }
  t.match(
    (await client.query('SHOW STATE')).rows,
    [{ key: 'active', value: 'yes' }],
    'the connection goes on',
  );
  const conninfo = { host: '127.0.0.1', port: gate.port, dbname: 'gatehouse', user: 'exporter' };
  t.match((await psql(conninfo, ['-c', 'SHOW HELP'])).stderr, /POOLS.*STATS_TOTALS/);
});
