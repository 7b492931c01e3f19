// PostgreSQL itself, spoken to over TLS without anything between. It is the same server that stands behind the proxies.

import type { Peer } from './peer.ts';
import { versionText } from './daemon.ts';
import { executableFolder } from '../../test/support/servers/postgres-binaries.ts';
import { join } from 'node:path';

export const postgresTls: Peer = {
  name: 'postgres-tls',
  install: 'npm ci',
  version: () => {
    const text = versionText(join(executableFolder(18), 'bin', 'postgres'), ['--version']);
    return /\(PostgreSQL\) (\S+)/.exec(text)?.[1] ?? null;
  },
  start: ({ postgres: { pid, port } }) =>
    Promise.resolve({
      name: 'postgres-tls',
      endpoint: { port, tls: true },
      pid,
      baseline: { port, tls: false },
    }),
};
