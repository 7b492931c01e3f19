// The life of one connection. serveConnection is its table of contents: begin, client address, opening, startup,
// refusals, rules, enlist, dial, login, relay, finish. The steps are the files beside this one, and do not know each
// other.

import type { Socket } from 'node:net';
import { GatehouseError } from '../base/errors.ts';
import type { ProcessState } from './process-state.ts';
import { logsConnections } from '../config/log-connections.ts';
import type { Settings } from '../config/schema.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { BackendStream } from '../protocol/message-boundary.ts';
import type { StartupRequest } from '../protocol/startup-message.ts';
import { addressBlock, clientAddress } from '../rules/address.ts';
import type { IpAddress } from '../rules/types.ts';
import { TlsAlertError } from '../tls/handshake/tls-alert.ts';
import type { TlsMaterial } from '../tls/types.ts';
import { admit, delist } from './admission.ts';
import { countFailure, endTurn } from './ban-step.ts';
import { readClientAddress, speaksForOthers } from './client-address.ts';
import { forwardCancel } from './cancel.ts';
import { cancel } from './cancel-step.ts';
import { EndSignal, reasonOf } from './end-signal.ts';
import type { UpstreamLink } from './dial.ts';
import { negotiate, type StartupPacket } from './negotiation.ts';
import { errorResponse, sendAndClose } from './refuse.ts';
import type { Session } from './sessions.ts';
import { serveConsole } from './console-step.ts';
import type { RelayEnd } from './closing.ts';
import { Relay } from './relay.ts';
import {
  logProxy,
  logReady,
  logReceived,
  relayedBytes,
  reportEnd,
  reportFailure,
  reportGone,
  type ConnectionLog,
} from './report.ts';
import { acceptStartup } from './startup.ts';
import type { Login } from './login.ts';
import { enterUpstream } from './upstream-step.ts';

/** One connection and everything it holds. `letGo` gives all of it back. */
export interface Connection {
  readonly gate: ProcessState;
  /** At first the settings in force at accept. The decision replaces them, and they then stay to the end. */
  settings: Settings;
  /** What the TLS handshake was made with, until the connection is decided on; null in clear. */
  material: TlsMaterial | null;
  readonly raw: Socket;
  /** The client's address, as the rules see it. At first that of the socket's other end; its text is `log.host`. */
  address: IpAddress;
  /** Limits on the opening count by it: the address, or its /64. At first that of the socket's other end. */
  block: string;
  /** Whom the cost of a failed opening is charged to: null = a load balancer, which is never refused for its clients. */
  chargedTo: string | null;
  readonly life: EndSignal;
  readonly log: ConnectionLog;
  /** The socket to write to the client: `raw`, and the TLS socket above it after the handshake. */
  client: Socket;
  upstream: UpstreamLink | null;
  session: Session | null;
  /** Follows the upstream's messages as the client is sent them. */
  readonly said: BackendStream;
  /** The state that has admitted it; null = none has yet. Weak, because a session must not keep an old state in memory. */
  decidedBy: WeakRef<Snapshot> | null;
  /** The address whose turn it has to answer a password request; null = it has none. */
  guessOf: string | null;
  /** It carries a cancel request, for which nobody logs in. */
  isCancel: boolean;
  /** The gate itself answers, by the state that has decided. */
  isConsole: boolean;
  /** False once it has ended as it should. */
  hasFailed: boolean;
}

/** How a connection ended that did not fail. */
type End = RelayEnd | 'cancel' | 'console';

/**
 * Serves one accepted connection to its end: the table of contents of src/session/. Each step hands on what the next
 * one needs, or throws the GatehouseError that the connection ends with. Never rejects; both sockets are closed when it
 * returns.
 *
 * @param raw paused and `allowHalfOpen`
 */
export async function serveConnection(raw: Socket, gate: ProcessState): Promise<void> {
  const connection = begin(raw, gate);
  if (connection === null) return;
  try {
    await learnClientAddress(connection);
    const opening = await negotiate(connection);
    if (opening.kind === 'cancel') return await leave(connection, await cancel(connection, opening));
    const startup = readStartup(connection, opening);
    // Refusals, rules, passwords, and the place among the sessions: all by the state in force (admission.ts).
    const admitted = await admit(connection, startup);
    if (connection.isConsole)
      return await leave(connection, await serveConsole(connection, startup, admitted.admission));
    const { link, login } = await whileClientStays(connection, () =>
      enterUpstream(connection, startup, admitted),
    );
    finish(connection, await relay(connection, link, login));
  } catch (error) {
    await fail(connection, asFailure(error));
  } finally {
    letGo(connection);
  }
}

/**
 * What is known at accept, and the deadline that runs from there.
 *
 * @returns null where the client was gone before it was accepted: the kernel no longer knows its address
 */
function begin(raw: Socket, gate: ProcessState): Connection | null {
  // Each wait listens for the socket's close. Without this listener an error between two waits would end the process.
  raw.on('error', () => {});
  const sender = clientAddress(raw.remoteAddress ?? '');
  if (sender === null) {
    raw.destroy();
    reportGone(gate);
    return null;
  }
  const { settings } = gate.snapshot();
  const life = new EndSignal();
  life.endAfter(settings.authentication_timeout, timedOut);
  return {
    gate,
    settings,
    material: null,
    raw,
    address: sender.address,
    block: addressBlock(sender.address),
    chargedTo: addressBlock(sender.address),
    life,
    log: {
      id: gate.nextId(),
      host: sender.text,
      port: raw.remotePort ?? 0,
      proxy: null,
      acceptedAt: performance.now(),
      tls: null,
      startup: null,
      record: null,
      startupAt: null,
      dialMs: 0,
      authenticatedAt: null,
      relayedAt: null,
      upstreamPid: null,
    },
    client: raw,
    upstream: null,
    session: null,
    said: new BackendStream(),
    decidedBy: null,
    guessOf: null,
    isCancel: false,
    isConsole: false,
    hasFailed: true,
  };
}

/**
 * The client's address: the sender's, or what the header declares that a connection from proxy_networks begins with.
 * The list is that of the accept. Everything that counts or names the client comes after this step.
 */
async function learnClientAddress(connection: Connection): Promise<void> {
  const { gate, settings, log, life, raw, address: sender, block } = connection;
  const isProxied = speaksForOthers(sender, settings.proxy_networks);
  if (isProxied) logProxy(gate, log);
  else if (logsConnections(settings.log_connections, 'receipt')) logReceived(gate, log);
  // SECURITY: refusing a balancer for one client's costly handshakes would shut out everyone who comes by it.
  if (isProxied) connection.chargedTo = null;
  const { chargedTo } = connection;
  gate.strangers.enter(life, { block, chargedTo }, () => raw.bytesRead, settings.max_handshakes);
  if (!isProxied) return;
  const client = await readClientAddress(raw, sender, life.signal);
  log.proxy = { address: null, port: null };
  if (client !== null) {
    log.proxy = { address: log.host, port: log.port };
    connection.address = client.address;
    log.host = client.text;
    log.port = client.port;
  }
  gate.strangers.progress(life);
  if (logsConnections(settings.log_connections, 'receipt')) logReceived(gate, log);
  if (client === null) return;
  connection.block = addressBlock(client.address);
  connection.chargedTo = connection.block;
  gate.strangers.declared(life, connection.block);
}

/** The end of a connection that has done what its client came for. */
function finish(connection: Connection, end: End): void {
  const { gate, log, settings } = connection;
  connection.hasFailed = false;
  reportEnd(gate, log, end, relayedBytes(connection), settings.log_disconnections);
}

/**
 * The end of a connection that the gate itself has answered. The client gets what is still on its way to it, then
 * close_notify: a TLS client takes a mere end of the stream for a connection that somebody has cut.
 */
async function leave(connection: Connection, end: 'cancel' | 'console'): Promise<void> {
  const { gate, life, client } = connection;
  delist(connection);
  finish(connection, end);
  gate.strangers.over(life);
  await sendAndClose(client, null, life.signal);
}

/** The end of every other connection: one closing line, and one ErrorResponse where the client may be told. */
async function fail(connection: Connection, failure: GatehouseError): Promise<void> {
  const { gate, life, log, client, said } = connection;
  connection.upstream?.socket.destroy();
  // SECURITY: a client that is refused and does not hang up would hold its place, and twenty of them the whole console.
  delist(connection);
  reportFailure(gate, log, failure, relayedBytes(connection));
  // Before the client is told: its next connection, to whichever worker, meets the ban.
  await countFailure(connection, failure);
  endTurn(connection);
  // Ended from outside before the startup packet, it is closed without a word: in clear the client would read our error
  // as the answer to its SSLRequest (CVE-2024-10977), or as TLS records. Inside TLS a client that makes room for others
  // is told so (contract §7.34). One that took too long is not waited for.
  const mayBeTold = log.startup !== null || (log.tls !== null && failure.code === 'handshake-evicted');
  if (life.signal.aborted && (failure.reply === null || !mayBeTold)) return;
  // An ErrorResponse inside a long message that is being passed on would be read as a part of that message.
  const response = said.atBoundary ? errorResponse(failure) : null;
  const answer = failure instanceof TlsAlertError ? failure.record : response;
  // SECURITY: those who are refused and do not hang up would keep out clients who may be let in (contract §7.34).
  gate.strangers.over(life);
  await sendAndClose(client, answer, life.signal);
}

/** Gives back everything that a connection may hold, however far it has come. */
function letGo(connection: Connection): void {
  const { gate, life, raw, client, upstream, hasFailed } = connection;
  life.clear();
  endTurn(connection);
  gate.strangers.leave(life, { failed: hasFailed });
  delist(connection);
  upstream?.socket.destroy();
  client.destroy();
  raw.destroy();
}

/** What the client asks for; a client that asks wrongly is refused here. The rules and the upstream are next. */
function readStartup(connection: Connection, { code, body }: StartupPacket): StartupRequest {
  const { gate, life, log, client } = connection;
  const startup = acceptStartup(code, body, (bytes) => client.write(bytes));
  log.startup = startup;
  log.startupAt = performance.now();
  gate.strangers.working(life);
  return startup;
}

/** Runs a step that waits for the upstream, and ends the connection when its client closes meanwhile. */
async function whileClientStays<T>({ client, life }: Connection, step: () => Promise<T>): Promise<T> {
  const onClosed = (): void => life.end(new GatehouseError('client-gave-up'));
  client.once('close', onClosed);
  // It may have closed since the last step: nothing listened to it then.
  if (client.destroyed) onClosed();
  try {
    const result = await step();
    life.signal.throwIfAborted();
    return result;
  } finally {
    client.off('close', onClosed);
  }
}

/** Copies both ways until both sides have closed, or the session is ended from outside. */
async function relay(connection: Connection, link: UpstreamLink, login: Login): Promise<RelayEnd> {
  const { gate, settings, life, log, client, raw, said, session } = connection;
  const copying = new Relay(client, link, {
    raw,
    said,
    // The one in force: a reload may have come while a password was typed.
    idleTimeoutMs: gate.snapshot().settings.idle_session_timeout,
    onIdle: () => life.end(idleTooLong()),
    onFault: (fault) => life.end(fault),
  });
  if (session !== null) session.status = () => copying.status;
  const onEnd = (): void => endSession(connection, copying, reasonOf(life.signal));
  life.signal.addEventListener('abort', onEnd, { once: true });
  log.relayedAt = performance.now();
  gate.metrics.setup((log.relayedAt - log.acceptedAt) / 1000);
  if (logsConnections(settings.log_connections, 'setup_durations')) logReady(gate, log);
  const end = await copying.start(login.rest);
  // Ended from outside: the client has its answer, and the closing line needs the reason.
  life.signal.throwIfAborted();
  return end;
}

/** Ends a relayed session from outside; a query that runs for it is cancelled, as it would end with its backend. */
function endSession({ gate, settings, session }: Connection, copying: Relay, reason: GatehouseError): void {
  if (copying.status === 'active' && session?.cancelTarget)
    void forwardCancel(gate.dialer, settings, session.cancelTarget);
  copying.terminate(errorResponse(reason));
}

function asFailure(error: unknown): GatehouseError {
  return error instanceof GatehouseError ? error : new GatehouseError('internal-error', { cause: error });
}

function timedOut(): GatehouseError {
  return new GatehouseError('authentication-timeout', {
    message: 'canceling authentication due to timeout',
  });
}

function idleTooLong(): GatehouseError {
  return new GatehouseError('idle-session-timeout');
}
