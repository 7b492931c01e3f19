// authentication_timeout, from accept to the upstream's AuthenticationOk: at whatever stage a client stands still, it is
// dropped then, without a byte, with one line; and who has logged in is left alone.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { authenticationCleartextPassword, sslRequest, startupMessage } from '../support/peers/messages.ts';
import { connectRaw, type RawClient } from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { codedLines, letIn, msBetween, openClient, openSession, TRUST, until } from './clients.ts';

/** Long enough for a busy machine to reach each stage within it. */
const TIMEOUT_MS = 5000;

await test('at every stage', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    const { parameters } = await connection.readStartup();
    if (parameters['user'] === 'typist') await connection.send(authenticationCleartextPassword());
  });
  const gate = await startGate(t, {
    hba: TRUST,
    upstream,
    config: { authentication_timeout: `${TIMEOUT_MS}ms` },
  });
  const connect = async (): Promise<RawClient> => connectRaw(t, gate.port);
  const stages: [string, () => Promise<RawClient>][] = [
    ['not a byte', connect],
    [
      'half an SSLRequest',
      async () => {
        const client = await connect();
        await client.send(sslRequest().subarray(0, 3));
        return client;
      },
    ],
    [
      'no ClientHello',
      async () => {
        const client = await connect();
        await client.requestTls();
        return client;
      },
    ],
    [
      'half a ClientHello',
      async () => {
        const client = await connect();
        await client.requestTls();
        await client.send(Buffer.from('1603010200010001fc0303', 'hex'));
        return client;
      },
    ],
    ['no startup packet inside TLS', async () => openClient(t, gate)],
    [
      'half a startup packet',
      async () => {
        const client = await openClient(t, gate);
        await client.send(startupMessage({ user: 'alice' }).subarray(0, 14));
        return client;
      },
    ],
    [
      'no password',
      async () => {
        const client = await openClient(t, gate);
        await client.send(startupMessage({ user: 'typist' }));
        await client.readMessage();
        return client;
      },
    ],
    [
      'an upstream that asks and is not answered in time',
      async () => {
        const client = await openClient(t, gate, { tls: false });
        await client.send(startupMessage({ user: 'typist' }));
        await client.readMessage();
        await client.send(Buffer.from('p'));
        return client;
      },
    ],
  ];
  await Promise.all(
    stages.map(async ([name, reach]) => {
      const begin = performance.now();
      const client = await reach();
      await client.expectClosed();
      const lasted = performance.now() - begin;
      t.ok(lasted > TIMEOUT_MS - 50, `${name}: ${Math.round(lasted)} ms`);
      client.halfClose();
      // By the gate's own clock, since this process may be late.
      const { localPort: port } = client.raw;
      const received = await gate.waitForLog({ msg: `connection received: host=127.0.0.1 port=${port}` });
      const ended = await gate.waitForLog(({ code, id }) => code !== undefined && id === received['id']);
      const took = msBetween(received, ended);
      t.ok(took < TIMEOUT_MS + 2000, `${name}: dropped after ${took} ms`);
    }),
  );
  t.strictSame(
    codedLines(gate).map(({ code, msg }) => [code, msg]),
    stages.map(() => ['authentication-timeout', 'canceling authentication due to timeout']),
  );
  await until('nothing is left', async () => (await gate.sessions()).length === 0);
});

await test('a session that has logged in outlives it', async (t) => {
  const upstream = await scriptedUpstream(t, letIn);
  const gate = await startGate(t, {
    hba: TRUST,
    upstream,
    config: { authentication_timeout: `${TIMEOUT_MS}ms` },
  });
  const { client } = await openSession(t, gate);
  // One that came later and never logs in shows that the time has passed.
  const silent = await connectRaw(t, gate.port);
  await silent.expectClosed();
  t.notOk(client.isClosed);
  t.equal((await gate.sessions()).length, 1);
});
