// The admin listener with TLS: silent connections, and chains of certificates that are slow to verify, from anyone
// who reaches its port. Clients with a certificate are answered all the same.

import { once } from 'node:events';
import { request } from 'node:https';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { test } from 'tap';
import { testAuthority, type Credentials } from '../support/certificates/certificates.ts';
import { costlyChain } from '../support/certificates/costly-chain.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { within } from '../support/run/waiting.ts';

const SILENT = 64;
const ATTACKERS = 12;
const ATTACKER = '127.0.0.2';

/** What the chains cost is processor time: a machine that is busy with others takes many times as long. */
const ATTACK_MS = 60_000;

async function start(t: Scope): Promise<{ readonly gate: Gate; readonly admin: Credentials }> {
  const authority = testAuthority(t);
  const admins = testAuthority(t, { cn: 'Administrators' });
  const own = authority.server();
  const tls = { ssl_cert_file: 'admin.crt', ssl_key_file: 'admin.key', ssl_ca_file: 'admins.crt' };
  const gate = await startGate(t, {
    hba: 'hostssl all all all cert\n',
    upstream: await scriptedUpstream(t, scripts.trust),
    authority,
    config: { admin: { listen: '127.0.0.1:0', ...tls } },
    files: { 'admin.crt': own.cert, 'admin.key': own.key, 'admins.crt': admins.cert },
  });
  return { gate, admin: admins.client('admin') };
}

async function healthz(gate: Gate, { cert, key }: Credentials): Promise<string> {
  const options = { ca: gate.authority.cert, servername: 'localhost', cert, key, agent: false };
  const asking = request(`${gate.adminUrl}/healthz`, options).end();
  const [response] = await within(once(asking, 'response'), 'an answer');
  return await text(response);
}

await test('64 that say nothing', async (t) => {
  const { gate, admin } = await start(t);
  for (let count = 0; count < SILENT; count++) {
    const socket = connect(Number(new URL(gate.adminUrl).port), '127.0.0.1');
    socket.on('error', () => undefined);
    atEnd(t, () => socket.destroy());
    await once(socket, 'connect');
  }
  t.equal(await healthz(gate, admin), '{"ok":true}');
});

await test('chains that are slow to verify', async (t) => {
  const { gate, admin } = await start(t);
  const chain = costlyChain(98_000);
  const attack = async (): Promise<'handshake' | 'refused'> => {
    const options = { port: Number(new URL(gate.adminUrl).port), host: '127.0.0.1', localAddress: ATTACKER };
    const socket = connectTls({ ...options, ...chain, rejectUnauthorized: false });
    atEnd(t, () => socket.destroy());
    socket.on('error', () => undefined);
    let isDone = false;
    socket.on('secureConnect', () => (isDone = true));
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await within(closed, 'the end of the connection', ATTACK_MS);
    return isDone ? 'handshake' : 'refused';
  };
  await Promise.all(Array.from({ length: ATTACKERS }, attack));
  t.equal(await attack(), 'refused', 'the address is refused at accept');
  t.equal(await healthz(gate, admin), '{"ok":true}', 'others are answered');
});
