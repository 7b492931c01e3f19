// The system's reasons why the upstream cannot be reached, each with what it most often means. The client is told neither.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import tap, { test, type Test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { freePort } from '../support/run/free-port.ts';
import { requireNetworkNamespace } from '../support/servers/network-namespace.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { atEnd } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';

requireNetworkNamespace(tap, { hosts: '127.0.0.1 localhost\n', nss: 'files' });

const HBA = 'host all all all trust\n';

async function told(
  t: Test,
  upstream: { readonly host: string; readonly port: number },
  expected: object,
  prepare: () => Promise<void> = async () => {},
): Promise<void> {
  const gate = await startGate(t, { hba: HBA, upstream, config: { upstream: { allow_remote: 'on' } } });
  const client = await connectRaw(t, gate.port);
  await prepare();
  const { error } = await client.login({ user: 'u', database: 'd' });
  t.match(error, { C: '08006', M: /^could not connect to the upstream server$/ });
  t.match(await gate.waitForLog({ code: 'upstream-unreachable' }), { level: 'error', ...expected });
}

await test('nobody listens', async (t) => {
  const port = await freePort();
  await told(
    t,
    { host: '127.0.0.1', port },
    {
      msg: `could not connect to the upstream server: connection to server at "127.0.0.1", port ${port} failed: Connection refused`,
      hint: /Is the server running on that host/,
    },
  );
});

await test('there is no such socket', async (t) => {
  const host = temporaryDirectory(t);
  await told(
    t,
    { host, port: 5432 },
    {
      msg: `could not connect to the upstream server: connection to server on socket "${host}/.s.PGSQL.5432" failed: No such file or directory`,
      hint: /unix_socket_directories/,
    },
  );
});

await test('the server has left its socket behind', needs('python3'), async (t) => {
  const host = temporaryDirectory(t);
  const path = join(host, '.s.PGSQL.5432');
  // Closing it in Node would remove the file.
  spawnSync('python3', ['-c', 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])', path]);
  await told(
    t,
    { host, port: 5432 },
    { msg: /Connection refused$/, hint: /accepting connections on that socket/ },
  );
});

await test('the name is unknown', async (t) => {
  await told(
    t,
    { host: 'nowhere.example', port: 5432 },
    {
      msg: /could not translate host name "nowhere\.example" to address: (?:Name or service not known|Temporary failure in name resolution)$/,
      hint: /resolver does not know/,
    },
  );
});

await test('every local port is taken', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  await told(
    t,
    upstream,
    { msg: /Cannot assign requested address$/, hint: /ip_local_port_range/ },
    async () => {
      // One local port for everybody, and towards the upstream it is in use.
      writeFileSync('/proc/sys/net/ipv4/ip_local_port_range', '61000 61000');
      const holder = connect(upstream.port, '127.0.0.1');
      atEnd(t, () => void holder.destroy());
      await once(holder, 'connect');
    },
  );
});
