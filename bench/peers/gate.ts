// The gate as it is shipped: built, started by its own bin, with the options of production and no other.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startGate } from '../../test/support/gate.ts';
import type { Scope } from '../../test/support/scope.ts';
import { KEEPALIVE_SECONDS, TERMS, USER, type Stage } from '../stage.ts';
import { versionText } from './daemon.ts';
import type { Peer, RunningPeer } from './peer.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export const gate: Peer = {
  name: 'gate',
  install: 'npm ci',
  version,
  start: async (stage, scope) => await startGateWith(stage, scope, {}),
};

/** The same gate with further Node options, to find out what they are worth. */
export function variantWith(nodeOptions: string): Peer {
  return {
    name: 'variant',
    install: 'npm ci',
    version: () => `${version()}, with ${nodeOptions}`,
    start: async (stage, scope) => ({
      ...(await startGateWith(stage, scope, { nodeOptions })),
      name: 'variant',
    }),
  };
}

function version(): string {
  const manifest: { version: string } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const revision = versionText('git', ['-C', ROOT, 'describe', '--always', '--dirty']).trim();
  const runtime = `Node ${process.versions.node}, OpenSSL ${process.versions.openssl}`;
  return `${manifest.version}${/^[\w.-]+$/.test(revision) ? ` (${revision})` : ''} on ${runtime}`;
}

/** A gate with as many processes as told; one by default. */
export async function startGateWith(
  stage: Stage,
  scope: Scope,
  { workers = 1, nodeOptions }: { readonly workers?: number; readonly nodeOptions?: string },
): Promise<RunningPeer> {
  const { postgres, authority, server } = stage;
  const { pid, port } = await startGate(scope, {
    via: 'dist',
    ...(nodeOptions === undefined ? {} : { env: { NODE_OPTIONS: nodeOptions } }),
    authority,
    server,
    hba: `hostssl all ${USER} 127.0.0.1/32 cert\n`,
    upstream: { host: '127.0.0.1', port: postgres.port },
    config: {
      workers,
      ssl_min_protocol_version: TERMS.protocol,
      ssl_tls13_ciphers: TERMS.suite,
      ssl_groups: TERMS.group,
      tcp_keepalives_idle: `${KEEPALIVE_SECONDS}s`,
    },
  });
  return { name: 'gate', endpoint: { port, tls: true }, pid, baseline: null };
}
