// The exchange of a password, seen from the upstream: one `p` for each request, whole, whenever the client sends it and
// however it is cut; what comes after it waits for the end of the login; anything else in its place ends the login.

import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import {
  decodeErrorResponse,
  int32,
  message,
  passwordMessage,
  query,
  startupMessage,
} from '../support/peers/messages.ts';
import { printable } from '../support/peers/byte-channel.ts';
import { scriptedUpstream, type ScriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { codedLines, openClient, until } from './clients.ts';
import {
  byHand,
  LET_IN,
  PASSWORD_LINES,
  PASSWORD_METHODS,
  PROOF,
  REQUESTS,
  sendCut,
  turn,
  type PasswordMethod,
} from './logins.ts';

const AFTER = query('select 1');

/** Plays the upstream's part of a login, and wants each step to have brought its own answer and nothing more. */
async function playUpstream(
  gate: Gate,
  upstream: ScriptedUpstream,
  method: PasswordMethod,
  answers: readonly Buffer[],
): Promise<string | null> {
  const connection = await upstream.nextConnection();
  await connection.readStartup();
  let expected = startupMessage({ user: 'alice', database: method });
  for (const [index, request] of REQUESTS[method].entries()) {
    await turn(gate);
    if (!connection.received.equals(expected))
      return `before request ${index}: ${printable(connection.received)}`;
    await connection.send(request);
    await connection.readMessage();
    expected = Buffer.concat([expected, answers[index]!]);
  }
  await turn(gate);
  await connection.send(...PROOF[method]);
  await turn(gate);
  if (!connection.received.equals(expected))
    return `before AuthenticationOk: ${printable(connection.received)}`;
  await connection.send(...LET_IN);
  await connection.read(AFTER.length);
  await connection.closed;
  connection.halfClose();
  expected = Buffer.concat([expected, AFTER]);
  return connection.received.equals(expected) ? null : `at the end: ${printable(connection.received)}`;
}

/** One for each request, none like the other. */
function answersTo(method: PasswordMethod): readonly Buffer[] {
  return REQUESTS[method].map((_, index) => passwordMessage(`answer ${index}`));
}

for (const method of PASSWORD_METHODS) {
  for (const tls of [true, false]) {
    const where = `${method} ${tls ? 'inside TLS' : 'in clear'}`;
    await test(`${where}: all that the client has to say, sent ahead and cut anywhere`, async (t) => {
      const upstream = await scriptedUpstream(t, byHand);
      const gate = await startGate(t, { hba: PASSWORD_LINES, upstream });
      const answers = answersTo(method);
      const startup = startupMessage({ user: 'alice', database: method });
      const all = Buffer.concat([startup, ...answers, AFTER]);
      const cuts = [0, ...[...Array(all.length).keys()].slice(startup.length), 'bytes'] as const;
      for (const cut of cuts) {
        const client = await openClient(t, gate, { tls });
        const played = playUpstream(gate, upstream, method, answers);
        await sendCut(gate, client, all, cut);
        client.halfClose();
        const fault = await played;
        if (fault !== null) t.fail(`cut ${cut}: ${fault}`);
        const { messages } = await client.readLogin();
        if (messages.at(-1)?.type !== 'Z') t.fail(`cut ${cut}: no session`);
      }
      t.equal(upstream.connections.length, cuts.length);
      await until('nothing is left', async () => (await gate.sessions()).length === 0);
      t.strictSame(codedLines(gate), []);
    });
  }

  await test(`${method}: an answer that comes when it was asked for, byte by byte`, async (t) => {
    const upstream = await scriptedUpstream(t, byHand);
    const gate = await startGate(t, { hba: PASSWORD_LINES, upstream });
    const client = await openClient(t, gate);
    const answers = answersTo(method);
    const played = playUpstream(gate, upstream, method, answers);
    await client.send(startupMessage({ user: 'alice', database: method }));
    for (const answer of answers) {
      await client.readMessage();
      await client.sendByteByByte(answer);
    }
    await client.readLogin();
    await client.send(AFTER);
    client.halfClose();
    t.equal(await played, null);
  });
}

await test('any other message in place of the answer', async (t) => {
  const upstream = await scriptedUpstream(t, byHand);
  const gate = await startGate(t, { hba: PASSWORD_LINES, upstream });
  for (const [method, what] of [
    ['password', 'password'],
    ['scram-sha-256', 'SASL'],
  ] as const) {
    for (const type of ['Q', 'X', 'P', 'F', 'd', '\0', '\xff']) {
      const from = gate.logLength();
      const client = await openClient(t, gate);
      await client.send(startupMessage({ user: 'alice', database: method }));
      const connection = await upstream.nextConnection();
      await connection.readStartup();
      await connection.send(REQUESTS[method][0]!);
      await client.readMessage();
      await client.send(message(type, Buffer.from('drop table t\0')));
      t.strictSame(
        decodeErrorResponse(await client.readMessage()),
        {
          S: 'FATAL',
          V: 'FATAL',
          C: '08P01',
          M: `expected ${what} response, got message type ${type.charCodeAt(0)}`,
        },
        `${method}: ${JSON.stringify(type)}`,
      );
      await connection.closed;
      t.equal(connection.received.length, startupMessage({ user: 'alice', database: method }).length);
      await gate.waitForLog({ code: 'invalid-authentication-message' }, { from });
      client.destroy();
    }
  }
});

await test('an answer is as long as PostgreSQL takes it, and no longer', async (t) => {
  const upstream = await scriptedUpstream(t, byHand);
  const gate = await startGate(t, { hba: PASSWORD_LINES, upstream });
  for (const { method, length, told } of [
    { method: 'password', length: 65_535, told: 'taken' },
    { method: 'password', length: 65_536, told: 'closed' },
    { method: 'password', length: 3, told: 'closed' },
    { method: 'password', length: 0xffff_ffff, told: 'closed' },
    { method: 'scram-sha-256', length: 1_024, told: 'taken' },
    { method: 'scram-sha-256', length: 1_025, told: '28P01' },
  ] as const) {
    const name = `${method} of ${length} bytes`;
    const client = await openClient(t, gate);
    const startup = startupMessage({ user: 'alice', database: method });
    await client.send(startup);
    const connection = await upstream.nextConnection();
    await connection.readStartup();
    await connection.send(REQUESTS[method][0]!);
    await client.readMessage();
    const from = gate.logLength();
    const body = Buffer.alloc(Math.max(0, Math.min(length, 70_000) - 4), 0x61);
    await client.send(Buffer.from('p'), int32(length), body);
    if (told === 'taken') {
      t.equal((await connection.readMessage()).body.length, length - 4, name);
      client.destroy();
      continue;
    }
    if (told === 'closed') t.equal((await client.readUntilClose()).length, 0, name);
    else t.match(decodeErrorResponse(await client.readMessage()), { C: told, M: /^password auth/ }, name);
    const line = await gate.waitForLog({ code: 'invalid-authentication-message' }, { from });
    t.match(line, { msg: 'invalid message length' }, name);
    await connection.closed;
    t.same(connection.received, startup, name);
    client.destroy();
  }
});
