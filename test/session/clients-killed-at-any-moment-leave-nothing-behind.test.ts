// A hundred clients that end by SIGKILL, or as the kernel ends one, at every stage of a connection's life: what stays is
// no session, no handshake, no connection to the upstream and no file descriptor.

import { setTimeout as elapsed } from 'node:timers/promises';
import { test } from 'tap';
import type { Credentials } from '../support/certificates/certificates.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { startPostgres, HBA } from '../support/servers/postgres.ts';
import { connectionString, psql, startClient } from '../support/peers/psql.ts';
import {
  connectRaw,
  query,
  sslRequest,
  startupMessage,
  type RawClient,
} from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { needs } from '../support/run/tools.ts';
import { assertNothingOpen, idleFdCount } from '../support/peers/visitor.ts';
import { conninfo, openClient, until } from './clients.ts';
import { createRandom } from './keystream.ts';

/** Each stage leaves the client where the kernel would find it. */
const stages: Record<string, (client: RawClient, reopen: () => Promise<RawClient>) => Promise<RawClient>> = {
  connected: async (client) => client,
  'in the middle of its first packet': async (client) => {
    await client.send(sslRequest().subarray(0, 5));
    return client;
  },
  'after SSLRequest': async (client) => {
    await client.requestTls();
    return client;
  },
  'in the middle of the TLS handshake': async (client) => {
    await client.requestTls();
    await client.send(Buffer.from('1603010200010001fc0303', 'hex'));
    return client;
  },
  'inside TLS': async (_, reopen) => reopen(),
  'in the middle of the startup packet': async (_, reopen) => {
    const client = await reopen();
    await client.send(startupMessage({ user: 'postgres' }).subarray(0, 12));
    return client;
  },
  'asked for a password': async (_, reopen) => {
    const client = await reopen();
    await client.send(startupMessage({ user: 'alice', database: 'postgres' }));
    await client.readMessage();
    return client;
  },
  idle: async (_, reopen) => {
    const client = await reopen();
    await client.login({ user: 'postgres' });
    return client;
  },
  'at a query': async (_, reopen) => {
    const client = await reopen();
    await client.login({ user: 'postgres' });
    await client.send(query('select count(*) from generate_series(1, 100000)'));
    return client;
  },
  'with an answer that it does not read': async (_, reopen) => {
    const client = await reopen();
    await client.login({ user: 'postgres' });
    client.pause();
    await client.send(query("select repeat('x', 1000) from generate_series(1, 30000)"));
    return client;
  },
};

const RAW_EACH = 4;
/** So many chains of psql, one after another, so that the machine can keep up with starting them. */
const CHAINS = 6;
const PSQL_EACH = 10;
/** About the time that psql takes to connect and be busy. */
const LONGEST_LIFE_MS = 250;

const jobs = [
  String.raw`\copy (select repeat('x', 500) from generate_series(1, 40000)) to '/dev/null'`,
  String.raw`\copy sink from program 'yes'`,
  'select count(*) from generate_series(1, 50000) \\watch 0.01',
];

await test('a hundred clients', needs('psql'), async (t) => {
  await using server = await startPostgres({
    version: 15,
    hba: `host all alice 127.0.0.1/32 scram-sha-256\n${HBA.trust}`,
  });
  await server.createUser('alice', { password: 'secret' });
  await server.query('create unlogged table sink (line text)');
  const gate = await startGate(t, { hba: 'hostssl all all 127.0.0.1/32 trust\n', upstream: server });
  const credentials = gate.authority.client('postgres');
  // What a process keeps from its first session on is not a leftover.
  await psql(conninfo(gate, credentials), ['-c', 'select 1']);
  await quiet(gate);
  const before = await idleFdCount(gate);

  const random = createRandom(9);
  await Promise.all([
    ...Object.values(stages).flatMap((stage) =>
      Array.from({ length: RAW_EACH }, () => destroyedAt(t, gate, stage)),
    ),
    ...Array.from({ length: CHAINS }, async (_, chain) => {
      for (let each = 0; each < PSQL_EACH; each += 1) {
        await killedPsql(t, gate, credentials, jobs[(chain + each) % jobs.length]!, random(LONGEST_LIFE_MS));
      }
    }),
  ]);

  await quiet(gate);
  await until('the upstream has no session', async () => {
    const [row] = await server.query(
      "select count(*)::int n from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
    );
    return row?.['n'] === 0;
  });
  t.strictSame(await gate.sessions(), []);
  t.equal((await gate.metrics()).value('handshakes_in_progress'), 0);
  await assertNothingOpen(t, gate, before);
});

async function destroyedAt(t: Scope, gate: Gate, stage: (typeof stages)[string]): Promise<void> {
  const first = await connectRaw(t, gate.port);
  const client = await stage(first, () => openClient(t, gate));
  first.raw.destroy();
  client.raw.destroy();
}

async function killedPsql(
  t: Scope,
  gate: Gate,
  credentials: Credentials,
  job: string,
  lifeMs: number,
): Promise<void> {
  const child = startClient(t, 'psql', ['-X', '-q', connectionString(conninfo(gate, credentials))]);
  child.stdout.resume();
  child.stdin.write(`${job}\n`);
  // The moment is the scenario: nothing is awaited.
  await elapsed(lifeMs);
  child.kill('SIGKILL');
}

async function quiet(gate: Gate): Promise<void> {
  await until('no session and no handshake is left', async () => {
    if ((await gate.sessions()).length > 0) return false;
    return (await gate.metrics()).value('handshakes_in_progress') === 0;
  });
}
