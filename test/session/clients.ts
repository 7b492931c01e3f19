// Clients of a gate under test, past the parts that a test is not about: connected, inside TLS, logged in.

import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import type { Credentials } from '../support/certificates/certificates.ts';
import type { Gate, LogLine } from '../support/run/gate.ts';
import {
  connectRaw,
  startupMessage,
  type ByteChannel,
  type Login,
  type Parameters,
  type RawClient,
} from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import type { UpstreamConnection } from '../support/peers/scripted-upstream.ts';
import { PATIENCE_MS } from '../support/run/waiting.ts';

/** A rule file that admits everybody, with and without TLS. */
export const TRUST = 'host all all 127.0.0.1/32 trust\n';

export interface OpenOptions {
  readonly tls?: boolean;
  readonly credentials?: Credentials;
  /** How long the client waits for anything. */
  readonly patienceMs?: number;
}

/** Connects, and unless told otherwise starts TLS with the gate's certificate verified. */
export async function openClient(
  t: Scope,
  gate: Gate,
  { tls = true, credentials, patienceMs = PATIENCE_MS }: OpenOptions = {},
): Promise<RawClient> {
  const client = await connectRaw(t, gate.port);
  client.patienceMs = patienceMs;
  if (!tls) return client;
  await client.openTls({
    ca: gate.authority.cert,
    servername: 'localhost',
    ...(credentials === undefined ? {} : { cert: credentials.cert, key: credentials.key }),
  });
  return client;
}

/** Connects and logs in. @throws Error when the login is refused */
export async function openSession(
  t: Scope,
  gate: Gate,
  { parameters = { user: 'alice' }, ...options }: OpenOptions & { readonly parameters?: Parameters } = {},
): Promise<{ readonly client: RawClient; readonly login: Login }> {
  const client = await openClient(t, gate, options);
  const login = await client.login(parameters);
  if (login.error !== null) throw new Error(`the login was refused: ${JSON.stringify(login.error)}`);
  return { client, login };
}

/** A client without TLS that has been asked for a password, by the gate or its upstream. */
export async function askedForPassword(t: Scope, gate: Gate, user = 'alice'): Promise<RawClient> {
  const client = await connectRaw(t, gate.port);
  await client.send(startupMessage({ user }));
  await client.readMessagesUntil('R');
  return client;
}

/** A client inside TLS at the host that it names, whatever that host's certificate says. It has sent no startup packet. */
export async function clientOfHost(
  t: Scope,
  gate: Gate,
  servername: string,
  { cert, key }: Credentials,
): Promise<RawClient> {
  const client = await connectRaw(t, gate.port);
  await client.openTls({ servername, cert, key, rejectUnauthorized: false });
  return client;
}

/** For psql: everything verified on both sides. */
export function conninfo(
  gate: Gate,
  credentials: Credentials,
  overrides: Readonly<Record<string, string | number>> = {},
): Record<string, string | number> {
  return {
    host: 'localhost',
    hostaddr: '127.0.0.1',
    port: gate.port,
    user: 'postgres',
    dbname: 'postgres',
    sslmode: 'verify-full',
    sslrootcert: gate.authority.caFile,
    sslcert: credentials.certFile,
    sslkey: credentials.keyFile,
    ...overrides,
  };
}

/** For psql without TLS. */
export function plainConninfo(gate: Gate): Record<string, string | number> {
  return { host: '127.0.0.1', port: gate.port, user: 'postgres', dbname: 'postgres', sslmode: 'disable' };
}

/** What a server does that trusts its clients; the script goes on after it. */
export async function letIn(
  connection: UpstreamConnection,
  keyData: { readonly pid?: number; readonly key?: Uint8Array } = {},
): Promise<void> {
  await connection.readStartup();
  await connection.acceptLogin(keyData);
}

/** The channel's socket, for a test that reads and writes it itself: nothing is collected from here on. */
export function takeOver(channel: ByteChannel): Socket {
  channel.socket.removeAllListeners('data');
  channel.socket.pause();
  return channel.socket;
}

/** The closing lines with a code since line `from` of the log. */
export function codedLines(gate: Gate, from = 0): readonly LogLine[] {
  return gate.log.slice(from).filter(({ code }) => code !== undefined);
}

/** Milliseconds between two lines of the log, by the clock of the gate: this process may be late. */
export function msBetween(from: LogLine, to: LogLine): number {
  return Date.parse(String(to['time'])) - Date.parse(String(from['time']));
}

/** Asks again and again, each time as soon as the last answer is there. @throws Error when it stays false */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${PATIENCE_MS / 1000} s until ${what}`);
    // Where `holds` asks nobody, what it waits for could not come without this.
    await setImmediate();
  }
}
