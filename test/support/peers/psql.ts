// PostgreSQL's own clients, run to their end or kept running: psql, pgbench, pg_basebackup, pg_recvlogical.

import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { nativeFolder } from '../servers/postgres-binaries.ts';
import { cleanEnvironment, runToEnd, type Finished, type RunOptions } from '../run/program.ts';
import { atEnd, type Scope } from '../run/scope.ts';
import { toolPath, type Tool } from '../run/tools.ts';

export interface ClientOptions extends Omit<RunOptions, 'via'> {
  /**
   * Which libpq: the system's unless given. Debian's psql runs with libpq 18 as well, which knows
   * sslnegotiation=direct and max_protocol_version.
   */
  readonly libpq?: 15 | 18;
}

/** libpq's connection parameters by name, or a connection string. */
export type Conninfo = string | Readonly<Record<string, string | number>>;

/**
 * Runs psql without start-up file and without ever asking for a password; output unaligned, tuples only.
 * @param args usually `['-c', 'select 1']`
 */
export async function psql(
  conninfo: Conninfo,
  args: readonly string[] = [],
  options: ClientOptions = {},
): Promise<Finished> {
  return runClient('psql', ['-X', '-w', '-A', '-t', ...args, connectionString(conninfo)], options);
}

/** Runs a PostgreSQL client to its end. */
export async function runClient(
  tool: Tool,
  args: readonly string[],
  options: ClientOptions = {},
): Promise<Finished> {
  return runToEnd(toolPath(tool), args, { ...options, env: clientEnvironment(options) });
}

/** Starts a client that the test will talk to or interrupt; killed when the test is over. */
export function startClient(
  t: Scope,
  tool: Tool,
  args: readonly string[],
  options: ClientOptions = {},
): ChildProcess & {
  readonly stdin: NonNullable<ChildProcess['stdin']>;
  readonly stdout: NonNullable<ChildProcess['stdout']>;
} {
  const child = spawn(toolPath(tool), args, {
    env: cleanEnvironment(clientEnvironment(options)),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined);
  atEnd(t, () => child.kill('SIGKILL'));
  return child;
}

/** `key='value'` pairs as libpq reads them. */
export function connectionString(conninfo: Conninfo): string {
  if (typeof conninfo === 'string') return conninfo;
  return Object.entries(conninfo)
    .map(([key, value]) => `${key}='${String(value).replaceAll(/['\\]/g, String.raw`\$&`)}'`)
    .join(' ');
}

function clientEnvironment({ env = {}, libpq }: ClientOptions): Record<string, string> {
  return {
    PGCONNECT_TIMEOUT: '50',
    ...(libpq === undefined ? {} : { LD_LIBRARY_PATH: join(nativeFolder(libpq), 'lib') }),
    ...env,
  };
}
