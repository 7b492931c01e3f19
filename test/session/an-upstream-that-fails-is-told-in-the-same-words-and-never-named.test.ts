// Every way in which an upstream may fail before it has answered a login: what the client is told, what the log says,
// and that it does not take long. Nothing that a client is sent names the upstream's address.

import { test } from 'tap';
import { freePort } from '../support/run/free-port.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import {
  authentication,
  authenticationCleartextPassword,
  authenticationOk,
  backendKeyData,
  errorResponse,
  message,
  noticeResponse,
  parameterStatus,
  passwordMessage,
  readyForQuery,
  startupMessage,
} from '../support/peers/messages.ts';
import { scriptedUpstream, scripts, type Script } from '../support/peers/scripted-upstream.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { codedLines, msBetween, openClient, openSession, TRUST, until } from './clients.ts';

const CONNECT_TIMEOUT_MS = 700;
/** How much longer than the timeout a refusal may take on a busy machine. */
const SLACK_MS = 2500;
/** For those that fail before their time is up: a busy machine must not be late. */
const LONG_CONNECT_TIMEOUT_MS = 60_000;

interface Case {
  readonly how: string;
  readonly script: Script;
  readonly code: string;
  readonly sqlstate: string;
  readonly text: string;
  readonly slow?: boolean;
}

const CLOSED = {
  code: 'upstream-closed-early',
  sqlstate: '08006',
  text: 'the upstream server closed the connection before it answered',
};
const TIMED_OUT = {
  code: 'upstream-timeout',
  sqlstate: '08006',
  text: 'could not connect to the upstream server',
  slow: true,
};
const VIOLATED = {
  code: 'upstream-protocol-violation',
  sqlstate: '08P01',
  text: 'the upstream server violated the protocol',
};

/** A script that reads the startup packet and then answers with these bytes. */
function answering(bytes: Uint8Array, end: 'close' | 'reset' | 'stall'): Script {
  return async (connection) => {
    await connection.readStartup();
    if (bytes.length > 0) await connection.send(bytes);
    if (end === 'close') connection.halfClose();
    if (end === 'reset') connection.reset();
  };
}

const cases: readonly Case[] = [
  { how: 'closes at once', script: scripts.close, ...CLOSED },
  { how: 'resets at once', script: scripts.reset, ...CLOSED },
  { how: 'closes in the middle of the startup packet', script: (c) => c.closeAfter(5), ...CLOSED },
  { how: 'closes after the startup packet', script: answering(Buffer.alloc(0), 'close'), ...CLOSED },
  { how: 'resets after the startup packet', script: answering(Buffer.alloc(0), 'reset'), ...CLOSED },
  { how: 'never says a word', script: answering(Buffer.alloc(0), 'stall'), ...TIMED_OUT },
  {
    how: 'speaks HTTP',
    script: answering(Buffer.from('HTTP/1.1 400 Bad Request\r\n'), 'close'),
    ...VIOLATED,
  },
  { how: 'announces 2 GB', script: answering(Buffer.from('527fffffff', 'hex'), 'stall'), ...VIOLATED },
  { how: 'announces nothing', script: answering(Buffer.from('5200000003', 'hex'), 'stall'), ...VIOLATED },
  {
    how: 'is ready before anybody is authenticated',
    script: answering(readyForQuery(), 'stall'),
    ...VIOLATED,
  },
  { how: 'sends rows', script: answering(message('D', Buffer.alloc(6)), 'stall'), ...VIOLATED },
];

await test('an upstream that', async (t) => {
  let script: Script = scripts.stall;
  const upstream = await scriptedUpstream(t, (connection) => script(connection));
  const start = async (timeoutMs: number): Promise<Gate> =>
    await startGate(t, {
      hba: TRUST,
      upstream,
      config: { upstream: { connect_timeout: `${timeoutMs}ms` } },
    });
  const gates = { slow: await start(CONNECT_TIMEOUT_MS), quick: await start(LONG_CONNECT_TIMEOUT_MS) };
  for (const { how, script: next, code, sqlstate, text, slow = false } of cases) {
    script = next;
    const gate = slow ? gates.slow : gates.quick;
    const from = gate.logLength();
    const client = await openClient(t, gate);
    const begin = performance.now();
    const { error } = await client.login({ user: 'alice' });
    const lasted = performance.now() - begin;
    t.strictSame(error, { S: 'FATAL', V: 'FATAL', C: sqlstate, M: text }, how);
    const least = slow ? CONNECT_TIMEOUT_MS - 50 : 0;
    t.ok(lasted >= least, `${how}: after ${Math.round(lasted)} ms`);
    // By the gate's own clock, since this process may be late. What it does right before it dials is this line.
    const dialled = await gate.waitForLog({ msg: /^connection authenticated: / }, { from });
    const took = msBetween(dialled, await gate.waitForLog({ code }, { from }));
    t.ok(took < least + SLACK_MS, `${how}: ${took} ms after the dial`);
    client.halfClose();
    await until('the session is gone', async () => (await gate.sessions()).length === 0);
    t.match(codedLines(gate, from), [{ code, sqlstate, user: 'alice', host: '127.0.0.1' }], how);
    t.equal(codedLines(gate, from).length, 1, `${how}: one line`);
  }
});

await test('nobody listens', async (t) => {
  for (const unix of [false, true]) {
    const upstream = unix
      ? { host: temporaryDirectory(t), port: 5432 }
      : { host: '127.0.0.1', port: await freePort() };
    const gate = await startGate(t, { hba: TRUST, upstream });
    const client = await openClient(t, gate);
    const { error } = await client.login({ user: 'alice' });
    t.match(error, { C: '08006', M: /^could not connect to the upstream server$/ });
    const line = await gate.waitForLog({ code: 'upstream-unreachable' });
    t.match(line.msg, unix ? /No such file or directory$/ : /Connection refused$/);
    t.equal(codedLines(gate).length, 1);
  }
});

const LOGIN = [
  authenticationOk(),
  parameterStatus('server_version', '10.23'),
  noticeResponse({ S: 'NOTICE', M: 'hello' }),
  backendKeyData(1, Buffer.from('abcd')),
  readyForQuery(),
];

await test('a login that breaks off after any of its bytes', async (t) => {
  const whole = Buffer.concat(LOGIN);
  const upstream = await scriptedUpstream(t, async (connection) => {
    const cut = Number((await connection.readStartup()).parameters['user']);
    if (cut > 0) await connection.send(whole.subarray(0, cut));
    connection.halfClose();
  });
  const gate = await startGate(t, { hba: TRUST, upstream });
  for (let cut = 0; cut < whole.length; cut += 1) {
    const client = await openClient(t, gate, { tls: false });
    const { messages, error } = await client.login({ user: String(cut) });
    if (error?.['M'] !== CLOSED.text || error['C'] !== '08006')
      t.fail(`cut after ${cut}: ${JSON.stringify(error)}`);
    // What came whole has been sent on; of the message that was cut, nothing.
    const before = LOGIN.filter((_, index) => Buffer.concat(LOGIN.slice(0, index + 1)).length <= cut);
    if (messages.length !== before.length + 1) t.fail(`cut after ${cut}: ${messages.length} messages`);
    client.halfClose();
  }
  await until('every session is gone', async () => (await gate.sessions()).length === 0);
  t.equal(codedLines(gate).filter(({ code }) => code === 'upstream-closed-early').length, whole.length);
});

await test('a login that comes byte by byte is as good as any', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.readStartup();
    await connection.dribble(Buffer.concat(LOGIN));
  });
  const gate = await startGate(t, { hba: TRUST, upstream });
  const { login } = await openSession(t, gate);
  t.equal(login.messages.map(({ type }) => type).join(''), 'RSNKZ');
});

await test("the upstream's own refusal is relayed as it is", async (t) => {
  const refusal = errorResponse({ S: 'FATAL', V: 'FATAL', C: '3D000', M: 'no such database', F: 'x.c' });
  const upstream = await scriptedUpstream(t, answering(refusal, 'close'));
  const gate = await startGate(t, { hba: TRUST, upstream });
  const client = await openClient(t, gate);
  await client.login({ user: 'alice' });
  await client.closed;
  client.halfClose();
  t.strictSame(
    client.received,
    Buffer.concat([Buffer.from('S'), refusal]),
    'the answer to SSLRequest, and this',
  );
  t.match(await gate.waitForLog({ code: 'upstream-refused' }), { upstream_sqlstate: '3D000', user: 'alice' });
});

await test('a client that leaves while the upstream makes up its mind', async (t) => {
  for (const how of ['closes', 'resets'] as const) {
    const upstream = await scriptedUpstream(t, async (connection) => {
      await connection.readStartup();
      await connection.send(authenticationCleartextPassword());
      await connection.stall();
      connection.halfClose();
    });
    const gate = await startGate(t, { hba: TRUST, upstream });
    const client = await openClient(t, gate);
    await client.send(startupMessage({ user: 'alice' }));
    await client.readMessage();
    if (how === 'closes') client.halfClose();
    else client.reset();
    await gate.waitForLog({ code: 'client-gave-up' });
    await until('the session is gone', async () => (await gate.sessions()).length === 0);
    t.equal(codedLines(gate).length, 1, how);
  }
});

await test('a password is typed for longer than connect_timeout, which only the first answer has to keep', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    const { parameters } = await connection.readStartup();
    if (parameters['user'] === 'nobody') return;
    await connection.send(authentication(5, Buffer.from('salt')));
    await connection.readMessage();
    await connection.send(...LOGIN);
  });
  const gate = await startGate(t, {
    hba: TRUST,
    upstream,
    config: { upstream: { connect_timeout: '3s' } },
  });
  const typist = await openClient(t, gate);
  await typist.send(startupMessage({ user: 'alice' }));
  await typist.readMessage();
  // One that is never answered shows that the time has passed.
  const other = await openClient(t, gate);
  t.match((await other.login({ user: 'nobody' })).error, { C: '08006' });
  await typist.send(passwordMessage('secret'));
  t.equal((await typist.readLogin()).error, null);
});
