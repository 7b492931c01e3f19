// What the log says of a connection: PostgreSQL's lines on the way, and the one line at its end.

import type { Socket } from 'node:net';
import { toPrintableAscii, toText, type ByteString } from '../base/bytestring.ts';
import { codes } from '../base/codes.ts';
import type { GatehouseError } from '../base/errors.ts';
import type { ProcessState } from './process-state.ts';
import type { StartupRequest } from '../protocol/startup-message.ts';
import { refusalRow } from '../telemetry/refusals.ts';
import { authenticatedMessage } from '../rules/texts.ts';
import type { Admission, HbaRecord, Refusal } from '../rules/types.ts';
import { certificateFields } from './certificate-fields.ts';
import type { TlsSession } from '../tls/types.ts';

/** The sender of a connection from proxy_networks; nulls where it has spoken for itself. */
export interface ProxySender {
  readonly address: string | null;
  readonly port: number | null;
}

/** All that is known of a connection so far. Each step fills in its part. */
export interface ConnectionLog {
  readonly id: string;
  /** The client's numeric address, IPv4-mapped ones un-mapped, and port. At first those of the socket's other end. */
  host: string;
  port: number;
  /** The sender, where it is in proxy_networks; null where it is not. */
  proxy: ProxySender | null;
  /** performance.now() at accept. */
  readonly acceptedAt: number;
  tls: TlsSession | null;
  startup: StartupRequest | null;
  /** The line that decided. */
  record: HbaRecord | null;
  /** performance.now() when the startup packet was there. */
  startupAt: number | null;
  /** How long the dial of the upstream has taken, in milliseconds. */
  dialMs: number;
  /** performance.now() at the upstream's AuthenticationOk, or the gate's own. */
  authenticatedAt: number | null;
  /** performance.now() when the relay began. */
  relayedAt: number | null;
  /** The upstream's process, as its BackendKeyData names it. */
  upstreamPid: number | null;
}

export function logReceived(gate: ProcessState, log: ConnectionLog): void {
  gate.log.info(
    { id: log.id, ...proxyFields(log) },
    `connection received: host=${log.host} port=${log.port}`,
  );
}

/** A connection from proxy_networks, whose client is not known before its header has come. */
export function logProxy(gate: ProcessState, { id, host, port }: ConnectionLog): void {
  gate.log.debug({ id }, `connection received from a proxy: host=${host} port=${port}`);
}

function proxyFields({ proxy }: ConnectionLog): Record<string, unknown> {
  return proxy === null ? {} : { proxy_addr: proxy.address, proxy_port: proxy.port };
}

/** PostgreSQL's DEBUG2 line on the certificate, or that there is none (semantics §2.13). */
export function logTls(gate: ProcessState, log: ConnectionLog, { certificate }: TlsSession): void {
  const names = certificate.state === 'verified' ? certificate.identity.names : null;
  const [dn, cn] = [names?.dn, names?.cn].map((name) => toText(name ?? '(anonymous)'));
  gate.log.debug({ id: log.id }, `SSL connection from DN:"${dn}" CN:"${cn}"`);
}

/** PostgreSQL's `connection authenticated`, with the identity that the method proved. */
export function logAuthenticated(
  gate: ProcessState,
  log: ConnectionLog,
  verdict: Admission | Refusal,
  user: ByteString,
): void {
  const { record, identity } = verdict;
  if (record !== null) gate.log.info({ id: log.id }, toText(authenticatedMessage(record, identity, user)));
}

/** PostgreSQL's `connection authorized`, once the upstream has accepted the client too. */
export function logAuthorized(gate: ProcessState, log: ConnectionLog, startup: StartupRequest): void {
  const { tls } = log;
  const isReplication = startup.replication !== 'none';
  const parts = [
    isReplication ? 'replication connection authorized:' : 'connection authorized:',
    `user=${toText(startup.user)}`,
    // PostgreSQL leaves it out for every walsender, that of `replication=database` too.
    ...(isReplication ? [] : [`database=${toText(startup.database)}`]),
    ...(startup.applicationName === ''
      ? []
      : [`application_name=${toPrintableAscii(startup.applicationName)}`]),
    ...(tls === null
      ? []
      : [`SSL enabled (protocol=${tls.version}, cipher=${tls.cipher}, bits=${tls.bits})`]),
  ];
  gate.log.info(describe(log), parts.join(' '));
}

/**
 * PostgreSQL 18's `connection ready`. No process is forked here but the upstream's, so `fork` is the dial, and
 * `authentication` the time from the startup packet to AuthenticationOk without it (decision 87).
 */
export function logReady(gate: ProcessState, log: ConnectionLog): void {
  const now = performance.now();
  const { acceptedAt, startupAt, authenticatedAt, dialMs } = log;
  const authenticationMs = Math.max(0, (authenticatedAt ?? now) - (startupAt ?? now) - dialMs);
  const [total, fork, authentication] = [now - acceptedAt, dialMs, authenticationMs].map((ms) =>
    ms.toFixed(3),
  );
  gate.log.info(
    { id: log.id },
    `connection ready: setup total=${total} ms, fork=${fork} ms, authentication=${authentication} ms`,
  );
}

/** The upstream has refused a login because of the gate's settings, and gets none from now on. */
export function logIdentityRefused(gate: ProcessState, prefix: string): void {
  gate.log.warn(
    `the upstream server takes no settings under "${prefix}": it is sent none from now on, until a reload names another upstream or a restart`,
  );
}

/** The client's own parameters have left no room for these of the gate's. */
export function logLeftOut(gate: ProcessState, { id }: ConnectionLog, names: readonly string[]): void {
  gate.log.warn({ id }, `the startup packet has no room for ${names.join(', ')}`);
}

/** What passed, in bytes, from and to the client. */
export interface RelayedBytes {
  readonly in: number;
  readonly out: number;
}

/** What has passed so far. The sockets count already, so the hot loop does not. */
export function relayedBytes({
  upstream,
}: {
  readonly upstream: { readonly socket: Socket } | null;
}): RelayedBytes {
  return { in: upstream?.socket.bytesWritten ?? 0, out: upstream?.socket.bytesRead ?? 0 };
}

/**
 * Closing line and counters of a connection that ended as it should. `end` = a cancel request, or how the relay ended.
 */
export function reportEnd(
  gate: ProcessState,
  log: ConnectionLog,
  end: 'cancel' | 'console' | 'closed' | 'client-reset' | 'upstream-reset',
  bytes: RelayedBytes,
  logDisconnections: boolean,
): void {
  if (end === 'cancel') {
    gate.metrics.connectionEnded('cancel-request');
    return;
  }
  gate.metrics.connectionEnded('relayed');
  countRelay(gate, log, bytes);
  if (!logDisconnections) return;
  const user = toText(log.startup?.user ?? '');
  const database = toText(log.startup?.database ?? '');
  gate.log.info(
    { ...describe(log), end, bytes_in: bytes.in, bytes_out: bytes.out },
    `disconnection: session time: ${formatSessionTime(performance.now() - log.acceptedAt)} user=${user} ` +
      `database=${database} host=${log.host} port=${log.port}`,
  );
}

/** A console's user changes something: what, who, from where, and with which certificate (contract §14). */
export function logConsoleAction(gate: ProcessState, log: ConnectionLog, what: string): void {
  gate.log.info({ ...describe(log), action: what }, `console: ${what}`);
}

/** Closing line, with its code, and counters of every connection that was refused or failed. */
export function reportFailure(
  gate: ProcessState,
  log: ConnectionLog,
  failure: GatehouseError,
  bytes: RelayedBytes,
): void {
  const { code, detail, hint, fields, cause } = failure;
  gate.metrics.connectionEnded(code);
  gate.metrics.tlsFailure(code);
  countRelay(gate, log, bytes);
  const line = {
    code,
    ...describe(log),
    ...(failure.sqlstate === null ? {} : { sqlstate: failure.sqlstate }),
    ...(detail === null ? {} : { detail: toText(detail) }),
    ...(hint === null ? {} : { hint: toText(hint) }),
    ...fields,
  };
  const message = toText(failure.message);
  gate.log[codes[code].level](code === 'internal-error' ? { ...line, err: cause } : line, message);
  // SECURITY: not the cause of a defect. Its stack is for the log.
  const row = refusalRow(code, line, message);
  if (row !== null) gate.refused(row);
}

/**
 * The line and the count of a client that had reset its connection before it was accepted. The kernel has forgotten its
 * address. The count shows anyone who makes such connections by the thousand.
 */
export function reportGone(gate: ProcessState): void {
  const code = 'no-startup-packet';
  gate.metrics.connectionEnded(code);
  gate.log[codes[code].level](
    { code, id: gate.nextId(), host: null, port: null },
    'the client was gone before it was accepted',
  );
}

function countRelay(gate: ProcessState, log: ConnectionLog, bytes: RelayedBytes): void {
  if (log.relayedAt === null) return;
  gate.metrics.session((performance.now() - log.relayedAt) / 1000);
  gate.metrics.relayed('to_client', bytes.out);
  gate.metrics.relayed('to_upstream', bytes.in);
}

function describe(log: ConnectionLog): Record<string, unknown> {
  const { tls, startup, record } = log;
  const certificate = tls?.certificate.state === 'verified' ? tls.certificate.identity.facts : null;
  return {
    id: log.id,
    host: log.host,
    port: log.port,
    ...proxyFields(log),
    ...(startup === null ? {} : { user: toText(startup.user), database: toText(startup.database) }),
    ...(record === null ? {} : { rule: `${record.file}:${record.line}` }),
    ...(log.upstreamPid === null ? {} : { upstream_pid: log.upstreamPid }),
    ...(certificate === null ? {} : { certificate: certificateFields(certificate) }),
  };
}

function pad(value: number, width = 2): string {
  return String(value).padStart(width, '0');
}

/** `H:MM:SS.mmm`, as log_disconnections of PostgreSQL's postgres.c prints it. */
function formatSessionTime(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const hours = Math.floor(seconds / 3600);
  return `${hours}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}.${pad(Math.floor(ms) % 1000, 3)}`;
}
