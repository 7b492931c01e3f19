// The gate's own session with the catalogue, at a server that says any bytes: the login, the first statements, a question
// about memberships and one about a secret. Each ends, well or with an error, and no byte is an exception that nobody catches.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SaltedPasswords } from '../../src/auth/scram-keys.ts';
import { parseSecret } from '../../src/auth/secret.ts';
import { CatalogSession, type CatalogAccess } from '../../src/catalog/catalog-session.ts';
import { askMemberships, askSecret } from '../../src/catalog/questions.ts';
import { loadSnapshot, type Snapshot } from '../../src/config/snapshot.ts';
import { Dialer } from '../../src/session/dial.ts';
import {
  authenticationMd5Password,
  authenticationOk,
  backendKeyData,
  cstring,
  int32,
  message,
  parameterStatus,
  readyForQuery,
} from '../../test/support/peers/messages.ts';
import { invariant, type Target } from '../target.ts';

/** No input keeps a question open for longer, in milliseconds: the server has closed by then. */
const PATIENCE_MS = 3_000;

/** A gate that has said nothing for so long waits for the server, in milliseconds. */
const SILENCE_MS = 10;

const SEGMENTS = 4;

/** What the server says after each thing that the gate says: as many lengths as segments but one, then the bytes. */
function seed(...segments: readonly Buffer[]): Buffer {
  const lengths = Buffer.alloc(2 * (SEGMENTS - 1));
  for (let i = 0; i < SEGMENTS - 1; i++) lengths.writeUInt16BE(segments[i]?.length ?? 0, 2 * i);
  return Buffer.concat([lengths, ...segments]);
}

function segmentsOf(input: Buffer): Buffer[] {
  const segments: Buffer[] = [];
  let at = 2 * (SEGMENTS - 1);
  for (let i = 0; i < SEGMENTS - 1; i++) {
    const length = input.length >= 2 * i + 2 ? input.readUInt16BE(2 * i) : 0;
    segments.push(input.subarray(at, at + length));
    at += length;
  }
  return [...segments, input.subarray(at)];
}

function row(...texts: readonly string[]): Buffer {
  const fields = texts.flatMap((text) => [int32(text.length), Buffer.from(text)]);
  return message('D', Buffer.from([0, texts.length]), ...fields);
}

const FIELD = Buffer.concat([
  cstring('c'),
  Buffer.alloc(6),
  int32(25),
  Buffer.from([255, 255]),
  int32(-1),
  Buffer.alloc(2),
]);
const DESCRIPTION = message('T', Buffer.from([0, 2]), FIELD, FIELD);
const DONE = Buffer.concat([message('C', cstring('SELECT 1')), readyForQuery()]);
const LET_IN = Buffer.concat([
  authenticationOk(),
  parameterStatus('server_version', '18.4'),
  backendKeyData(7, Buffer.alloc(4)),
  readyForQuery(),
]);
const SET = Buffer.concat([message('C', cstring('SET')), readyForQuery()]);
const MEMBERSHIPS = Buffer.concat([DESCRIPTION, row('61', '62'), DONE]);
const SECRET = Buffer.concat([message('1'), message('2'), DESCRIPTION, row('alice', 'secret'), DONE]);

export async function catalogTarget(): Promise<Target> {
  const directory = mkdtempSync(join(tmpdir(), 'fuzz-catalog-'));
  let segments: Buffer[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket: Socket) => {
    const left = [...segments];
    let patience: NodeJS.Timeout | undefined;
    socket.on('error', () => {});
    socket.on('close', () => clearTimeout(patience));
    socket.on('data', () => {
      clearTimeout(patience);
      const next = left.shift();
      if (next === undefined) socket.end();
      else socket.write(next);
      // The gate waits for more: there is none.
      patience = setTimeout(() => socket.end(), SILENCE_MS);
    });
    socket.on('end', () => socket.end());
  });
  await once(server.listen(join(directory, '.s.PGSQL.5432')), 'listening');
  const snapshot = await loaded(directory);
  const access = { dialer: new Dialer(() => []), salted: new SaltedPasswords() };
  return {
    maxLength: 8_192,
    limitMs: 500,
    seeds: [
      seed(LET_IN, SET, MEMBERSHIPS, SECRET),
      seed(authenticationMd5Password(), LET_IN, SET, MEMBERSHIPS),
      seed(LET_IN, SET, message('E', Buffer.from('SERROR\0C42501\0Mno\0\0')), readyForQuery()),
    ],
    dictionary: [
      'T',
      'D',
      'C',
      'Z',
      'E',
      'R',
      'S',
      'K',
      'N',
      'G',
      '1',
      '2',
      '\0\0\0\u0004',
      '\u00ff\u00ff\u00ff\u00ff',
    ],
    run: async (input) => {
      segments = segmentsOf(input);
      await settled(askAll(access, snapshot));
    },
    close: async () => {
      server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function askAll(access: CatalogAccess, snapshot: Snapshot): Promise<void> {
  let session: CatalogSession | null = null;
  try {
    session = await CatalogSession.open(access, snapshot, new AbortController().signal);
    const { roles } = await askMemberships(session);
    for (const [member, granted] of roles)
      invariant(member !== '' && granted.length > 0, 'members have roles');
    const secret = await askSecret(session, 'select $1', 'alice');
    if (secret !== null) parseSecret(secret);
  } catch (error) {
    invariant(error instanceof Error, 'what is thrown is an error');
  } finally {
    session?.close();
    await session?.over;
  }
}

async function settled(asked: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => (timer = setTimeout(() => resolve('late'), PATIENCE_MS)));
  const outcome = await Promise.race([asked, late]);
  clearTimeout(timer);
  invariant(outcome !== 'late', 'each question ends once the server has closed');
}

async function loaded(directory: string): Promise<Snapshot> {
  const config = join(directory, 'gatehouse.yaml');
  writeFileSync(join(directory, 'pg_hba.conf'), 'host all all all trust\n');
  writeFileSync(join(directory, 'userlist.txt'), '"reader" "password"\n', { mode: 0o600 });
  writeFileSync(
    config,
    `{ssl: off, auth_file: userlist.txt, auth_user: reader, auth_query: select $1, upstream: {host: ${directory}}}\n`,
  );
  return (await loadSnapshot(config)).snapshot;
}
