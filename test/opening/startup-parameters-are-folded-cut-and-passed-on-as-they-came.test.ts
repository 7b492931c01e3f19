// Parameters end to end: what the rules see of them, what the upstream gets, what a refused client reads back and what
// the log shows (semantics §1.12 to §1.17, contract §7.6, §7.14).

import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { int32, packet, PROTOCOL_3_0, type Parameters, type Text } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts, type ScriptedUpstream } from '../support/peers/scripted-upstream.ts';
import type { Scope } from '../support/run/scope.ts';
import { assertOneEndingEach, visit } from '../support/peers/visitor.ts';

const A63 = 'a'.repeat(63);
const A62 = 'a'.repeat(62);

// What is rejected by name shows by its text which user and database the rules saw.
const hba = `
host  all          "${A63}x"   all  trust
host  "${A63}x"    all         all  trust
host  app          bob         all  trust
host  bob          bob         all  trust
host  bob          "${A63}"    all  trust
host  "${A63}"     bob         all  trust
host  replication  repl        all  trust
host  repl         repl        all  trust
host  all          all         all  reject
`;

interface Row {
  readonly name: string;
  readonly parameters: Parameters;
  /** What the upstream gets, or the refusal that the client gets. */
  readonly expected: readonly (readonly [string, string])[] | { readonly C: string; readonly M: string };
}

const rejected = (user: string, database: string): Row['expected'] => ({
  C: '28000',
  M: `pg_hba.conf rejects connection for host "127.0.0.1", user "${user}", database "${database}", no encryption`,
});
const badReplication = (value: string): Row['expected'] => ({
  C: '22023',
  M: `invalid value for parameter "replication": "${value}"`,
});
const noUser = { C: '28000', M: 'no PostgreSQL user name specified in startup packet' };

const repeated = (...pairs: (readonly [Text, Text])[]): Parameters => pairs;

const rows: readonly Row[] = [
  {
    name: 'user and database',
    parameters: { user: 'bob', database: 'app' },
    expected: [
      ['user', 'bob'],
      ['database', 'app'],
    ],
  },
  {
    name: 'no database',
    parameters: { user: 'bob' },
    expected: [
      ['user', 'bob'],
      ['database', 'bob'],
    ],
  },
  {
    name: 'an empty database',
    parameters: { database: '', user: 'bob' },
    expected: [
      ['database', 'bob'],
      ['user', 'bob'],
    ],
  },
  {
    name: 'settings go on in their order, `User` is one of them',
    parameters: { client_encoding: 'UTF8', user: 'bob', User: 'mallory', options: '-c a=b', DATABASE: 'x' },
    expected: [
      ['client_encoding', 'UTF8'],
      ['user', 'bob'],
      ['User', 'mallory'],
      ['options', '-c a=b'],
      ['DATABASE', 'x'],
      ['database', 'bob'],
    ],
  },
  {
    name: 'of a repeated user and database the last counts, and the upstream hears of no other',
    parameters: repeated(['user', 'mallory'], ['database', 'x'], ['user', 'bob'], ['database', 'app']),
    expected: [
      ['user', 'bob'],
      ['database', 'app'],
    ],
  },
  {
    name: 'a repeated setting',
    parameters: repeated(['user', 'bob'], ['search_path', 'a'], ['search_path', 'b']),
    expected: [
      ['user', 'bob'],
      ['search_path', 'b'],
      ['database', 'bob'],
    ],
  },
  {
    name: 'a last user that is empty is none',
    parameters: repeated(['user', 'bob'], ['user', '']),
    expected: noUser,
  },
  { name: 'no user', parameters: { database: 'app' }, expected: noUser },
  { name: 'no parameter', parameters: {}, expected: noUser },
  {
    name: 'a user of 64 bytes is seen as its first 63, so the line with all 64 never matches',
    parameters: { user: `${A63}x`, database: 'bob' },
    expected: [
      ['user', A63],
      ['database', 'bob'],
    ],
  },
  {
    name: 'a database of 64 bytes',
    parameters: { user: 'bob', database: `${A63}x` },
    expected: [
      ['user', 'bob'],
      ['database', A63],
    ],
  },
  {
    name: 'both cut, in the refusal too',
    parameters: { user: `${A63}xyz`, database: `${A63}q` },
    expected: rejected(A63, A63),
  },
  {
    name: 'names are not folded',
    parameters: { user: 'BOB', database: 'app' },
    expected: rejected('BOB', 'app'),
  },
  {
    name: 'a name that begins like a role, a keyword or a regular expression is only a name',
    parameters: { user: '+bob', database: 'all' },
    expected: rejected('+bob', 'all'),
  },
  { name: 'the name all', parameters: { user: 'all' }, expected: rejected('all', 'all') },
  { name: 'the name /^bob', parameters: { user: '/^bob' }, expected: rejected('/^bob', '/^bob') },
  {
    name: 'physical replication has no database for the rules',
    parameters: { user: 'repl', database: 'x', replication: 'TRUE' },
    expected: [
      ['user', 'repl'],
      ['database', 'x'],
      ['replication', 'TRUE'],
    ],
  },
  {
    name: 'logical replication is in its database',
    parameters: { user: 'bob', database: 'app', replication: 'database' },
    expected: [
      ['user', 'bob'],
      ['database', 'app'],
      ['replication', 'database'],
    ],
  },
  {
    name: 'a replication user may not come in otherwise',
    parameters: { user: 'repl', database: 'x', replication: 'of' },
    expected: rejected('repl', 'x'),
  },
  {
    name: 'the last replication counts',
    parameters: repeated(['replication', 'true'], ['user', 'bob'], ['replication', 'no']),
    expected: [
      ['replication', 'no'],
      ['user', 'bob'],
      ['database', 'bob'],
    ],
  },
  ...['', 'o', 'Database', 'maybe', '2', ' true', 'truey', 'on ', '01'].map((value) => ({
    name: `replication=${value}`,
    parameters: { user: 'repl', replication: value },
    expected: badReplication(value),
  })),
  ...['t', 'tru', 'yes', 'Y', 'on', 'ON', '1'].map((value): Row => ({
    name: `replication=${value}`,
    parameters: { user: 'bob', replication: value },
    expected: {
      C: '28000',
      M: 'no pg_hba.conf entry for replication connection from host "127.0.0.1", user "bob", no encryption',
    },
  })),
  ...['f', 'FALSE', 'n', 'no', 'off', 'OF', '0'].map((value): Row => ({
    name: `replication=${value}`,
    parameters: { user: 'mallory', replication: value },
    expected: rejected('mallory', 'mallory'),
  })),
];

async function start(t: Scope): Promise<{ gate: Gate; upstream: ScriptedUpstream }> {
  const upstream = await scriptedUpstream(t, scripts.trust);
  return { upstream, gate: await startGate(t, { hba, upstream }) };
}

await test('parameters', async (t) => {
  const { gate, upstream } = await start(t);
  for (const { name, parameters, expected } of rows) {
    const client = await visit(t, gate);
    const { error } = await client.login(parameters);
    if ('C' in expected) {
      t.match(error, expected, name);
      if (expected.C === '22023') {
        t.equal(error?.['H'], 'Valid values are: "false", 0, "true", 1, "database".');
      }
    } else {
      t.equal(error, null, name);
      const connection = await upstream.nextConnection();
      const body = connection.received.subarray(8, -1).toString().split('\0').slice(0, -1);
      t.strictSame(body, expected.flat(), name);
    }
  }
  t.equal(upstream.connections.length, rows.filter(({ expected }) => !('C' in expected)).length);
  await assertOneEndingEach(t, gate);
});

await test('a body that does not end with its terminator', async (t) => {
  const { gate, upstream } = await start(t);
  const bodies = [
    '',
    'user',
    'user\0',
    'user\0bob',
    'user\0bob\0',
    'user\0bob\0\0\0',
    'user\0bob\0\0x',
    '\0\0',
  ];
  for (const body of bodies) {
    const client = await visit(t, gate);
    await client.send(packet(Buffer.concat([int32(PROTOCOL_3_0), Buffer.from(body)])));
    t.match(
      (await client.readLogin()).error,
      { C: '08P01', M: 'invalid startup packet layout: expected terminator as last byte' },
      JSON.stringify(body),
    );
    t.match(await client.ending(), { code: 'invalid-startup-packet-layout' });
  }
  t.strictSame(upstream.connections, []);
  await assertOneEndingEach(t, gate);
});

await test('bytes that are no UTF-8 come back as they are, and are \\xNN in the log', async (t) => {
  const { gate } = await start(t);
  const table: [user: Buffer, seen: Buffer, logged: string][] = [
    [Buffer.from('j\xf6rg', 'latin1'), Buffer.from('j\xf6rg', 'latin1'), String.raw`j\xf6rg`],
    [Buffer.from('jörg'), Buffer.from('jörg'), 'jörg'],
    // The 63rd byte is the first half of é.
    [Buffer.from(`${A62}é`), Buffer.from(`${A62}\xc3`, 'latin1'), String.raw`${A62}\xc3`],
    [Buffer.from('\x80\xff\xfe', 'latin1'), Buffer.from('\x80\xff\xfe', 'latin1'), String.raw`\x80\xff\xfe`],
  ];
  for (const [user, seen, logged] of table) {
    const client = await visit(t, gate);
    const { messages } = await client.login({ user, database: 'db' });
    const text = Buffer.concat([
      Buffer.from('user "'),
      seen,
      Buffer.from('", database "db", no encryption\0'),
    ]);
    t.ok(messages[0]!.body.includes(text), `raw: ${logged}`);
    const line = await client.ending();
    t.match(line, {
      code: 'hba-reject',
      user: logged,
      database: 'db',
      rule: `${gate.path('pg_hba.conf')}:10`,
    });
    t.ok(line.msg.includes(`user "${logged}"`), line.msg);
  }
  await assertOneEndingEach(t, gate);
});

await test('application_name is printable ASCII in the log, and goes on as it came', async (t) => {
  const { gate, upstream } = await start(t);
  const client = await visit(t, gate);
  await client.login({ user: 'bob', application_name: 'café\nFATAL:  \x1b[31mred' });
  t.match(await gate.waitForLog({ msg: /^connection authorized: / }), {
    msg: String.raw`connection authorized: user=bob database=bob application_name=caf\xc3\xa9\x0aFATAL:  \x1b[31mred`,
  });
  t.ok((await upstream.nextConnection()).received.includes('café\nFATAL:  \x1b[31mred\0'));
  await assertOneEndingEach(t, gate);
});
