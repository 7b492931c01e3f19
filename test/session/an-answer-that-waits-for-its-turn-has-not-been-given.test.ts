// An upstream that lets a client in while the client's answer waits in the gate for its turn (contract §10) has checked
// nothing: the client is refused, and the answer does not reach the session that the upstream has begun (contract §7.33).

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw, decodeErrorResponse, type RawClient } from '../support/peers/raw-client.ts';
import {
  authenticationCleartextPassword,
  passwordMessage,
  startupMessage,
} from '../support/peers/messages.ts';
import { proxyLine } from '../support/peers/proxy-header.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';

await test('AuthenticationOk comes first', async (t) => {
  const letIn = Promise.withResolvers<void>();
  const upstream = await scriptedUpstream(t, async (connection) => {
    const { parameters } = await connection.readStartup();
    await connection.send(authenticationCleartextPassword());
    if (parameters['user'] === 'slow') return await connection.stall();
    await letIn.promise;
    await connection.acceptLogin();
    await connection.stall();
  });
  const gate = await startGate(t, {
    hba: 'host all all all password\n',
    upstream,
    config: {
      proxy_networks: ['127.0.0.1'],
      max_authentication_failures_per_address: 1,
      reload: { watch: 'off' },
    },
  });
  const asked = async (user: string): Promise<RawClient> => {
    const client = await connectRaw(t, gate.port);
    await client.send(proxyLine('203.0.113.7', 40_000, 'TCP4'));
    await client.send(startupMessage({ user }));
    await client.readMessagesUntil('R');
    return client;
  };
  const slow = await asked('slow');
  await slow.send(passwordMessage('of the one whose turn it is'));
  const waiting = await asked('app');
  await waiting.send(passwordMessage('of the one that waits'));
  // The gate has read both by the time it has answered twice.
  for (let turn = 0; turn < 2; turn++) await gate.admin('/healthz');
  letIn.resolve();
  const last = (await waiting.readMessagesUntil('ZE')).at(-1);
  t.equal(last?.type, 'E', 'it is not let in');
  t.match(last === undefined ? {} : decodeErrorResponse(last), {
    C: '28000',
    M: /does not ask for password$/,
  });
  const sent = upstream.connections.map(({ received }) => Buffer.from(received).toString('latin1')).join();
  t.notMatch(sent, 'of the one that waits');
  t.match(sent, 'of the one whose turn it is');
});
