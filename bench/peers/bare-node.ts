// A bare Node program that decides nothing: what Node's own net and tls cost. It is a bound and no rival, as PostgreSQL's
// own TLS is one: no gate on Node can cost less.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { cleanEnvironment } from '../../test/support/run/program.ts';
import { atEnd, type Scope } from '../../test/support/run/scope.ts';
import { supervise } from '../../test/support/run/supervise.ts';
import { KEEPALIVE_SECONDS, TERMS, type Stage } from '../stage.ts';
import type { BareNodeOptions } from './bare-node-program.ts';
import type { Peer, RunningPeer } from './peer.ts';

/** Its types are taken out here: a process that does so itself holds the compiler in its memory. */
const PROGRAM = stripTypeScriptTypes(
  readFileSync(fileURLToPath(new URL('bare-node-program.ts', import.meta.url)), 'utf8'),
);

/** The gate's, which bring its collections down (docs/decisions/0007). */
const NODE_OPTIONS = ['--max-semi-space-size=1', '--no-parallel-scavenge'];

export const bareNode: Peer = {
  name: 'bare-node',
  install: 'npm ci',
  version: () => `Node ${process.versions.node}, OpenSSL ${process.versions.openssl}`,
  start: async (stage, scope) => await startBareNode(stage, scope, null),
};

/** @param secret what its clients have to prove, as PostgreSQL stores it; null = it asks for no password */
export async function startBareNode(stage: Stage, scope: Scope, secret: string | null): Promise<RunningPeer> {
  const options: BareNodeOptions = {
    cert: stage.server.certFile,
    key: stage.server.keyFile,
    ca: stage.authority.caFile,
    upstreamPort: stage.postgres.port,
    keepAliveSeconds: KEEPALIVE_SECONDS,
    secret,
    ...TERMS,
  };
  const child = await supervise({
    command: process.execPath,
    args: [...NODE_OPTIONS, '--input-type=module', '--eval', PROGRAM, JSON.stringify(options)],
    env: cleanEnvironment(),
  });
  atEnd(scope, async () => await child.stop());
  child.stderr.resume();
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return { name: 'bare-node', endpoint: { port: Number(line), tls: true }, pid: child.pid, baseline: null };
}
