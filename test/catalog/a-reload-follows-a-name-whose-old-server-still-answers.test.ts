// upstream.host is a name, and in a planned switch-over it moves while the old server still answers. After the reload sessions
// go to the new one; so do the probe behind /readyz and the gate's own session, by whose memberships it decides.

import tap, { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { nameServer } from '../support/servers/name-server.ts';
import { requireNetworkNamespace } from '../support/servers/network-namespace.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import {
  scriptedUpstream,
  sslRequest,
  type Script,
  type ScriptedUpstream,
} from '../support/peers/scripted-upstream.ts';
import { until } from '../session/clients.ts';
import { reloaded } from '../production/clients.ts';
import { answer, hex, serverFor } from './catalog-server.ts';

requireNetworkNamespace(tap, { hosts: '127.0.0.1 localhost\n' });

const NAME = 'db.example';

/** A server in whose catalogue this user is one of the staff. */
function serverOf(user: string): Script {
  return serverFor('reader', async (connection) => {
    for (;;) {
      await connection.readMessage(60_000);
      await connection.send(answer(2, [[hex(user), hex('staff')]]));
    }
  });
}

/** Whether the gate has asked it for its health. */
function isProbed({ received }: ScriptedUpstream): boolean {
  return received.some((bytes) => bytes.subarray(0, 8).equals(sslRequest()));
}

async function isIn(t: Scope, port: number, user: string): Promise<boolean> {
  const client = await connectRaw(t, port);
  const { error } = await client.login({ user });
  client.destroy();
  return error === null;
}

for (const workers of [1, 2]) {
  await test(`workers: ${workers}`, async (t) => {
    const names = await nameServer(t, [[NAME, { address: '127.0.0.1' }]]);
    const old = await scriptedUpstream(t, serverOf('alice'));
    const moved = await scriptedUpstream(t, serverOf('bob'), {
      place: { host: '127.0.0.2', port: old.port },
    });
    const gate = await startGate(t, {
      hba: 'host all +staff all trust\n',
      upstream: { host: NAME, port: old.port },
      config: {
        workers,
        upstream: { allow_remote: 'on' },
        auth_user: 'reader',
        auth_file: 'userlist.txt',
        reload: { watch: 'off' },
      },
      files: { 'userlist.txt': '"reader" "secret"\n' },
    });
    t.equal((await gate.admin('/readyz')).status, 200);
    t.ok(await isIn(t, gate.port, 'alice'));
    t.notOk(await isIn(t, gate.port, 'bob'));
    t.ok(isProbed(old));
    t.equal(moved.connections.length, 0);

    names.known.set(NAME, { address: '127.0.0.2' });
    t.match(await reloaded(gate), { ok: true });
    await until('the new server decides who is let in', async () => await isIn(t, gate.port, 'bob'));
    await until('the new server is probed', async () => {
      await gate.admin('/readyz');
      return isProbed(moved);
    });
    const before = moved.connections.length;
    t.match(await reloaded(gate), { ok: true });
    // The other worker may have memberships of the old server for some seconds more.
    await until('bob is let in again', async () => await isIn(t, gate.port, 'bob'));
    await until('the old session has ended', async () => old.connections.every(({ isClosed }) => isClosed));
    t.equal(moved.connections.length, before + 1, 'a name that stays leaves the session alone');
  });
}
