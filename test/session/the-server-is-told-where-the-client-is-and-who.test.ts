// The startup packet that the upstream gets with application_name_add_host and identity_prefix, compared with what the
// client has sent; and an upstream that refuses it, as servers before 9.2 do, which gets a login without the settings.

import { test, type Test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import {
  authenticationCleartextPassword,
  authenticationSasl,
  errorResponse,
  passwordMessage,
  type Parameters,
} from '../support/peers/messages.ts';
import { connectRaw, startupMessage, type RawClient } from '../support/peers/raw-client.ts';
import {
  authenticationOk,
  scriptedUpstream,
  type Script,
  type ScriptedUpstream,
  type Startup,
  type UpstreamConnection,
} from '../support/peers/scripted-upstream.ts';
import { replaceEveryWorker } from '../workers/workers.ts';
import { openClient, TRUST } from './clients.ts';

const NAMES = ['client_addr', 'client_port', 'dn', 'identity', 'rule'].map((name) => `gatehouse.${name}`);
const HBA = `${TRUST}host replication all 127.0.0.1/32 trust\nhost all all ::1/128 trust\n`;

async function start(
  t: Test,
  script: Script,
  config: Readonly<Record<string, unknown>>,
  files: Readonly<Record<string, string>> = {},
): Promise<{ gate: Gate; upstream: ScriptedUpstream }> {
  const upstream = await scriptedUpstream(t, script);
  return { upstream, gate: await startGate(t, { hba: HBA, upstream, config, files }) };
}

await test('the startup packet', async (t) => {
  const seen: Startup[] = [];
  const { gate } = await start(
    t,
    async (connection) => {
      seen.push(await connection.readStartup());
      await connection.acceptLogin();
    },
    {
      listen_addresses: ['127.0.0.1', '::1'],
      upstream: { application_name_add_host: 'on', identity_prefix: 'gatehouse' },
    },
  );
  const told = async (parameters: Parameters, address = '127.0.0.1') => {
    const { port } = gate.listeners.find((listener) => listener.address === address)!;
    const client = await connectRaw(t, { host: address, port });
    await client.login(parameters);
    const { pairs } = seen.at(-1)!;
    const names = pairs.filter(([name]) => name.toLowerCase() === 'application_name');
    return { names: names.map(([, value]) => value), place: client.raw.localPort };
  };
  for (const [parameters, name] of [
    [{ user: 'alice' }, 'app'],
    [{ user: 'alice', application_name: '' }, 'app'],
    [{ user: 'alice', application_name: 'psql' }, 'psql'],
    [{ user: 'alice', application_name: 'first', Application_NAME: 'last' }, 'last'],
    [{ user: 'alice', application_name: 'ä\n' }, '\\xc3\\xa4\\x0a'],
  ] as readonly [Parameters, string][]) {
    const { names, place } = await told(parameters);
    t.strictSame(names, [`${name} - 127.0.0.1:${place}`]);
  }
  const { names: long, place } = await told({ user: 'alice', application_name: 'n'.repeat(100) });
  t.equal(long[0]?.length, 63);
  t.match(long[0], new RegExp(`^n+ - 127\\.0\\.0\\.1:${place}$`), 'the name gives way');
  const six = await told({ user: 'alice', application_name: 'psql' }, '::1');
  t.strictSame(six.names, [`psql - [::1]:${six.place}`]);
  const standby = await told({ user: 'alice', application_name: 'standby1', replication: 'true' });
  t.strictSame(standby.names, ['standby1'], 'synchronous_standby_names goes by it');

  const client = await openClient(t, gate, { credentials: gate.authority.client('alice') });
  await client.login({ user: 'alice', 'gatehouse.dn': 'CN=admin', options: '-c gatehouse.dn=CN=admin' });
  t.strictSame(seen.at(-1)!.pairs, [
    ['user', 'alice'],
    ['application_name', `app - 127.0.0.1:${client.raw.localPort}`],
    ['database', 'alice'],
    ['gatehouse.client_addr', '127.0.0.1'],
    ['gatehouse.client_port', String(client.raw.localPort)],
    ['gatehouse.dn', 'CN=alice'],
    ['gatehouse.identity', ''],
    ['gatehouse.rule', `${gate.path('pg_hba.conf')}:1`],
  ]);

  // Room for 17 bytes more, and the address needs 18.
  const tight = { user: 'alice', database: 'd', application_name: 'psql', options: '-'.repeat(9_925) };
  t.strictSame((await told(tight)).names, ['psql']);
  const { parameters } = seen.at(-1)!;
  t.equal(parameters['gatehouse.dn'], '', 'what fits is sent');
  const missing = NAMES.filter((name) => parameters[name] === undefined);
  t.equal(missing.length, 4);
  t.match(await gate.waitForLog({ msg: /no room/ }), {
    msg: `the startup packet has no room for ${['application_name', ...missing].join(', ')}`,
  });
});

/** Refuses the gate's settings in these words, before or after the login. */
function refusing(
  fields: Readonly<Record<string, string>>,
  before: (connection: UpstreamConnection) => Promise<void> = async () => undefined,
) {
  return async (connection: UpstreamConnection): Promise<void> => {
    const { parameters } = await connection.readStartup();
    await before(connection);
    if (parameters['gatehouse.client_addr'] === undefined) await connection.acceptLogin();
    else {
      if (fields['after'] === 'ok') await connection.send(authenticationOk());
      await connection.send(errorResponse({ S: 'FATAL', C: fields['C']!, M: fields['M']! }));
      connection.halfClose();
    }
  };
}

async function asking(connection: UpstreamConnection): Promise<void> {
  await connection.send(authenticationCleartextPassword());
  await connection.readMessage();
}

async function sasl(connection: UpstreamConnection): Promise<void> {
  await connection.send(authenticationSasl());
}

const OLD_SERVER = {
  C: '42704',
  M: 'unrecognized configuration parameter "gatehouse.client_addr"',
  after: 'ok',
};
const PREFIXED = { upstream: { identity_prefix: 'gatehouse' } };
const WARNING = { msg: /^the upstream server takes no settings under "gatehouse"/ };

await test('a server that refuses them gets a login without them', async (t) => {
  const ways: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'before 9.2': OLD_SERVER,
    PgBouncer: { C: '08P01', M: 'unsupported startup parameter: gatehouse.client_addr' },
  };
  for (const [name, way] of Object.entries(ways)) {
    const { gate, upstream } = await start(t, refusing(way), PREFIXED);
    for (const count of [2, 3]) {
      const client = await openClient(t, gate);
      const { messages, error } = await client.login({ user: 'alice', 'gatehouse.dn': 'x' });
      t.equal(error, null, name);
      t.equal(messages.filter(({ type }) => type === 'R').length, 1, 'one AuthenticationOk');
      t.equal(upstream.connections.length, count, 'once for the first client, and never again');
      t.notOk(upstream.connections.at(-1)!.received.includes('gatehouse'), 'nor anything of the client');
    }
    t.equal(gate.log.filter(({ msg }) => WARNING.msg.test(msg)).length, 1, 'one line');
  }
});

await test('one worker finds out for all', async (t) => {
  const { gate, upstream } = await start(t, refusing(OLD_SERVER), { ...PREFIXED, workers: 2 });
  const first = await openClient(t, gate);
  await first.login({ user: 'alice' });
  await gate.waitForLog(WARNING);
  // The first process has heard of it before the first answer, and the other worker before the second.
  await gate.sessions();
  await gate.sessions();
  let [count, workers] = [0, new Set<string | undefined>()];
  // Which worker gets a client is the kernel's choice.
  for (; count < 12 || (workers.size < 2 && count < 100); count++) {
    const client = await openClient(t, gate, { tls: false });
    t.equal((await client.login({ user: 'alice' })).error, null);
    workers = new Set((await gate.sessions()).map(({ id }) => String(id).split('-')[0]));
  }
  t.equal(workers.size, 2, 'sessions in both workers');
  t.equal(upstream.connections.length, count + 2, 'one login was made again');

  await replaceEveryWorker(gate);
  const later = await openClient(t, gate, { tls: false });
  t.equal((await later.login({ user: 'alice' })).error, null);
  t.equal(upstream.connections.length, count + 3, 'a worker that starts later knows it');
  t.equal(gate.log.filter(({ msg }) => WARNING.msg.test(msg)).length, 1);
});

await test('a client that is asked for its password is asked again', async (t) => {
  const { gate, upstream } = await start(t, refusing(OLD_SERVER, asking), PREFIXED);
  const client = await openClient(t, gate);
  await client.send(startupMessage({ user: 'alice' }));
  for (let time = 0; time < 2; time++) {
    t.equal((await client.readMessage()).type, 'R');
    await client.send(passwordMessage('secret'));
  }
  t.equal((await client.readLogin()).error, null);
  t.equal(upstream.connections.length, 2);

  // One that has begun SASL would not understand it.
  const other = await start(t, refusing(OLD_SERVER, sasl), PREFIXED);
  const second = await openClient(t, other.gate);
  t.match((await second.login({ user: 'alice' })).error, { C: '42704' });
  t.equal(other.upstream.connections.length, 1);
});

await test('where the gate answers with a secret it answers again', async (t) => {
  const secretly = async (connection: UpstreamConnection): Promise<void> => {
    await connection.send(authenticationCleartextPassword());
    t.match((await connection.readMessage()).body.toString(), 'secret');
  };
  const { gate } = await start(
    t,
    refusing(OLD_SERVER, secretly),
    { ...PREFIXED, auth_file: 'users.key' },
    { 'users.key': '"alice" "secret"\n' },
  );
  const client = await openClient(t, gate);
  t.equal((await client.login({ user: 'alice' })).error, null);
  await gate.waitForLog(WARNING);
});

await test('no client makes the gate believe it', async (t) => {
  const words = 'unrecognized configuration parameter "gatehouse.client_addr"';
  /** By the user: what its logins end with, with the gate's settings and without. */
  const errors: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    // ALTER ROLE mallory SET local_preload_libraries = 'gatehouse.client_addr'
    mallory: { S: 'FATAL', C: '58P01', M: 'could not access file "gatehouse.client_addr"' },
    // Whatever it was that makes these logins fail, it does so without the gate's settings too.
    eve: { S: 'FATAL', C: '42704', M: words },
  };
  const seen: Startup[] = [];
  const { gate } = await start(
    t,
    async (connection) => {
      const startup = await connection.readStartup();
      seen.push(startup);
      const { user = '', options = '' } = startup.parameters;
      const error = errors[user] ?? (options === '' ? null : { S: 'FATAL', C: '42704', M: words });
      if (error === null) return connection.acceptLogin();
      await connection.send(authenticationOk(), errorResponse(error));
      connection.halfClose();
    },
    PREFIXED,
  );
  const code = async (parameters: Parameters): Promise<string | undefined> => {
    const client: RawClient = await openClient(t, gate);
    return (await client.login(parameters)).error?.['C'];
  };
  t.equal(await code({ user: 'mallory' }), '58P01');
  t.equal(seen.length, 1, 'not even tried again');
  t.equal(await code({ user: 'eve' }), '42704');
  t.equal(
    await code({ user: 'x', options: '-c a="gatehouse.client_addr"' }),
    '42704',
    'named by the client itself',
  );
  t.equal(seen.length, 4);
  t.equal(await code({ user: 'alice' }), undefined);
  t.equal(seen.at(-1)!.parameters['gatehouse.client_addr'], '127.0.0.1', 'others have their settings');
  // Once an upstream has taken them, AuthenticationOk is not held back, and such an error is the client's own.
  t.equal(await code({ user: 'eve' }), '42704');
  t.equal(await code({ user: 'alice' }), undefined);
  t.equal(seen.at(-1)!.parameters['gatehouse.client_addr'], '127.0.0.1');
  t.notOk(gate.log.some(({ msg }) => WARNING.msg.test(msg)));
});
