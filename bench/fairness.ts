// Before anything is measured: every peer negotiates the same, demands the same certificate, and passes on every byte.

import { testAuthority } from '../test/support/certificates/certificates.ts';
import { connectRaw } from '../test/support/peers/raw-client.ts';
import type { Scope } from '../test/support/run/scope.ts';
import { openSession, psql } from './clients.ts';
import type { RunningPeer } from './peers/peer.ts';
import { bulkQuery, TERMS, USER, type Endpoint, type Stage } from './stage.ts';

const MEGABYTES = 32;

/** Checks a peer against the others' terms. @throws Error that says where it differs */
export async function assertFair(stage: Stage, scope: Scope, peer: RunningPeer): Promise<void> {
  try {
    await assertTerms(stage, scope, peer.endpoint);
    await assertVerifies(stage, scope, peer.endpoint);
    await assertCopiesWhole(stage, peer.endpoint);
  } catch (error) {
    throw new Error(`${peer.name} cannot be compared`, { cause: error });
  }
}

async function assertTerms(stage: Stage, scope: Scope, endpoint: Endpoint): Promise<void> {
  const { tls } = await openSession(scope, stage, endpoint);
  const key = tls.getEphemeralKeyInfo();
  const negotiated = {
    protocol: tls.getProtocol(),
    suite: tls.getCipher().name,
    group: key !== null && 'name' in key ? key.name : 'none',
    certificate: tls.getPeerX509Certificate()?.serialNumber,
  };
  const wanted = { ...TERMS, certificate: stage.server.serial.toString(16).toUpperCase() };
  tls.destroy();
  assertEqual(JSON.stringify(negotiated), JSON.stringify(wanted), 'the handshake');
}

/** A client without a certificate and one of a foreign authority get no session. */
async function assertVerifies(stage: Stage, scope: Scope, { port }: Endpoint): Promise<void> {
  const foreign = testAuthority(scope, { cn: 'Foreign CA' }).client(USER);
  for (const certificate of [{}, { cert: foreign.cert, key: foreign.key }]) {
    const client = await connectRaw(scope, port);
    const admitted = await client
      .openTls({ ca: stage.authority.cert, servername: 'localhost', ...certificate })
      .then(async () => await client.login({ user: USER, database: USER }))
      .then(
        ({ error }) => error === null,
        () => false,
      );
    client.destroy();
    if (admitted)
      throw new Error(
        `it admits a client ${'cert' in certificate ? 'of a foreign authority' : 'without a certificate'}`,
      );
  }
}

async function assertCopiesWhole(stage: Stage, endpoint: Endpoint): Promise<void> {
  const clear: Endpoint = { port: stage.postgres.port, tls: false };
  const out = bulkQuery(MEGABYTES);
  assertEqual(await digest(stage, endpoint, out), await digest(stage, clear, out), 'COPY out');

  const { path, sha256 } = await stage.copyFile(MEGABYTES);
  await psql(stage, clear, 'truncate sink');
  await psql(stage, endpoint, String.raw`\copy sink from '${path}'`);
  assertEqual(await digest(stage, clear, 'select line from sink'), sha256, 'COPY in');
}

/** SHA-256 of what COPY gives for a query. */
async function digest(stage: Stage, endpoint: Endpoint, sql: string): Promise<string> {
  const { stdout } = await psql(stage, endpoint, String.raw`\copy (${sql}) to program 'sha256sum'`);
  return /^([0-9a-f]{64})\b/m.exec(stdout)?.[1] ?? stdout;
}

function assertEqual(found: string, wanted: string, what: string): void {
  if (found !== wanted) throw new Error(`${what}: ${found} instead of ${wanted}`);
}
