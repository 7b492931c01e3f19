// A real PostgreSQL server (10, 15 or 18) for one test: an upstream for the gate, or the oracle it is compared with.
// On 127.0.0.1 and a Unix socket, fsync off, in a data directory of its own; gone when the test is, however it ends.

import { appendFileSync, chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../run/free-port.ts';
import {
  executableFolder,
  initdb,
  runAsServer,
  serverAccount,
  templateDirectory,
  type PostgresVersion,
} from './postgres-binaries.ts';
import { cleanEnvironment } from '../run/program.ts';
import { supervise, type Supervised } from '../run/supervise.ts';
import { Arrivals, PATIENCE_MS } from '../run/waiting.ts';

export type { PostgresVersion } from './postgres-binaries.ts';

export interface PostgresOptions {
  readonly version: PostgresVersion;
  /**
   * The whole pg_hba.conf, its line numbers unchanged: one line, by which the superuser gets in over the Unix
   * socket, is added at its end. Default: trust for everybody on loopback.
   */
  readonly hba?: string;
  readonly ident?: string;
  /** postgresql.conf settings, values as they would stand between quotes. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly password_encryption?: 'md5' | 'scram-sha-256';
  /** Turns ssl on; PEM texts. */
  readonly ssl?: { readonly cert: string; readonly key: string; readonly ca?: string; readonly crl?: string };
  /** Further arguments of initdb; the data directory is then made anew and takes a second longer. */
  readonly initdbArgs?: readonly string[];
}

export interface RoleOptions {
  readonly password?: string;
  /** How the password is stored; default: the server's setting. */
  readonly encryption?: 'md5' | 'scram-sha-256';
  readonly superuser?: boolean;
  readonly replication?: boolean;
  readonly memberOf?: readonly string[];
}

export type Row = Readonly<Record<string, unknown>>;

/** Access rules that tests ask for again and again. */
export const HBA = {
  trust: loopback('trust'),
  password: loopback('password'),
  md5: loopback('md5'),
  'scram-sha-256': loopback('scram-sha-256'),
  reject: loopback('reject'),
} as const;

function loopback(method: string): string {
  return ['all', 'replication'].map((database) => `host ${database} all 127.0.0.1/32 ${method}\n`).join('');
}

const SUPERUSER_LINE = 'local all postgres trust\n';

const BASE_SETTINGS = {
  listen_addresses: '127.0.0.1',
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  autovacuum: 'off',
  shared_buffers: '16MB',
  wal_level: 'logical',
  max_wal_senders: '4',
  max_replication_slots: '4',
  lc_messages: 'C',
  timezone: 'UTC',
  log_timezone: 'UTC',
} as const;

/**
 * Starts a server and waits until it accepts connections. Stop it by `await using`, or by `stop()`.
 * @throws Error with the server's log when it does not start.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  // Another program may take the port between our looking for it and the server's binding it.
  for (let attempt = 1; ; attempt += 1) {
    const server = new PostgresServer(options, makeDataDirectory(options), await freePort());
    try {
      await server.start();
      return server;
    } catch (error) {
      await server.stop();
      const portWasTaken = /could not (bind|create any TCP)/.test(server.log());
      if (!portWasTaken || attempt === 5) throw error;
    }
  }
}

/** A directory of the server's user, with a freshly initialised `data` in it. */
function makeDataDirectory({ version, initdbArgs }: PostgresOptions): string {
  const directory = mkdtempSync(join(tmpdir(), 'pg-'));
  const { uid, gid } = serverAccount();
  chownSync(directory, uid, gid);
  chmodSync(directory, 0o755);
  const dataDir = join(directory, 'data');
  if (initdbArgs === undefined) {
    runAsServer('cp', ['-Rp', templateDirectory(version), dataDir]);
  } else {
    mkdirSync(dataDir, { mode: 0o700 });
    chownSync(dataDir, uid, gid);
    initdb(version, dataDir, initdbArgs);
  }
  return directory;
}

/** A running server; made by startPostgres() only. */
export class PostgresServer {
  readonly host = '127.0.0.1';
  readonly superuser = 'postgres';
  readonly version: PostgresVersion;
  readonly port: number;
  /** The folder of the Unix socket: what libpq takes as `host`. */
  readonly socketDir: string;
  readonly dataDir: string;
  /** For psql and its relatives: the superuser over the Unix socket. */
  readonly psqlEnv: Readonly<Record<string, string>>;
  readonly #directory: string;
  readonly #log = new Arrivals<string>();
  #process: Supervised | null = null;

  constructor(options: PostgresOptions, directory: string, port: number) {
    this.version = options.version;
    this.port = port;
    this.socketDir = directory;
    this.dataDir = join(directory, 'data');
    this.psqlEnv = { PGHOST: directory, PGPORT: String(port), PGUSER: 'postgres', PGDATABASE: 'postgres' };
    this.#directory = directory;
    this.#configure(options);
  }

  /** The postmaster's process id. */
  get pid(): number {
    if (this.#process === null) throw new Error('the server is not running');
    return this.#process.pid;
  }

  /** Starts the postmaster: startPostgres() has done so; for use after `stop({ keepDirectory: true })`. */
  async start(): Promise<void> {
    const from = this.#log.items.length;
    const server = await supervise({
      command: join(executableFolder(this.version), 'bin', 'postgres'),
      args: ['-D', this.dataDir],
      env: cleanEnvironment({ LC_ALL: 'C' }),
      ...serverAccount(),
      // Immediate shutdown: the data directory is thrown away.
      stopSignal: 'SIGQUIT',
      directories: [this.#directory],
    });
    this.#process = server;
    for (const stream of [server.stdout, server.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.#log.push(line));
    }
    const died = server.exited.then(() => {
      throw new Error(`PostgreSQL ${this.version} did not start:\n${this.log()}`);
    });
    died.catch(() => undefined);
    await Promise.race([
      this.waitForLog(/database system is ready to accept (read[- ]only )?connections/, { from }),
      died,
    ]);
  }

  /** Everything the server has logged so far. */
  log(): string {
    return this.#log.items.join('\n');
  }

  /** Number of log lines so far: `from` for a waitForLog() that shall see only later ones. */
  logLength(): number {
    return this.#log.items.length;
  }

  /** The first log line that matches, logged already or yet to come. */
  async waitForLog(pattern: RegExp, options: { from?: number; timeoutMs?: number } = {}): Promise<string> {
    return this.#log.next(
      (line) => pattern.test(line),
      () => `PostgreSQL ${this.version} to log ${pattern}; it logged:\n${this.log()}`,
      { timeoutMs: 2 * PATIENCE_MS, ...options },
    );
  }

  /** Runs SQL as the superuser over the Unix socket; rows of the last statement, values as node-postgres reads them. */
  async query(sql: string, { database = 'postgres' } = {}): Promise<Row[]> {
    const { Client } = (await import('pg')).default;
    const client = new Client({ host: this.socketDir, port: this.port, user: 'postgres', database });
    await client.connect();
    try {
      const result = await client.query<Row>(sql);
      // With several statements node-postgres gives a list of results, which its types do not say.
      const last = Array.isArray(result) ? (result as (typeof result)[]).at(-1) : result;
      return last?.rows ?? [];
    } finally {
      await client.end();
    }
  }

  /** Creates a role that may log in. */
  async createUser(name: string, options: RoleOptions = {}): Promise<void> {
    const attributes = [
      'LOGIN',
      ...(options.superuser === true ? ['SUPERUSER'] : []),
      ...(options.replication === true ? ['REPLICATION'] : []),
      ...(options.password === undefined ? [] : [`PASSWORD ${quoteLiteral(options.password)}`]),
      ...(options.memberOf === undefined
        ? []
        : [`IN ROLE ${options.memberOf.map(quoteIdentifier).join(', ')}`]),
    ];
    const encryption =
      options.encryption === undefined ? '' : `SET password_encryption = '${options.encryption}'; `;
    await this.query(`${encryption}CREATE ROLE ${quoteIdentifier(name)} ${attributes.join(' ')}`);
  }

  async createDatabase(name: string): Promise<void> {
    await this.query(`CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE template0`);
  }

  /** Writes a file of the data directory, as the server's user, 0600. */
  writeDataFile(name: string, content: string | Uint8Array): void {
    const path = join(this.dataDir, name);
    const { uid, gid } = serverAccount();
    writeFileSync(path, content, { mode: 0o600 });
    chownSync(path, uid, gid);
  }

  /** Replaces pg_hba.conf and, if given, pg_ident.conf, and waits until the server has read them. */
  async setRules(hba: string, ident?: string): Promise<void> {
    this.#writeRules(hba, ident);
    await this.reload();
  }

  /** SIGHUP, and waits until new connections see its effect. */
  async reload(): Promise<void> {
    const from = this.logLength();
    process.kill(this.pid, 'SIGHUP');
    await this.waitForLog(/received SIGHUP, reloading configuration files/, { from });
    // The postmaster reads the files before it accepts again, so a connection of ours comes after them.
    await this.query('select 1');
  }

  /** Ends the server at once (its clients see the connection close), and removes its directory unless told not to. */
  async stop({ keepDirectory = false } = {}): Promise<void> {
    const running = this.#process;
    this.#process = null;
    await running?.stop({ keepDirectories: keepDirectory });
    if (!keepDirectory) rmSync(this.#directory, { recursive: true, force: true, maxRetries: 3 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #configure({ settings, password_encryption, ssl, hba = HBA.trust, ident }: PostgresOptions): void {
    this.#writeRules(hba, ident);
    const all: Record<string, string> = {
      ...BASE_SETTINGS,
      port: String(this.port),
      unix_socket_directories: this.socketDir,
      ...(password_encryption === undefined ? {} : { password_encryption }),
      ...(ssl === undefined ? {} : this.#writeTlsFiles(ssl)),
      ...settings,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name} = ${quoteLiteral(value)}\n`);
    appendFileSync(join(this.dataDir, 'postgresql.conf'), `\n${lines.join('')}`);
  }

  #writeRules(hba: string, ident?: string): void {
    this.writeDataFile('pg_hba.conf', `${hba}${hba.endsWith('\n') ? '' : '\n'}${SUPERUSER_LINE}`);
    if (ident !== undefined) this.writeDataFile('pg_ident.conf', ident);
  }

  #writeTlsFiles(ssl: NonNullable<PostgresOptions['ssl']>): Record<string, string> {
    this.writeDataFile('server.crt', ssl.cert);
    this.writeDataFile('server.key', ssl.key);
    if (ssl.ca !== undefined) this.writeDataFile('ca.crt', ssl.ca);
    if (ssl.crl !== undefined) this.writeDataFile('ca.crl', ssl.crl);
    return {
      ssl: 'on',
      ...(ssl.ca === undefined ? {} : { ssl_ca_file: 'ca.crt' }),
      ...(ssl.crl === undefined ? {} : { ssl_crl_file: 'ca.crl' }),
    };
  }
}

function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
