// A gate near its limit of open files: it keeps its sessions, sheds who is too many with one log line for all of them,
// lets silent strangers give way to clients, and takes clients again as soon as there is room.

import { test } from 'tap';
import { connectionsThatFit } from '../../src/server/open-file-limit.ts';
import { startGate } from '../support/run/gate.ts';
import { connectRaw, type RawClient } from '../support/peers/raw-client.ts';
import { msBetween } from '../session/clients.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

const LIMIT = 64;
const FIT = connectionsThatFit(LIMIT);
const HBA = 'host all all all trust\n';
/** There is one line for all whom the gate sheds in ten seconds; two clocks may differ by some milliseconds. */
const ONE_LINE_IN_MS = 9_950;
const prelude = `ulimit -n ${LIMIT}`;

await test('a limit is divided between connections and the rest', async (t) => {
  const table: readonly (readonly [limit: number, connections: number])[] = [
    [0, 1],
    [64, 12],
    [1024, 448],
    [65_536, 28_672],
    [Infinity, Infinity],
  ];
  for (const [limit, connections] of table) t.equal(connectionsThatFit(limit), connections, `${limit}`);
});

await test('sessions fill it, and the next clients are shed until one ends', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: HBA, upstream, prelude });
  const sessions: RawClient[] = [];
  for (let index = 0; index < FIT; index++) {
    const client = await connectRaw(t, gate.port);
    t.equal((await client.login({ user: 'u', database: 'd' })).error, null);
    sessions.push(client);
  }
  const tooMany = [];
  for (let index = 0; index < 50; index++) tooMany.push(await connectRaw(t, gate.port));
  for (const client of tooMany) await client.expectClosed();
  t.match(await gate.waitForLog({ msg: /^could not accept new connection: / }), {
    level: 'error',
    msg: 'could not accept new connection: Too many open files',
    clients: 1,
  });
  const metrics = await gate.metrics();
  t.equal(metrics.value('connections_total', { outcome: 'too-many-open-files' }), 50);
  t.equal(metrics.value('sessions'), FIT, 'the sessions stay');
  const lines = gate.log.filter(({ msg }) => msg.startsWith('could not accept'));
  // A machine so busy that they came over more than that time sees another line.
  const areApart = lines.slice(1).every((line, at) => msBetween(lines[at] ?? line, line) > ONE_LINE_IN_MS);
  t.ok(areApart, `one line for all: ${lines.length}`);

  const from = gate.logLength();
  sessions[0]?.destroy();
  await gate.waitForLog({ msg: /^disconnection: / }, { from });
  const next = await connectRaw(t, gate.port);
  t.equal((await next.login({ user: 'u', database: 'd' })).error, null, 'room again');
});

await test('strangers that say nothing give way to a client', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: HBA, upstream, prelude });
  for (let index = 0; index < 3 * FIT; index++) await connectRaw(t, gate.port);
  const client = await connectRaw(t, gate.port);
  t.equal((await client.login({ user: 'u', database: 'd' })).error, null);
  await gate.waitForLog(({ code }) => code !== undefined);
  const shed = gate.log.filter(({ code }) => code !== undefined);
  t.ok(shed.length > 0);
  for (const line of shed) {
    t.match(
      line,
      { code: 'too-many-open-files', msg: /^the limit of open files leaves room for 12 / },
      'the limit that is meant',
    );
  }
  t.equal((await gate.metrics()).value('connections_total', { outcome: 'handshake-evicted' }), 0);
});
