// A client that a rule has let come as far as its password has proved nothing yet: it is a handshake, which may be shed,
// and takes no place of max_connections. From AuthenticationOk on it is a session.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw, passwordMessage, startupMessage } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { askedForPassword, codedLines, until } from './clients.ts';

const TOO_MANY = { S: 'FATAL', C: '53300', M: 'sorry, too many clients already' };
const HBA = 'host all all all password\n';

for (const workers of [1, 2]) {
  await test(`max_connections silent ones, workers: ${workers}`, async (t) => {
    const upstream = await scriptedUpstream(t, scripts.password);
    const limits = { max_connections: 3, max_connections_per_address: 3 };
    const gate = await startGate(t, { hba: HBA, upstream, config: { workers, ...limits } });
    for (let count = 0; count < 5; count++) await askedForPassword(t, gate);
    t.strictSame(await gate.sessions(), [], 'none of them is a session');
    for (let count = 0; count < 3; count++) {
      const client = await askedForPassword(t, gate);
      await client.send(passwordMessage('secret'));
      t.equal((await client.readLogin()).error, null, 'a client with a password gets in');
    }
    t.equal((await gate.sessions()).length, 3);
    const metrics = await gate.metrics();
    t.equal(metrics.value('sessions'), 3);
    t.equal(metrics.value('handshakes_in_progress'), 5);

    const late = await connectRaw(t, gate.port);
    t.match((await late.login({ user: 'alice' })).error, TOO_MANY, 'one too many is not even asked');
  });

  await test(`the last place is taken while it is asked, workers: ${workers}`, async (t) => {
    const upstream = await scriptedUpstream(t, scripts.password);
    const gate = await startGate(t, { hba: HBA, upstream, config: { workers, max_connections: 1 } });
    const [first, second] = [await askedForPassword(t, gate), await askedForPassword(t, gate)];
    await first.send(passwordMessage('secret'));
    t.equal((await first.readLogin()).error, null);
    await second.send(passwordMessage('secret'));
    t.match((await second.readLogin()).error, TOO_MANY, 'it is not told that it is in');
    await gate.waitForLog(({ code }) => code !== undefined);
    t.strictSame(
      codedLines(gate).map(({ code }) => code),
      ['too-many-connections'],
    );
    t.equal((await gate.sessions()).length, 1);
  });
}

await test('above max_handshakes the one that is silent longest goes, in words', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.password);
  const gate = await startGate(t, { hba: HBA, upstream, config: { max_handshakes: 2 } });
  const first = await askedForPassword(t, gate);
  const second = await askedForPassword(t, gate);
  await askedForPassword(t, gate);
  t.match((await first.readLogin()).error, TOO_MANY);
  t.match(await gate.waitForLog({ code: 'handshake-evicted' }), { user: 'alice' });
  t.notOk(second.isClosed);
});

await test('an upstream that asks at a line without a password', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.password);
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream,
    config: { max_connections: 1 },
  });
  await askedForPassword(t, gate);
  const client = await askedForPassword(t, gate);
  await until('neither is a session', async () => (await gate.sessions()).length === 0);
  await client.send(passwordMessage('secret'));
  t.equal((await client.readLogin()).error, null);
  t.equal((await gate.sessions()).length, 1);
});

await test('an upstream that has yet to ask', async (t) => {
  const { promise: dialled, resolve } = Promise.withResolvers<void>();
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.readStartup();
    resolve();
    await connection.stall();
  });
  const gate = await startGate(t, { hba: HBA, upstream, config: { max_connections: 1 } });
  const client = await connectRaw(t, gate.port);
  await client.send(startupMessage({ user: 'alice' }));
  await dialled;
  t.strictSame(await gate.sessions(), [], 'a client that nobody has asked has proved nothing');
  t.equal((await gate.metrics()).value('handshakes_in_progress'), 1);
});

await test('a line without a password makes a session at once', async (t) => {
  const upstream = await scriptedUpstream(t, (connection) => connection.stall());
  const gate = await startGate(t, { hba: 'host all all all trust\n', upstream });
  const client = await connectRaw(t, gate.port);
  await client.send(startupMessage({ user: 'alice' }));
  await until('it is listed', async () => (await gate.sessions()).length === 1);
  t.equal((await gate.metrics()).value('handshakes_in_progress'), 0);
});
