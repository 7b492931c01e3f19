// The gate as it is shipped: built, started by its own bin, with the options of production and no other.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startGate, type Gate } from '../../test/support/run/gate.ts';
import type { Scope } from '../../test/support/run/scope.ts';
import { KEEPALIVE_SECONDS, TERMS, USER, type Stage } from '../stage.ts';
import type { Variant } from '../options.ts';
import { versionText } from './daemon.ts';
import type { Peer, RunningPeer } from './peer.ts';

/** Whom every gate of the bench lets in. */
export const HBA = `hostssl all ${USER} 127.0.0.1/32 cert\n`;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export const gate: Peer = {
  name: 'gate',
  install: 'npm ci',
  version,
  start: async (stage, scope) => await startGateWith(stage, scope, {}),
};

/** The same gate with further Node options, to find out what they are worth, or one that is built in another folder. */
export function variantWith(variant: Variant): Peer {
  const folder = 'folder' in variant ? resolve(variant.folder) : ROOT;
  const difference = 'folder' in variant ? {} : { nodeOptions: variant.nodeOptions };
  return {
    name: 'variant',
    install: 'npm ci',
    version: () => version(folder) + ('folder' in variant ? '' : `, with ${variant.nodeOptions}`),
    start: async (stage, scope) => ({
      ...(await startGateWith(stage, scope, { ...difference, folder })),
      name: 'variant',
    }),
    folder,
  };
}

function version(folder = ROOT): string {
  const manifest: { version: string } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const revision = versionText('git', ['-C', folder, 'describe', '--always', '--dirty']).trim();
  const runtime = `Node ${process.versions.node}, OpenSSL ${process.versions.openssl}`;
  return `${manifest.version}${/^[\w.-]+$/.test(revision) ? ` (${revision})` : ''} on ${runtime}`;
}

/** A gate with as many processes as told; one by default. */
export async function startGateWith(
  stage: Stage,
  scope: Scope,
  { workers = 1, nodeOptions, folder }: Differences,
): Promise<RunningPeer> {
  const { pid, port } = await launch(stage, scope, { workers, nodeOptions, folder });
  return { name: 'gate', endpoint: { port, tls: true }, pid, baseline: null };
}

/** What a gate has different from the one that is measured. */
interface Differences {
  readonly workers?: number;
  readonly nodeOptions?: string | undefined;
  /** Where it is built; this tree unless told. */
  readonly folder?: string | undefined;
  readonly hba?: string;
  /** Further files of its directory, and the settings that name them. */
  readonly files?: Readonly<Record<string, string>>;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** The running program with its directory and admin listener, for measures that change its files. */
export async function launch(
  stage: Stage,
  scope: Scope,
  { workers = 1, nodeOptions, folder = ROOT, hba = HBA, files = {}, config = {} }: Differences,
): Promise<Gate> {
  const { postgres, authority, server } = stage;
  return await startGate(scope, {
    command: [process.execPath, join(folder, 'bin/pg-gatehouse.js')],
    ...(nodeOptions === undefined ? {} : { env: { NODE_OPTIONS: nodeOptions } }),
    authority,
    server,
    hba,
    files,
    upstream: { host: '127.0.0.1', port: postgres.port },
    config: {
      workers,
      ssl_min_protocol_version: TERMS.protocol,
      ssl_tls13_ciphers: TERMS.suite,
      ssl_groups: TERMS.group,
      tcp_keepalives_idle: `${KEEPALIVE_SECONDS}s`,
      ...config,
    },
  });
}
