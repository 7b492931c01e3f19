// Socket activation: the gate takes over listening sockets that its parent has opened, with the kernel's queue of
// clients in them, and refuses what it cannot use.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { portOf } from '../support/run/free-port.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { Gate } from '../support/run/gate.ts';
import { cleanEnvironment, programCommand } from '../support/run/program.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import type { Exit } from '../support/run/supervise.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';

interface Activation {
  readonly sockets: readonly Server[];
  readonly config?: Readonly<Record<string, unknown>>;
  /** Instead of the gate's own. */
  readonly listenPid?: string;
}

/** A gate that is started as systemd starts it: descriptors from 3, LISTEN_FDS, LISTEN_PID. */
async function startActivated(
  t: Scope,
  { sockets, config = {}, listenPid = '$$' }: Activation,
): Promise<Gate> {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const authority = testAuthority(t);
  const directory = temporaryDirectory(t);
  writeGateFiles(directory, authority, { hba: 'host all all all trust\n', upstream, config });
  const program = [...programCommand(), 'serve', '--config', join(directory, 'gatehouse.yaml')];
  const environment = Object.entries(cleanEnvironment()).map(([name, value]) => `${name}=${value}`);
  const script = `export LISTEN_FDS=${sockets.length} LISTEN_PID=${listenPid}; exec "$0" "$@"`;
  const child = spawn('env', ['-i', ...environment, '/bin/sh', '-c', script, ...program], {
    stdio: ['ignore', 'pipe', 'pipe', ...sockets.map(descriptorOf)],
  });
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('no output');
  const exited = once(child, 'close').then((): Exit => ({ code: child.exitCode, signal: child.signalCode }));
  const gate = new Gate(t, directory, authority, {
    pid: child.pid!,
    stdout,
    stderr,
    exited,
    kill: (signal) => void child.kill(signal),
    stop: async () => {
      child.kill('SIGKILL');
      return await exited;
    },
  });
  process.once('exit', () => child.kill('SIGKILL'));
  atEnd(t, async () => {
    gate.signal('SIGKILL');
    await exited;
  });
  return gate;
}

/** Node tells it nowhere else. */
function descriptorOf(server: Server): number {
  const { _handle: handle } = server as Server & { readonly _handle?: { readonly fd: number } };
  if (handle === undefined) throw new Error('the server does not listen');
  return handle.fd;
}

async function listening(t: Scope, where: number | string): Promise<Server> {
  const server = createServer();
  if (typeof where === 'number') server.listen(where, '127.0.0.1');
  else server.listen(where);
  await once(server, 'listening');
  // The test itself accepts nothing: the queue is the gate's.
  server.on('connection', (socket) => socket.destroy());
  atEnd(t, () => server.close());
  return server;
}

await test('two sockets are served, and listen_addresses is not', async (t) => {
  const sockets = [await listening(t, 0), await listening(t, 0)];
  const ports = sockets.map(portOf);
  const gate = await startActivated(t, { sockets });
  await gate.ready();
  t.strictSame(
    gate.listeners.map(({ port }) => port),
    ports,
  );
  // From here on only the gate accepts.
  await Promise.all(sockets.map(async (socket) => await new Promise((resolve) => socket.close(resolve))));
  for (const port of ports) {
    const client = await connectRaw(t, port);
    t.equal((await client.login({ user: 'u', database: 'd' })).error, null, `port ${port}`);
    client.destroy();
  }
  gate.signal('SIGTERM');
  t.match(await gate.exited, { code: 0 });
});

await test('variables meant for another process are ignored', async (t) => {
  const socket = await listening(t, 0);
  const gate = await startActivated(t, { sockets: [socket], listenPid: '1' });
  await gate.ready();
  t.not(gate.port, portOf(socket));
});

await test('a Unix socket is refused, and says what is wanted', async (t) => {
  const gate = await startActivated(t, { sockets: [await listening(t, join(temporaryDirectory(t), 's'))] });
  t.match(await gate.exited, { code: 1 });
  t.match(
    gate.stderr,
    /could not listen on the socket that was passed as descriptor 3: it is not a TCP socket\n/,
  );
  t.match(gate.stderr, /HINT: The service manager must pass listening TCP sockets only/);
});

await test('several workers are refused', async (t) => {
  const gate = await startActivated(t, { sockets: [await listening(t, 0)], config: { workers: 2 } });
  t.match(await gate.exited, { code: 1 });
  t.match(gate.stderr, /sockets passed by the service manager can be used with workers: 1 only/);
});
