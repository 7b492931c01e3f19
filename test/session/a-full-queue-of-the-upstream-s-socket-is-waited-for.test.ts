// An upstream on a Unix socket whose queue is full: the system answers EAGAIN at once. libpq waits there, and so do
// sessions and the health probe, which are dialled in one place with cancel requests, as long as connect_timeout says.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import tap, { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { requireTools, toolPath } from '../support/run/tools.ts';
import { turn } from './logins.ts';

requireTools(tap, 'python3');

const HBA = 'host all all all trust\n';

/** Listens with a queue of one, and accepts nothing before it is told to; then it lets everybody in. */
const SERVER = `
import socket, sys, threading
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(0)
print('listening', flush=True)
sys.stdin.readline()
def serve(c):
    hello = c.recv(10000)
    if hello[4:8] == bytes.fromhex('04d2162f'): c.sendall(b'N')
    elif hello[4:8] != bytes.fromhex('04d2162e'): c.sendall(b'R\\0\\0\\0\\x08\\0\\0\\0\\0Z\\0\\0\\0\\x05I')
    while c.recv(10000): pass
    c.close()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
`;

interface FullServer {
  readonly host: string;
  readonly port: number;
  /** Begins to accept. */
  readonly accept: () => void;
}

async function fullServer(t: Scope): Promise<FullServer> {
  const host = temporaryDirectory(t);
  const path = join(host, '.s.PGSQL.5432');
  const server = spawn(toolPath('python3'), ['-c', SERVER, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  atEnd(t, async () => {
    const closed = once(server, 'close');
    server.kill('SIGKILL');
    await closed;
  });
  await once(server.stdout, 'data');
  // Fills the queue: the first connection that finds no room says so.
  const held: Socket[] = [];
  atEnd(t, () => {
    for (const socket of held) socket.destroy();
  });
  for (;;) {
    const socket = connect(path);
    held.push(socket);
    const outcome = await new Promise<string>((resolve) => {
      socket.on('connect', () => resolve('connected'));
      socket.on('error', (error) => resolve('code' in error ? String(error.code) : ''));
    });
    if (outcome === 'EAGAIN') break;
    if (outcome !== 'connected') throw new Error(outcome);
  }
  return { host, port: 5432, accept: () => void server.stdin.write('go\n') };
}

await test('sessions get in as soon as the server accepts', async (t) => {
  const upstream = await fullServer(t);
  // Longer than a busy machine takes for forty clients.
  const gate = await startGate(t, { hba: HBA, upstream, config: { upstream: { connect_timeout: '1min' } } });
  const clients = await Promise.all(Array.from({ length: 40 }, async () => await connectRaw(t, gate.port)));
  const logins = clients.map(async (client) => await client.login({ user: 'u', database: 'd' }));
  // By then each of them has been dialled for, and the dial has found no room.
  const authenticated = (): number =>
    gate.log.filter(({ msg }) => msg.startsWith('connection authenticated')).length;
  await gate.waitForLog(() => authenticated() === clients.length);
  upstream.accept();
  for (const { error } of await Promise.all(logins)) t.equal(error, null);
});

await test('and so does the health probe', async (t) => {
  const upstream = await fullServer(t);
  const gate = await startGate(t, { hba: HBA, upstream });
  const health = gate.admin('/readyz');
  // By then the gate has read the other request, and the dial has found no room.
  await turn(gate);
  upstream.accept();
  t.equal((await health).status, 200);
});

await test('who waits in vain is told so after connect_timeout', async (t) => {
  const upstream = await fullServer(t);
  const gate = await startGate(t, { hba: HBA, upstream, config: { upstream: { connect_timeout: '300ms' } } });
  const client = await connectRaw(t, gate.port);
  const { error } = await client.login({ user: 'u', database: 'd' });
  t.match(error, { C: '08006', M: 'could not connect to the upstream server' });
  t.match(await gate.waitForLog({ code: 'upstream-timeout' }), {
    hint: /The queue of the Unix socket was full/,
  });
});
