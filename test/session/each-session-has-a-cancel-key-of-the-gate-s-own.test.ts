// The client never sees the upstream's cancel key: it gets one of the gate's own, 32 bytes from protocol 3.2 on and four
// before, and the gate translates it (contract §2). So with any upstream: one that gives no key, several, a late one, or
// the same process number to all.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import {
  backendKeyData,
  cancelRequest,
  query,
  readyForQuery,
  startupMessage,
} from '../support/peers/messages.ts';
import { connectRaw, protocolVersion } from '../support/peers/raw-client.ts';
import {
  authenticationOk,
  CANCEL_REQUEST_CODE,
  decodeStartup,
  scriptedUpstream,
  type Script,
  type UpstreamConnection,
} from '../support/peers/scripted-upstream.ts';
import { openClient, openSession, TRUST } from './clients.ts';

const THEIRS = Buffer.from('0badcafe', 'hex');
const LATE = backendKeyData(5, Buffer.from('late key'));
const AFTER_A_NOTICE = Buffer.concat([Buffer.from('N\0\0\0\x05\0'), LATE, readyForQuery()]);

/** What the upstream says to a client that asks for the database of this name. */
const logins: Readonly<Record<string, (connection: UpstreamConnection) => Promise<void>>> = {
  // As PgBouncer, whose process numbers say nothing.
  zero: letInBy(backendKeyData(0, THEIRS)),
  none: letInBy(),
  several: letInBy(backendKeyData(5, THEIRS), backendKeyData(6, Buffer.alloc(32, 9))),
  before: async (connection) => await connection.send(backendKeyData(5, THEIRS)),
  short: letInBy(backendKeyData(5, THEIRS.subarray(1))),
  long: letInBy(backendKeyData(5, Buffer.alloc(257))),
  'late, with ReadyForQuery': letInBy(readyForQuery(), LATE),
  'late, after another message and cut in its header': async (connection) => {
    await letInBy(backendKeyData(5, THEIRS))(connection);
    await connection.readMessage();
    await connection.send(AFTER_A_NOTICE.subarray(0, 9));
    await connection.send(AFTER_A_NOTICE.subarray(9));
  },
  kept: letInBy(backendKeyData(5, THEIRS)),
};

function letInBy(...messages: readonly Buffer[]) {
  return async (connection: UpstreamConnection): Promise<void> =>
    await connection.send(authenticationOk(), ...messages, readyForQuery());
}

/** Lets sessions in as their database says, and records cancel requests. */
const script: Script = async (connection) => {
  const packet = await connection.readPacket();
  if (packet.readInt32BE(0) === CANCEL_REQUEST_CODE) return connection.halfClose();
  const { pairs } = decodeStartup(packet);
  await logins[Object.fromEntries(pairs)['database']!]!(connection);
};

/** Another upstream, which gives another key to the same process. */
const letInOther: Script = async (connection) => {
  const packet = await connection.readPacket();
  if (packet.readInt32BE(0) === CANCEL_REQUEST_CODE) connection.halfClose();
  else await letInBy(backendKeyData(5, Buffer.from('2222')))(connection);
};

await test('a key of its own', async (t) => {
  const upstream = await scriptedUpstream(t, script);
  const gate = await startGate(t, { hba: TRUST, upstream });
  const cancel = async (pid: number, key: Buffer): Promise<void> => {
    const client = await connectRaw(t, gate.port);
    await client.send(cancelRequest(pid, key));
    await client.expectClosed();
  };
  /** What has come from the gate at the upstream since. */
  const since = (count: number, at = upstream): readonly Buffer[] => at.received.slice(count);
  const openAt = async (database: string) =>
    await openSession(t, gate, { parameters: { user: 'alice', database } });

  await t.test('as long as its protocol has it, and another for each session', async (sub) => {
    const seen = new Set<string>();
    for (const [minor, length] of [
      [0, 4],
      [1, 4],
      [2, 32],
      [3, 32],
      [9999, 32],
    ] as const) {
      const client = await openClient(sub, gate, { tls: minor > 1 });
      const { key } = await client.login({ user: 'alice', database: 'zero' }, protocolVersion(3, minor));
      sub.equal(key?.pid, 0);
      sub.equal(key?.key.length, length, `3.${minor}`);
      seen.add(key!.key.toString('hex'));
      const before = upstream.connections.length;
      await cancel(0, key!.key);
      sub.strictSame(since(before), [cancelRequest(0, THEIRS)], `3.${minor}: translated`);
      client.halfClose();
    }
    sub.equal(seen.size, 5, 'no key twice');
    sub.notOk(seen.has(THEIRS.toString('hex')));
  });

  await t.test('none where the upstream gives none', async (sub) => {
    sub.equal((await openAt('none')).login.key, null);
    const row = (await gate.sessions()).find(({ database }) => database === 'none');
    sub.match(row, { upstream_pid: null });
  });

  await t.test('of several the last one counts', async (sub) => {
    const { login } = await openAt('several');
    const given = login.messages.filter(({ type }) => type === 'K').map(({ body }) => body);
    sub.strictSame(
      given.map((body) => [body.readInt32BE(), body.length]),
      [
        [5, 8],
        [6, 8],
      ],
    );
    const row = (await gate.sessions()).find(({ database }) => database === 'several');
    sub.match(row, { upstream_pid: 6 });
    const before = upstream.connections.length;
    await cancel(5, given[0]!.subarray(4));
    sub.strictSame(since(before), [], 'the first one is forgotten');
    await cancel(6, given[1]!.subarray(4));
    sub.strictSame(since(before), [cancelRequest(6, Buffer.alloc(32, 9))]);
  });

  await t.test('before AuthenticationOk, or of an impossible length, it ends the login', async (sub) => {
    for (const database of ['before', 'short', 'long']) {
      const from = gate.logLength();
      const client = await openClient(sub, gate);
      const { error, key } = await client.login({ user: 'alice', database });
      sub.match(error, { C: '08P01' }, database);
      sub.equal(key, null, database);
      await gate.waitForLog({ code: 'upstream-protocol-violation' }, { from });
    }
  });

  await t.test('after the login it is not passed on: the session ends', async (sub) => {
    for (const database of Object.keys(logins).filter((name) => name.startsWith('late'))) {
      const from = gate.logLength();
      const client = await openClient(sub, gate);
      await client.send(startupMessage({ user: 'alice', database }), query('select 1'));
      await client.readUntilClose();
      sub.notOk(client.received.includes('late'), database);
      const line = await gate.waitForLog({ code: 'upstream-protocol-violation' }, { from });
      sub.match(line, { user: 'alice', msg: /BackendKeyData after the login/ }, database);
      sub.notOk((await gate.sessions()).some((row) => row['database'] === database));
    }
  });

  await t.test(
    'leads to where its session is, even when a reload has named another upstream',
    async (sub) => {
      const other = await scriptedUpstream(sub, letInOther);
      const { login } = await openAt('kept');
      const settings = readFileSync(join(gate.directory, 'gatehouse.yaml'), 'utf8');
      const changed = settings.replace(`port: ${upstream.port}`, `port: ${other.port}`);
      sub.not(changed, settings);
      gate.rewrite('gatehouse.yaml', changed);
      sub.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
      const { login: second } = await openAt('kept');
      sub.equal(other.connections.length, 1, 'new sessions go to the new one');
      const before = upstream.connections.length;
      await cancel(5, login.key!.key);
      sub.strictSame(since(before), [cancelRequest(5, THEIRS)]);
      await cancel(5, second.key!.key);
      sub.strictSame(since(1, other), [cancelRequest(5, Buffer.from('2222'))]);
    },
  );
});
