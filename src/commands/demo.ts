// `pg-gatehouse demo`: the main job on an embedded upstream, with throw-away certificates, and the psql line that
// proves it (contract §1). Everything it makes is gone when it ends.

import { once } from 'node:events';
import { lstatSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isSea } from 'node:sea';
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { inDays } from '../pki/authority.ts';
import { PkiFolder } from '../pki/folder.ts';
import { startServer } from '../server/server.ts';
import { action, CommandError, exitStatus } from './action.ts';
import { output } from './output.ts';

interface DemoOptions {
  readonly port: number;
}

/** Adds the `demo` command to the program. */
export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('run the gate in front of an embedded PostgreSQL and print the psql line that connects')
    .option('--port <port>', 'port of the gate; another one is taken where it is in use', port, 6432)
    .action(action(async (options: DemoOptions) => await demo(options)));
}

const USER = 'alice';
/** Longer than the 30 days from which the gate warns. */
const VALID_DAYS = 90;
const LOCAL_ADDRESSES = ['127.0.0.1', '::1'];

/** Runs until a signal ends it; returns the exit status. */
async function demo(options: DemoOptions): Promise<number> {
  // Listen from the start, so that Ctrl-C leaves no process and no file.
  const ended = endingSignal();
  try {
    await using cleanup = new AsyncDisposableStack();
    const directory = await mkdtemp(join(tmpdir(), 'pg-gatehouse-demo-'));
    cleanup.defer(async () => await rm(directory, { recursive: true, force: true }));
    const upstreamPort = await startUpstream(cleanup);
    const configFile = await writeFiles(directory, { port: await freePort(options.port), upstreamPort });
    const server = await startServer({ configFile });
    cleanup.defer(async () => await server.stop('fast'));
    if (!ended.signal.aborted) {
      output(invitation(directory, server.addresses[0]?.port ?? options.port));
      await once(ended.signal, 'abort');
    }
  } finally {
    ended.ignore();
  }
  return exitStatus.fine;
}

const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

function endingSignal(): { readonly signal: AbortSignal; ignore(): void } {
  const ending = new AbortController();
  const end = () => {
    ending.abort();
  };
  for (const name of ENDING_SIGNALS) process.on(name, end);
  return {
    signal: ending.signal,
    ignore() {
      for (const name of ENDING_SIGNALS) process.off(name, end);
    },
  };
}

/** More sessions than a few people with psql need. */
const UPSTREAM_CONNECTIONS = 16;

/** PostgreSQL as WebAssembly on a loopback port of its own; it speaks no TLS and asks for no password. */
async function startUpstream(cleanup: AsyncDisposableStack): Promise<number> {
  const { PGlite, PGLiteSocketServer } = await importPglite();
  const db = await PGlite.create();
  cleanup.defer(async () => await db.close());
  const server = new PGLiteSocketServer({
    db,
    host: '127.0.0.1',
    port: 0,
    maxConnections: UPSTREAM_CONNECTIONS,
  });
  await server.start();
  cleanup.defer(async () => await server.stop());
  const [, chosenPort] = server.getServerConn().split(':');
  return Number(chosenPort);
}

/** Optional dependencies: only the demo needs them. */
async function importPglite() {
  if (isSea()) return requirePglite(process.cwd());
  try {
    const [{ PGlite }, { PGLiteSocketServer }] = await Promise.all([
      import('@electric-sql/pglite'),
      import('@electric-sql/pglite-socket'),
    ]);
    return { PGlite, PGLiteSocketServer };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
    throw pgliteMissing('');
  }
}

/** For the executable, which holds no packages: those that npm has installed into a folder. */
function requirePglite(folder: string) {
  const modules = join(folder, 'node_modules');
  const owner = lstatSync(modules, { throwIfNoEntry: false })?.uid;
  // SECURITY: what stands there is run. In a folder such as /tmp anybody may have put it there.
  if (owner !== 0 && owner !== process.getuid?.()) throw pgliteMissing(', in a folder of your own');
  const require = createRequire(join(modules, 'x'));
  try {
    const { PGlite }: typeof import('@electric-sql/pglite') = require('@electric-sql/pglite');
    const socket: typeof import('@electric-sql/pglite-socket') = require('@electric-sql/pglite-socket');
    return { PGlite, PGLiteSocketServer: socket.PGLiteSocketServer };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND')) throw error;
    throw pgliteMissing(' here');
  }
}

function pgliteMissing(where: string): CommandError {
  return new CommandError(
    `the demo needs two packages that are not installed: npm install @electric-sql/pglite @electric-sql/pglite-socket${where}`,
  );
}

/** The certificates and the gate's three files; returns the path of the YAML one. */
async function writeFiles(
  directory: string,
  ports: { readonly port: number; readonly upstreamPort: number },
): Promise<string> {
  const folder = new PkiFolder(directory);
  const notAfter = inDays(VALID_DAYS);
  const fresh = { force: false };
  await folder.create({ subject: 'pg-gatehouse demo CA', notAfter }, fresh);
  const altNames = [
    { type: 'dns' as const, value: 'localhost' },
    ...LOCAL_ADDRESSES.map((value) => ({ type: 'ip' as const, value })),
  ];
  await folder.issue('server', { subject: 'localhost', altNames, purposes: ['serverAuth'], notAfter }, fresh);
  await folder.issue(USER, { subject: USER, purposes: ['clientAuth'], notAfter }, fresh);
  await writeFile(join(directory, 'pg_hba.conf'), hbaFile);
  const configFile = join(directory, 'gatehouse.yaml');
  await writeFile(configFile, yamlFile(ports));
  return configFile;
}

const hbaFile = `# TYPE   DATABASE  USER  ADDRESS  METHOD
# Over TLS: anyone with a certificate of our CA whose common name is the user's name.
hostssl  all       all   all      cert
# Nobody else: without this line they would be refused as well, only with another message.
host     all       all   all      reject
`;

function yamlFile(ports: { readonly port: number; readonly upstreamPort: number }): string {
  return `listen_addresses: localhost
port: ${ports.port}
ssl_cert_file: server.crt
ssl_key_file: server.key
ssl_ca_file: ca.crt
ssl_crl_file: ca.crl
hba_file: pg_hba.conf
upstream:
  host: 127.0.0.1
  port: ${ports.upstreamPort}
admin:
  listen: ''
`;
}

function invitation(directory: string, gatePort: number): string {
  const server = {
    host: 'localhost',
    port: `${gatePort}`,
    user: USER,
    dbname: 'postgres',
    sslmode: 'verify-full',
    sslrootcert: join(directory, 'ca.crt'),
  };
  const certificate = { sslcert: join(directory, `${USER}.crt`), sslkey: join(directory, `${USER}.key`) };
  return `
A PostgreSQL without TLS or passwords is running, with a gate in front of it. This connects:

  psql "${conninfo({ ...server, ...certificate })}"

And without the certificate, PostgreSQL's own words:

  psql "${conninfo(server)}"

The rules and the gate's settings are in ${directory}; Ctrl-C ends everything and removes them.

`;
}

/** libpq's keyword/value form, quoted where it must be. */
function conninfo(parameters: Readonly<Record<string, string>>): string {
  return Object.entries(parameters)
    .map(([keyword, value]) => `${keyword}=${/^[\w./-]+$/.test(value) ? value : quoted(value)}`)
    .join(' ');
}

function quoted(value: string): string {
  return `'${value.replace(/['\\]/g, '\\$&')}'`;
}

/** The wanted port where it is free on every loopback address, else 0: the system chooses. */
async function freePort(wanted: number): Promise<number> {
  for (const address of LOCAL_ADDRESSES) {
    if (!(await isFree(address, wanted))) return 0;
  }
  return wanted;
}

async function isFree(address: string, wanted: number): Promise<boolean> {
  const probe = createServer().listen(wanted, address);
  try {
    await once(probe, 'listening');
  } catch (error) {
    // An address that this machine does not have is not in use.
    return !(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE');
  }
  probe.close();
  await once(probe, 'close');
  return true;
}

function port(value: string): number {
  const number = /^\d+$/.test(value) ? Number(value) : -1;
  if (number < 0 || number > 65_535) throw new InvalidArgumentError('It must be a number from 0 to 65535.');
  return number;
}
