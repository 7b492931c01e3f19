// The upstream's name has moved while the old server was being asked for memberships. The gate's session with it is
// replaced. What the old server does then is no news of the new one, and a gate that ends does not wait for it.

import tap, { test, type Test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { nameServer } from '../support/servers/name-server.ts';
import { requireNetworkNamespace } from '../support/servers/network-namespace.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream, type UpstreamConnection } from '../support/peers/scripted-upstream.ts';
import { within } from '../support/run/waiting.ts';
import { until } from '../session/clients.ts';
import { reloaded } from '../production/clients.ts';
import { answer, hex, serverFor } from './catalog-server.ts';

requireNetworkNamespace(tap, { hosts: '127.0.0.1 localhost\n' });

const NAME = 'db.example';

interface Replaced {
  readonly gate: Gate;
  /** The old server's end of the session that has been replaced, with a question that nobody answers. */
  readonly old: UpstreamConnection;
}

async function replacedWhileAsked(t: Test): Promise<Replaced> {
  const asked = Promise.withResolvers<UpstreamConnection>();
  const names = await nameServer(t, [[NAME, { address: '127.0.0.1' }]]);
  const old = await scriptedUpstream(
    t,
    serverFor('reader', async (connection) => {
      await connection.readMessage(60_000);
      asked.resolve(connection);
      await connection.stall();
    }),
  );
  const moved = await scriptedUpstream(
    t,
    serverFor('reader', async (connection) => {
      await connection.readMessage(60_000);
      await connection.send(answer(2, [[hex('bob'), hex('staff')]]));
      await connection.stall();
    }),
    { place: { host: '127.0.0.2', port: old.port } },
  );
  const gate = await startGate(t, {
    hba: 'host all +staff all trust\n',
    upstream: { host: NAME, port: old.port },
    config: {
      upstream: { allow_remote: 'on' },
      auth_user: 'reader',
      auth_file: 'userlist.txt',
      reload: { watch: 'off' },
    },
    files: { 'userlist.txt': '"reader" "secret"\n' },
  });
  const client = await connectRaw(t, gate.port);
  const login = client.login({ user: 'alice' }).catch(() => null);
  t.teardown(() => client.destroy());
  const connection = await within(asked.promise, 'the old server to be asked');
  names.known.set(NAME, { address: '127.0.0.2' });
  t.match(await reloaded(gate), { ok: true });
  await until('the new server has the session', async () => moved.connections.length > 0);
  void login;
  return { gate, old: connection };
}

await test('the old server closes', async (t) => {
  const { gate, old } = await replacedWhileAsked(t);
  await until('the new session stands', async () => (await gate.metrics()).value('catalog_up') === 1);
  old.destroy();
  const bob = await connectRaw(t, gate.port);
  t.equal((await bob.login({ user: 'bob' })).error, null);
  t.equal((await gate.metrics()).value('catalog_up'), 1);
  t.notOk(
    gate.log.some(({ msg }) => msg.includes('could not ask')),
    'the log says nothing of the old one',
  );
});

await test('the gate is told to end', async (t) => {
  const { gate } = await replacedWhileAsked(t);
  gate.signal('SIGINT');
  await gate.waitForLog({ msg: 'stopped' });
  const stoppedAt = performance.now();
  t.strictSame(await within(gate.exited, 'the gate to end'), { code: 0, signal: null });
  t.ok(performance.now() - stoppedAt < 5_000, 'nothing keeps it up');
});
