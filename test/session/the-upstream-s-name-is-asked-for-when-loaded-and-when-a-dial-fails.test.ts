// upstream.host is a name. It is resolved when the settings are loaded and again when a dial has failed, so that a server
// that has moved is found; never for each session, which strangers could keep from the resolver's few threads.

import tap, { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { nameServer } from '../support/servers/name-server.ts';
import { requireNetworkNamespace } from '../support/servers/network-namespace.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

requireNetworkNamespace(tap, { hosts: '127.0.0.1 localhost\n' });

const NAME = 'db.example';
const QUESTION = `A ${NAME}`;

async function codeOf(t: Scope, gate: Gate): Promise<string | undefined> {
  const client = await connectRaw(t, gate.port);
  const { error } = await client.login({ user: 'u', database: 'd' });
  client.destroy();
  return error?.['C'];
}

await test('once for many sessions, and again when the server has moved', async (t) => {
  const names = await nameServer(t, [[NAME, { address: '127.0.0.1' }]]);
  const upstream = await scriptedUpstream(t, scripts.trust);
  const asked = (): number => names.questions.filter((question) => question === QUESTION).length;
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: { host: NAME, port: upstream.port },
    config: { upstream: { allow_remote: 'on' } },
  });
  await names.asked(QUESTION);
  for (let session = 0; session < 10; session++) t.equal(await codeOf(t, gate), undefined);
  t.equal(asked(), 1);

  // Nobody listens there.
  names.known.set(NAME, { address: '127.0.0.9' });
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
  await gate.waitForLog({ msg: 'reloading configuration files' });
  for (;;) if ((await codeOf(t, gate)) === '08006') break;
  names.known.set(NAME, { address: '127.0.0.1' });
  for (;;) if ((await codeOf(t, gate)) === undefined) break;
  const found = asked();
  for (let session = 0; session < 10; session++) t.equal(await codeOf(t, gate), undefined);
  t.equal(asked(), found, 'and not again while it answers');
});

await test('a name server that is silent keeps nobody from an address that is known', async (t) => {
  const names = await nameServer(t, [[NAME, { address: '127.0.0.1' }]]);
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: { host: NAME, port: upstream.port },
    config: { upstream: { allow_remote: 'on' } },
  });
  t.equal(await codeOf(t, gate), undefined);
  names.known.set(NAME, 'silence');
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
  t.equal(await codeOf(t, gate), undefined);
  names.known.set(NAME, 'no such name');
  names.breakSilence(NAME);
});
