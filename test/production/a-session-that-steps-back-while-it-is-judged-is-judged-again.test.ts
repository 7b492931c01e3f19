// A trust line has admitted it, and its upstream then asks for a password: it is no session until it has answered. A reload
// that is judging it at that moment finds it gone. Once it is back it is judged like every other.

import tap, { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { nameServer, reverseName } from '../support/servers/name-server.ts';
import { requireNetworkNamespace } from '../support/servers/network-namespace.ts';
import {
  authenticationCleartextPassword,
  connectRaw,
  decodeErrorResponse,
  passwordMessage,
  startupMessage,
  type RawClient,
} from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { until } from '../session/clients.ts';
import { reloaded } from './clients.ts';

requireNetworkNamespace(tap, { hosts: '127.0.0.1 localhost\n' });

const ADDRESS = '10.66.0.1';

async function sqlstateAtTheEnd(client: RawClient): Promise<string | undefined> {
  const last = (await client.readMessagesUntil('E')).at(-1);
  client.halfClose();
  return last && decodeErrorResponse(last)['C'];
}

await test('asked for a password between the question to the resolver and its answer', async (t) => {
  const names = await nameServer(t, [[reverseName(ADDRESS), 'silence']]);
  const { promise: mayAsk, resolve: ask } = Promise.withResolvers<void>();
  const upstream = await scriptedUpstream(t, async (connection) => {
    const { parameters } = await connection.readStartup();
    if (parameters['user'] === 'asked') {
      await mayAsk;
      await connection.send(authenticationCleartextPassword());
      await connection.readMessage();
    }
    await connection.acceptLogin();
    await connection.stall();
  });
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream,
    config: { reload: { watch: 'off', sessions: 'terminate' } },
  });
  const connect = async () =>
    await connectRaw(t, { host: '127.0.0.1', port: gate.port, localAddress: ADDRESS });
  const asked = await connect();
  await asked.send(startupMessage({ user: 'asked' }));
  await until('it is listed', async () => (await gate.sessions()).length === 1);
  const beside = await connect();
  t.equal((await beside.login({ user: 'beside' })).error, null);

  gate.rewrite('pg_hba.conf', 'host all all app.example trust\n');
  t.match(await reloaded(gate), { ok: true });
  await names.asked(`PTR ${reverseName(ADDRESS)}`);
  ask();
  await asked.readMessagesUntil('R');
  t.match(await gate.sessions(), [{ user: 'beside' }], 'it has stepped back');

  names.known.set(reverseName(ADDRESS), { name: 'other.example' });
  names.known.set('other.example', { address: ADDRESS });
  names.breakSilence(reverseName(ADDRESS));
  t.equal(await sqlstateAtTheEnd(beside), '57P01', 'the judging of both is over');
  await asked.send(passwordMessage('secret'));
  t.equal(await sqlstateAtTheEnd(asked), '57P01');
  t.match(await gate.waitForLog(({ code, user }) => code === 'admin-terminated' && user === 'asked'), {
    detail: 'no longer admitted after a reload',
  });
});
