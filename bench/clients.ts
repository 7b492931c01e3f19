// The clients that do the work: PostgreSQL's own psql and pgbench, and sessions that are held open from here.

import { connectRaw, query, type RawClient } from '../test/support/peers/raw-client.ts';
import { psql as runPsql, connectionString, runClient } from '../test/support/peers/psql.ts';
import type { Scope } from '../test/support/run/scope.ts';
import { USER, type Endpoint, type Stage } from './stage.ts';

/** Longer than any single piece of work takes. */
const WORK_MS = 300_000;
/** Handshakes under way at one time while sessions are opened. */
const OPENING_AT_ONCE = 8;

/** What psql was told and how long the last command took. */
export interface PsqlResult {
  readonly stdout: string;
  /** As \timing has it: without the connection's set-up. */
  readonly seconds: number;
}

export interface PgbenchResult {
  readonly transactions: number;
  /** pgbench's own figure; connection times count only with -C. */
  readonly tps: number;
}

/** Runs one command in psql. @throws Error with psql's words when it fails */
export async function psql(stage: Stage, endpoint: Endpoint, command: string): Promise<PsqlResult> {
  // Rows go to -o; what \timing says, to stdout.
  const args = ['-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-c', String.raw`\timing on`, '-c', command];
  const { code, stdout, stderr } = await runPsql(stage.conninfo(endpoint), args, { timeoutMs: WORK_MS });
  const milliseconds = /^Time: ([\d.]+) ms/m.exec(stdout)?.[1];
  if (code !== 0 || milliseconds === undefined) throw new Error(`psql -c "${command}" failed: ${stderr}`);
  return { stdout, seconds: Number(milliseconds) / 1000 };
}

/**
 * Runs pgbench.
 *
 * @param password what it answers where it is asked
 * @throws Error with pgbench's words when it fails or a transaction does
 */
export async function pgbench(
  stage: Stage,
  endpoint: Endpoint,
  args: readonly string[],
  password?: string,
): Promise<PgbenchResult> {
  const all = ['-n', ...args, connectionString(stage.conninfo(endpoint))];
  const { code, stdout, stderr } = await runClient('pgbench', all, {
    timeoutMs: WORK_MS,
    ...(password === undefined ? {} : { env: { PGPASSWORD: password } }),
  });
  const transactions = Number(/^number of transactions actually processed: (\d+)/m.exec(stdout)?.[1]);
  const tps = Number(/^tps = ([\d.]+)/m.exec(stdout)?.[1]);
  if (code !== 0 || !(transactions > 0) || !(tps > 0)) {
    throw new Error(`pgbench ${args.join(' ')} failed (${code}): ${stderr}${stdout}`);
  }
  return { transactions, tps };
}

/** Opens sessions over mutual TLS and runs a query in each, so that each has its upstream. */
export async function openSessions(
  scope: Scope,
  stage: Stage,
  endpoint: Endpoint,
  count: number,
): Promise<RawClient[]> {
  const sessions: RawClient[] = [];
  while (sessions.length < count) {
    const batch = Math.min(OPENING_AT_ONCE, count - sessions.length);
    const opening = Array.from({ length: batch }, async () => await openSession(scope, stage, endpoint));
    sessions.push(...(await Promise.all(opening)));
  }
  return sessions;
}

/** One session over mutual TLS. @throws Error when it is refused */
export async function openSession(
  scope: Scope,
  stage: Stage,
  endpoint: Endpoint,
  credentials = stage.client,
): Promise<RawClient> {
  const client = await connectRaw(scope, endpoint.port);
  const { cert, key } = credentials;
  await client.openTls({ ca: stage.authority.cert, servername: 'localhost', cert, key });
  const { error } = await client.login({ user: USER, database: USER });
  if (error !== null) throw new Error(`the login was refused: ${error['M']}`);
  await client.send(query('select 1'));
  await client.readMessagesUntil('Z');
  return client;
}
