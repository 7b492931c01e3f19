// Above max_handshakes a stranger gives way who has shown nothing: not one that waits for the upstream to judge its
// password, nor one whose certificate has verified, at a line that asked for nothing else (contract §7.34).

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import {
  authenticationCleartextPassword,
  connectRaw,
  passwordMessage,
  startupMessage,
} from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { openClient } from './clients.ts';

await test('one that has answered', async (t) => {
  const [answered, letIn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.readStartup();
    await connection.send(authenticationCleartextPassword());
    await connection.readMessage();
    answered.resolve();
    await letIn.promise;
    await connection.acceptLogin();
    await connection.stall();
  });
  const gate = await startGate(t, {
    hba: 'host all all all password\n',
    upstream,
    config: { max_handshakes: 2 },
  });
  const client = await connectRaw(t, gate.port);
  await client.send(startupMessage({ user: 'alice' }));
  await client.readMessagesUntil('R');
  await client.send(passwordMessage('secret'));
  await answered.promise;
  const silent = await connectRaw(t, gate.port);
  await connectRaw(t, gate.port);
  await gate.waitForLog({ code: 'handshake-evicted' });
  letIn.resolve();
  t.equal((await client.readLogin()).error, null, 'it waits for the upstream, which is slow');
  await silent.expectClosed();
});

await test('one whose certificate has verified', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.readStartup();
    await connection.send(authenticationCleartextPassword());
    await connection.readMessage();
    await connection.acceptLogin();
    await connection.stall();
  });
  const hba = 'hostssl all all all cert\n';
  const gate = await startGate(t, { hba, upstream, config: { max_handshakes: 2 } });
  const client = await openClient(t, gate, { credentials: gate.authority.client('alice') });
  await client.send(startupMessage({ user: 'alice' }));
  await client.readMessagesUntil('R');
  const silent = await connectRaw(t, gate.port);
  await connectRaw(t, gate.port);
  await gate.waitForLog({ code: 'handshake-evicted' });
  await client.send(passwordMessage('secret'));
  t.equal((await client.readLogin()).error, null);
  await silent.expectClosed();
});
