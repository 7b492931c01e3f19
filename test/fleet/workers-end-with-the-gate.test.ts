// No worker outlives the first process, however that ends; a drain is the whole gate's; max_handshakes is global.

import { test } from 'tap';
import { openSession } from '../session/clients.ts';
import { startGate } from '../support/gate.ts';
import { connectRaw, startupMessage, type RawClient } from '../support/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/scripted-upstream.ts';

await test('a drain waits for every worker and tells new clients in all of them', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'host all all all trust\n', upstream, config: { workers: 2 } });
  const staying = await connectRaw(t, gate.port);
  t.equal((await staying.login({ user: 'u', database: 'd' })).error, null);
  gate.signal('SIGTERM');
  await gate.waitForLog({ msg: 'received smart shutdown request' });
  for (let attempt = 0; attempt < 8; attempt++) {
    const client = await connectRaw(t, gate.port);
    const { error } = await client.login({ user: 'u', database: 'd' });
    t.match(error, { C: '57P03' });
  }
  t.equal((await gate.admin('/readyz')).status, 503);
  staying.destroy();
  t.match(await gate.exited, { code: 0 });
});

await test('every session has its closing line though its client holds on', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'host all all all trust\n', upstream, config: { workers: 2 } });
  const clients: RawClient[] = [];
  for (let count = 0; count < 6; count++) clients.push((await openSession(t, gate, { tls: false })).client);
  gate.signal('SIGINT');
  for (const client of clients) t.equal((await client.readMessage()).type, 'E', 'told so');
  t.match(await gate.exited, { code: 0 });
  t.equal(gate.log.filter(({ code }) => code === 'admin-terminated').length, clients.length);
});

await test('a client that resets while the first process is asked for a place gets no upstream', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.stall);
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream,
    config: { workers: 2, max_connections: 100 },
  });
  gate.signal('SIGSTOP');
  const clients: RawClient[] = [];
  const from = gate.logLength();
  for (let count = 0; count < 10; count++) {
    const client = await connectRaw(t, gate.port);
    await client.send(startupMessage({ user: 'u', database: 'd' }));
    clients.push(client);
  }
  const received = (): number =>
    gate.log.slice(from).filter(({ msg }) => msg.startsWith('connection received')).length;
  while (received() < clients.length) await gate.waitForLog(() => true, { from: gate.logLength() });
  for (const client of clients) client.reset();
  gate.signal('SIGCONT');
  const ended = () => gate.log.slice(from).filter(({ code }) => code !== undefined);
  while (ended().length < clients.length) await gate.waitForLog(() => true, { from: gate.logLength() });
  // A reset that came before the packet was read is one too.
  const fair = new Set(['client-gave-up', 'no-startup-packet', 'incomplete-startup-packet']);
  t.strictSame(
    ended().filter(({ code }) => !fair.has(String(code))),
    [],
  );
  t.equal(upstream.connections.length, 0);
});

await test('SIGKILL of the first process ends its workers', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'host all all all trust\n', upstream, config: { workers: 2 } });
  const client = await connectRaw(t, gate.port);
  t.equal((await client.login({ user: 'u', database: 'd' })).error, null);
  gate.signal('SIGKILL');
  await client.expectClosed();
  await gate.exited;
});

await test('max_handshakes is counted over all workers', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream,
    config: { workers: 2, max_handshakes: 6 },
  });
  const silent = [];
  for (let index = 0; index < 12; index++) silent.push(await connectRaw(t, gate.port));
  for (let evicted = 0; evicted < 6; evicted++) {
    const seen = gate.log.filter(({ code }) => code === 'handshake-evicted').length;
    if (seen < 6) await gate.waitForLog({ code: 'handshake-evicted' }, { from: gate.logLength() });
    else break;
  }
  t.equal(gate.log.filter(({ code }) => code === 'handshake-evicted').length, 6);
  t.equal((await gate.metrics()).value('gatehouse_handshakes_in_progress'), 6);
  const client = await connectRaw(t, gate.port);
  t.equal((await client.login({ user: 'u', database: 'd' })).error, null, 'a real client gets in');
});

await test('a second gate on the same port is refused', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'host all all all trust\n', upstream, config: { workers: 2 } });
  await t.rejects(
    startGate(t, { hba: 'host all all all trust\n', upstream, config: { workers: 2, port: gate.port } }),
    /could not create any TCP\/IP sockets/,
  );
});
