// stunnel with its PostgreSQL protocol support: TLS in front, the same connection in clear behind, a thread a session.

import { freePort } from '../../test/support/run/free-port.ts';
import { KEEPALIVE_SECONDS, TERMS } from '../stage.ts';
import { firstThatRuns, startDaemon, versionText } from './daemon.ts';
import type { Peer } from './peer.ts';

const COMMANDS = ['stunnel4', 'stunnel', '/usr/bin/stunnel4', '/usr/bin/stunnel'];

export const stunnel: Peer = {
  name: 'stunnel',
  install: 'apt-get install stunnel4',
  version: () => {
    const command = firstThatRuns(COMMANDS, '-version');
    if (command === null) return null;
    const text = versionText(command, ['-version']);
    const [, version = 'unknown'] = /^stunnel (\S+)/m.exec(text) ?? [];
    const [, library = 'unknown'] = /^Running\s+with (OpenSSL \S+)/m.exec(text) ?? [];
    return `${version}, ${library}`;
  },
  start: async (stage, scope) => {
    const port = await freePort();
    const pid = await startDaemon(stage, scope, {
      command: firstThatRuns(COMMANDS, '-version') ?? 'stunnel4',
      ready: /Configuration successful/,
      config: ({ cert, key, ca }) => `
foreground = yes
syslog = no
pid =
${['l', 'r']
  .flatMap((side) => [
    `socket = ${side}:TCP_NODELAY=1`,
    `socket = ${side}:SO_KEEPALIVE=1`,
    `socket = ${side}:TCP_KEEPIDLE=${KEEPALIVE_SECONDS}`,
  ])
  .join('\n')}

[postgres]
accept = 127.0.0.1:${port}
connect = 127.0.0.1:${stage.postgres.port}
protocol = pgsql
cert = ${cert}
key = ${key}
CAfile = ${ca}
verifyChain = yes
sslVersion = ${TERMS.protocol}
ciphersuites = ${TERMS.suite}
curves = ${TERMS.group}
sessionResume = no
`,
    });
    return { name: 'stunnel', endpoint: { port, tls: true }, pid, baseline: null };
  },
};
