// What every peer stands before and behind: one PostgreSQL server, one authority, one client, and the data that goes
// through. The equal terms of the comparison are set here.

import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  testAuthority,
  type Credentials,
  type TestAuthority,
} from '../test/support/certificates/certificates.ts';
import { startPostgres, type PostgresServer } from '../test/support/servers/postgres.ts';
import { connectionString, runClient, type Conninfo } from '../test/support/peers/psql.ts';
import { atEnd, type Scope } from '../test/support/run/scope.ts';
import { temporaryDirectory } from '../test/support/run/temporary.ts';

/** What every peer must negotiate: OpenSSL's and libpq's first choice, so that none has to be bent to it. */
export const TERMS = { protocol: 'TLSv1.3', suite: 'TLS_AES_256_GCM_SHA384', group: 'X25519' } as const;

/** The role, the database and the common name of the client's certificate. */
export const USER = 'bench';

/** More than any measure has clients. */
export const MAX_SESSIONS = 500;

/** Seconds of silence before TCP asks whether the other end is there. */
export const KEEPALIVE_SECONDS = 60;

/** Bytes of one row of COPY's text format, its newline counted. */
const ROW_BYTES = 1000;
const ROWS_A_MEGABYTE = 1000;

/** Where a client connects. */
export interface Endpoint {
  readonly port: number;
  /** In clear only to PostgreSQL itself, to know what its own TLS adds. */
  readonly tls: boolean;
}

/** Everything but the peers. */
export interface Stage {
  readonly postgres: PostgresServer;
  readonly authority: TestAuthority;
  readonly server: Credentials;
  readonly client: Credentials;
  /** libpq's parameters, both ends verified. */
  readonly conninfo: (endpoint: Endpoint) => Record<string, string | number>;
  /** A file of that many megabytes for `\copy sink from`, written when first asked for, and its SHA-256. */
  readonly copyFile: (megabytes: number) => Promise<CopyFile>;
}

export interface CopyFile {
  readonly path: string;
  readonly sha256: string;
}

/** Starts PostgreSQL and fills it. */
export async function startStage(scope: Scope): Promise<Stage> {
  const authority = testAuthority(scope, { cn: 'Bench CA', keyType: 'ec' });
  const server = authority.server();
  const client = authority.client(USER);
  const postgres = await startPostgres({
    version: 18,
    hba: `hostssl all ${USER} 127.0.0.1/32 cert\nhostnossl all ${USER} 127.0.0.1/32 trust\n`,
    ssl: { cert: server.cert, key: server.key, ca: authority.cert },
    settings: {
      ssl_min_protocol_version: TERMS.protocol,
      ssl_tls13_ciphers: TERMS.suite,
      ssl_groups: TERMS.group,
      max_connections: String(MAX_SESSIONS + 10),
      shared_buffers: '256MB',
      max_wal_size: '4GB',
      tcp_keepalives_idle: String(KEEPALIVE_SECONDS),
    },
  });
  atEnd(scope, async () => await postgres.stop());
  const conninfo = conninfoWith(authority, client);
  await fill(postgres, conninfo({ port: postgres.port, tls: false }));
  const directory = temporaryDirectory(scope);
  const files = new Map<number, Promise<CopyFile>>();
  const copyFile = async (megabytes: number): Promise<CopyFile> => {
    const known = files.get(megabytes) ?? writeRows(join(directory, `${megabytes}.copy`), megabytes);
    files.set(megabytes, known);
    return await known;
  };
  return { postgres, authority, server, client, conninfo, copyFile };
}

/** The query whose COPY gives that many megabytes, at next to no cost for the server. */
export function bulkQuery(megabytes: number): string {
  return `select line from page, generate_series(1, ${megabytes})`;
}

async function fill(postgres: PostgresServer, conninfo: Conninfo): Promise<void> {
  await postgres.createUser(USER);
  await postgres.createDatabase(USER);
  await postgres.query(
    `alter database ${USER} owner to ${USER};
     set role ${USER};
     create table page as
       select left(repeat(md5(n::text), 32), ${ROW_BYTES - 1}) as line from generate_series(1, ${ROWS_A_MEGABYTE}) n;
     create unlogged table sink (line text);
     analyze page`,
    { database: USER },
  );
  const { code, stderr } = await runClient('pgbench', ['-i', '-q', connectionString(conninfo)]);
  if (code !== 0) throw new Error(`pgbench -i failed: ${stderr}`);
}

function conninfoWith(authority: TestAuthority, client: Credentials): Stage['conninfo'] {
  return ({ port, tls }) => ({
    host: 'localhost',
    hostaddr: '127.0.0.1',
    port,
    user: USER,
    dbname: USER,
    gssencmode: 'disable',
    ...(tls
      ? {
          sslmode: 'verify-full',
          sslrootcert: authority.caFile,
          sslcert: client.certFile,
          sslkey: client.keyFile,
        }
      : { sslmode: 'disable' }),
  });
}

async function writeRows(path: string, megabytes: number): Promise<CopyFile> {
  const hash = createHash('sha256');
  function* chunks(): Generator<Buffer> {
    for (let megabyte = 0; megabyte < megabytes; megabyte += 1) {
      const rows = Array.from({ length: ROWS_A_MEGABYTE }, (_, row) =>
        `${megabyte}/${row} `.padEnd(ROW_BYTES - 1, 'abcdefghijklmnopqrstuvwxyz'),
      );
      const chunk = Buffer.from(`${rows.join('\n')}\n`);
      hash.update(chunk);
      yield chunk;
    }
  }
  await pipeline(Readable.from(chunks()), createWriteStream(path));
  return { path, sha256: hash.digest('hex') };
}
