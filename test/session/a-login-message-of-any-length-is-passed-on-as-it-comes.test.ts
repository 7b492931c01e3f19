// What a server says during a login may be long: a ParameterStatus of a search_path of many schemas, the notice of a login
// trigger, an error with its context. It arrives whole, in bounded memory, and no error of the gate stands in its middle.

import { Client } from 'pg';
import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import {
  authenticationOk,
  backendKeyData,
  decodeErrorResponse,
  errorResponse,
  int32,
  noticeResponse,
  parameterStatus,
  query,
  readyForQuery,
  startupMessage,
} from '../support/peers/messages.ts';
import { HBA, startPostgres } from '../support/servers/postgres.ts';
import { psql } from '../support/peers/psql.ts';
import { scriptedUpstream, type UpstreamConnection } from '../support/peers/scripted-upstream.ts';
import { needs } from '../support/run/tools.ts';
import { codedLines, conninfo, openClient, takeOver, TRUST, until } from './clients.ts';
import { createKeystream, keystreamDigest, Seen } from './keystream.ts';
import { byHand, turn } from './logins.ts';

const LONG = 300_000;
const TOLD = [
  noticeResponse({ S: 'WARNING', M: 'w'.repeat(LONG) }),
  authenticationOk(),
  parameterStatus('search_path', 's'.repeat(LONG)),
  // More than a megabyte in all.
  ...Array.from({ length: 20 }, (_, index) => noticeResponse({ S: 'NOTICE', M: `${index}`.repeat(60_000) })),
  noticeResponse({ S: 'NOTICE', M: 'n'.repeat(3_000_000) }),
  backendKeyData(1, Buffer.from('abcd')),
  readyForQuery(),
];
const FLOOD_BYTES = 64 * 2 ** 20;
/** The header of a notice as long as the flood. */
const HEAD = Buffer.concat([Buffer.from('N'), int32(FLOOD_BYTES + 4)]);

for (const tls of [true, false]) {
  await test(`all of it arrives, ${tls ? 'inside TLS' : 'in clear'}`, async (t) => {
    const upstream = await scriptedUpstream(t, byHand);
    const gate = await startGate(t, { hba: TRUST, upstream });
    const client = await openClient(t, gate, { tls });
    const before = client.received.length;
    await client.send(startupMessage({ user: 'alice' }));
    const connection = await upstream.nextConnection();
    await connection.readStartup();
    await connection.send(...TOLD);
    const { messages, key } = await client.readLogin();
    t.equal(messages.length, TOLD.length);
    const expected = TOLD.with(TOLD.length - 2, backendKeyData(1, key!.key));
    t.ok(client.received.subarray(before).equals(Buffer.concat(expected)), 'byte for byte, but for the key');
    t.match(await gate.sessions(), [{ state: 'idle' }]);
    await client.send(query(''));
    t.equal((await connection.readMessage()).type, 'Q');
    t.match(await gate.sessions(), [{ state: 'active' }]);
    await connection.send(readyForQuery());
    await client.readMessage();
    t.match(await gate.sessions(), [{ state: 'idle' }], 'requests and answers are counted from there on');
  });

  await test(`a client that does not read it holds the server up, ${tls ? 'inside TLS' : 'in clear'}`, async (t) => {
    // On a Unix socket, whose buffers keep their size. Linux lets those of TCP grow to 32 MiB on each hop.
    const upstream = await scriptedUpstream(t, byHand, { unix: true });
    const gate = await startGate(t, { hba: TRUST, upstream });
    const client = await openClient(t, gate, { tls });
    await client.send(startupMessage({ user: 'alice' }));
    const connection = await upstream.nextConnection();
    await connection.readStartup();
    await connection.send(authenticationOk());
    await client.readMessage();
    const socket = takeOver(client);
    const before = gate.rssBytes();
    const taken = pourNotice(connection);
    await untilStuck(gate, taken);
    t.ok(taken() < 24 * 2 ** 20, `${taken()} bytes of ${FLOOD_BYTES} are on their way`);
    t.ok(gate.rssBytes() - before < 16 * 2 ** 20, 'and the gate has not grown');
    const seen = new Seen();
    let skipped = 0;
    socket.on('data', (chunk: Buffer) => {
      const skip = Math.min(chunk.length, HEAD.length - skipped);
      skipped += skip;
      seen.add(chunk.subarray(skip));
    });
    socket.resume();
    await until('all of it is there', async () => {
      await turn(gate);
      return seen.length >= FLOOD_BYTES;
    });
    t.strictSame([seen.length, seen.digest], [FLOOD_BYTES, keystreamDigest(3, FLOOD_BYTES)]);
    t.strictSame(codedLines(gate), []);
  });
}

/** Sends a notice of FLOOD_BYTES; the function says how much of it the kernel has taken. */
function pourNotice({ socket }: UpstreamConnection): () => number {
  let [taken, left] = [0, FLOOD_BYTES];
  const take = createKeystream(3);
  socket.write(HEAD);
  const write = (): void => {
    for (let goOn = true; goOn && left > 0;) {
      const chunk = take(Math.min(65_536, left));
      left -= chunk.length;
      goOn = socket.write(chunk, () => (taken += chunk.length));
    }
    if (left > 0) socket.once('drain', write);
  };
  write();
  return () => taken;
}

/** Waits until the gate has turned many times and nothing more was taken. */
async function untilStuck(gate: Gate, taken: () => number): Promise<void> {
  for (let [same, last] = [0, -1]; same < 20;) {
    await turn(gate);
    same = taken() === last ? same + 1 : 0;
    last = taken();
  }
}

await test('an error of any length is relayed, and its head is in the log', async (t) => {
  const refusal = errorResponse({
    S: 'FATAL',
    V: 'FATAL',
    C: '3D000',
    M: 'no such database',
    W: 'x'.repeat(LONG),
  });
  const upstream = await scriptedUpstream(t, byHand);
  const gate = await startGate(t, { hba: TRUST, upstream });
  const client = await openClient(t, gate);
  await client.send(startupMessage({ user: 'alice' }));
  const connection = await upstream.nextConnection();
  await connection.readStartup();
  await connection.send(refusal);
  connection.halfClose();
  t.match(decodeErrorResponse(await client.readMessage()), { C: '3D000', W: 'x'.repeat(LONG) });
  t.equal((await client.readUntilClose()).length, 0, 'and nothing after it');
  client.halfClose();
  t.match(await gate.waitForLog({ code: 'upstream-refused' }), {
    upstream_sqlstate: '3D000',
    msg: 'the upstream server refused the login: no such database',
  });
});

await test('no error stands in the middle of a message that is being passed on', async (t) => {
  const upstream = await scriptedUpstream(t, byHand);
  const gate = await startGate(t, { hba: TRUST, upstream });
  const half = TOLD[0]!.subarray(0, LONG / 2);
  for (const end of ['closes', 'is terminated'] as const) {
    const from = gate.logLength();
    const client = await openClient(t, gate);
    const before = client.received.length;
    await client.send(startupMessage({ user: 'alice' }));
    const connection = await upstream.nextConnection();
    await connection.readStartup();
    await connection.send(half);
    await client.read(half.length);
    if (end === 'closes') connection.halfClose();
    else {
      const [session] = await gate.sessions();
      await gate.admin(`/sessions/${session!.id}`, { method: 'DELETE' });
    }
    await client.closed;
    t.ok(client.received.subarray(before).equals(half), `${end}: the half, and nothing after it`);
    const code = end === 'closes' ? 'upstream-closed-early' : 'admin-terminated';
    await gate.waitForLog({ code }, { from });
    client.destroy();
  }
});

await test(
  'PostgreSQL 18, a search_path of 2,000 schemas and a talkative login trigger',
  needs('psql'),
  async (t) => {
    await using server = await startPostgres({ version: 18 });
    await server.setRules(HBA.trust);
    const schemas = Array.from({ length: 2_000 }, (_, index) => `a_schema_with_a_rather_long_name_${index}`);
    await server.query('create role alice login; create role bob login');
    await server.query(`alter role alice set search_path = ${schemas.join(', ')}`);
    await server.query(
      `create function greet() returns event_trigger language plpgsql as
       $$ begin raise notice '%', repeat('x', 2000000); end $$`,
    );
    await server.query('create event trigger greet on login execute function greet()');
    const gate = await startGate(t, { hba: TRUST, upstream: server });
    // libpq itself takes no ParameterStatus of that length, so psql comes as bob.
    const target = conninfo(gate, gate.authority.client('bob'), { user: 'bob' });
    const { stdout, stderr } = await psql(target, ['-c', 'select 1']);
    t.equal(stdout.trim(), '1');
    t.match(stderr, /^NOTICE: {2}x{2000000}$/m);
    const alice = new Client({
      host: '127.0.0.1',
      port: gate.port,
      user: 'alice',
      database: 'postgres',
      ssl: { ca: gate.authority.cert, servername: 'localhost' },
    });
    await alice.connect();
    const { rows } = await alice.query<{ search_path: string }>('show search_path');
    await alice.end();
    t.equal(rows[0]?.search_path, schemas.join(', '));
    t.strictSame(codedLines(gate), []);
  },
);
