// PgBouncer with session pooling: the only mode in which a client has its server to itself, as it has at the gate. It
// closes that server connection after its client, as the others do: it lends none to a second client.

import { freePort } from '../../test/support/run/free-port.ts';
import type { Scope } from '../../test/support/run/scope.ts';
import { KEEPALIVE_SECONDS, MAX_SESSIONS, USER, type Stage } from '../stage.ts';
import { firstThatRuns, startDaemon, versionText } from './daemon.ts';
import type { Peer, RunningPeer } from './peer.ts';

const COMMANDS = ['pgbouncer', '/usr/sbin/pgbouncer'];

export const pgbouncer: Peer = {
  name: 'pgbouncer',
  install: 'apt-get install pgbouncer',
  version: () => {
    const command = firstThatRuns(COMMANDS, '--version');
    if (command === null) return null;
    const text = versionText(command, ['--version']);
    const [, version = 'unknown'] = /^PgBouncer (\S+)/m.exec(text) ?? [];
    const [, library = 'unknown'] = /^tls: (OpenSSL \S+)/m.exec(text) ?? [];
    return `${version}, ${library}`;
  },
  start: async (stage, scope) => await startPgbouncer(stage, scope, { authType: 'cert', secret: '' }),
};

/** PgBouncer that asks its clients for what `authType` says beside their certificate, with this secret in its auth_file. */
export async function startPgbouncer(
  stage: Stage,
  scope: Scope,
  { authType, secret }: { readonly authType: 'cert' | 'scram-sha-256'; readonly secret: string },
): Promise<RunningPeer> {
  const port = await freePort();
  const pid = await startDaemon(stage, scope, {
    command: firstThatRuns(COMMANDS, '--version') ?? 'pgbouncer',
    ready: /process up/,
    files: { users: `"${USER}" "${secret}"\n` },
    // Of TLS 1.3's suites and groups it lets nobody choose; the terms are what it chooses by itself.
    config: ({ directory, cert, key, ca }) => `
[databases]
${USER} = host=127.0.0.1 port=${stage.postgres.port} dbname=${USER} user=${USER}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = ${authType}
auth_file = ${directory}/users
pool_mode = session
max_client_conn = ${MAX_SESSIONS}
default_pool_size = ${MAX_SESSIONS}
server_lifetime = 0
client_tls_sslmode = verify-full
client_tls_cert_file = ${cert}
client_tls_key_file = ${key}
client_tls_ca_file = ${ca}
client_tls_protocols = tlsv1.3
server_tls_sslmode = disable
tcp_defer_accept = 0
tcp_keepalive = 1
tcp_keepidle = ${KEEPALIVE_SECONDS}
`,
  });
  return { name: 'pgbouncer', endpoint: { port, tls: true }, pid, baseline: null };
}
