// THE life of one connection, top to bottom: opening, TLS, startup packet, rules, upstream, relay, end. It owns both
// sockets, composes the steps beside it, writes the one closing line and counts the one outcome.

import type { Socket } from 'node:net';
import { toText } from '../bytestring.ts';
import { GatehouseError } from '../errors.ts';
import type { Gate } from '../gate.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { offeredFields } from '../protocol/client-hello.ts';
import { ACCEPT_SSL, REFUSE_ENCRYPTION } from '../protocol/replies.ts';
import { encodeStartupMessage, type StartupRequest } from '../protocol/startup-message.ts';
import { clientAddress } from '../rules/address.ts';
import type { Admission, Facts, IpAddress } from '../rules/types.ts';
import { ByteReader } from './bytes.ts';
import { forwardCancel, type CancelKey, type CancelOutcome } from './cancel.ts';
import { Lifeline, orAborted, reasonOf } from './deadline.ts';
import { dialUpstream, type UpstreamLink } from './dial.ts';
import { judge } from './judge.ts';
import { interfaceAddresses } from './network.ts';
import { beginsWithTls, readOpening, refuseSurplus, type Opening } from './opening.ts';
import { errorResponse, sendAndClose, unverifiedCertificate } from './refuse.ts';
import { tooMany } from './quota.ts';
import type { Session } from './registry.ts';
import { Relay, type RelayEnd } from './relay.ts';
import {
  logAuthenticated,
  logAuthorized,
  logReceived,
  logTls,
  reportEnd,
  reportFailure,
  type Known,
} from './report.ts';
import { acceptStartup } from './startup.ts';
import { logIn } from './upstream.ts';

/** One connection and what it holds; everything here is let go in `serveConnection`. */
interface Connection {
  readonly gate: Gate;
  /** Taken at accept and kept: a reload never changes the rules under a connection. */
  readonly snapshot: Snapshot;
  readonly raw: Socket;
  readonly address: IpAddress;
  readonly life: Lifeline;
  readonly known: Known;
  /** What the client is spoken to through: `raw`, then the TLS socket above it. */
  client: Socket;
  upstream: UpstreamLink | null;
  session: Session | null;
}

/** How a connection ended that did not fail. */
type End = RelayEnd | 'cancel';

/**
 * Serves one accepted connection to its end. Never rejects; both sockets are closed when it returns.
 *
 * @param raw paused, `allowHalfOpen`, with its `error` already listened to by nobody
 */
export async function serveConnection(raw: Socket, gate: Gate): Promise<void> {
  // Whoever waits on the socket listens for its close; an error before or after must not end the process.
  raw.on('error', () => {});
  const peer = clientAddress(raw.remoteAddress ?? '');
  if (peer === null) {
    // The client was gone before it was accepted.
    raw.destroy();
    return;
  }
  const snapshot = gate.snapshot();
  const connection: Connection = {
    gate,
    snapshot,
    raw,
    address: peer.address,
    life: new Lifeline(),
    known: {
      id: gate.nextId(),
      host: peer.text,
      port: raw.remotePort ?? 0,
      acceptedAt: performance.now(),
      tls: null,
      startup: null,
      record: null,
      relayedAt: null,
    },
    client: raw,
    upstream: null,
    session: null,
  };
  const { life, known } = connection;
  const { settings } = snapshot;
  if (settings.logConnections) logReceived(gate, known);
  life.endAfter(
    settings.authenticationTimeoutMs,
    () =>
      new GatehouseError('authentication-timeout', {
        message: 'canceling authentication due to timeout',
      }),
  );
  gate.handshakes.enter(life, settings.maxHandshakes);
  try {
    const end = await live(connection);
    reportEnd(gate, known, end, relayedBytes(connection), settings.logDisconnections);
  } catch (error) {
    const failure =
      error instanceof GatehouseError ? error : new GatehouseError('internal-error', { cause: error });
    connection.upstream?.socket.destroy();
    reportFailure(gate, known, failure, relayedBytes(connection));
    // Who was dropped for taking too long is not waited for. Nor is who was ended before the startup packet: there an
    // error would stand where the client awaits the answer to its SSLRequest (CVE-2024-10977) or TLS records.
    const silent = life.signal.aborted && (failure.reply === null || known.startup === null);
    if (!silent) await sendAndClose(connection.client, errorResponse(failure), life.signal);
  } finally {
    life.clear();
    gate.handshakes.leave(life);
    if (connection.session !== null) {
      gate.sessions.remove(connection.session);
      gate.quota.release(known.host);
    }
    connection.upstream?.socket.destroy();
    connection.client.destroy();
    raw.destroy();
  }
}

/** The life itself. Each step either hands on what the next one needs or throws how the connection ends. */
async function live(connection: Connection): Promise<End> {
  const { gate, life, known } = connection;
  const opening = await open(connection);
  if (opening.kind === 'cancel') {
    await cancel(connection, opening);
    return 'cancel';
  }
  const startup = acceptStartup(opening.code, opening.body, (bytes) => connection.client.write(bytes));
  known.startup = startup;
  gate.handshakes.progress(life);
  // SECURITY: a certificate that was sent and does not verify is refused whichever rule would match (semantics §2.7).
  if (known.tls?.certificate.state === 'unverified')
    throw unverifiedCertificate(known.tls.certificate, known.tls.hello());
  refuseWhileDraining(gate);
  const exhausted = await gate.quota.check(known.host, connection.snapshot.settings);
  if (exhausted !== null) throw tooMany(exhausted);
  const { admission, facts } = await askRules(connection, startup);
  await admit(connection, startup, admission, facts);
  return await serve(connection, startup, admission);
}

/** Answers SSLRequest, GSSENCRequest and direct TLS until the packet that says what the client wants. */
async function open(connection: Connection): Promise<Extract<Opening, { kind: 'cancel' | 'startup' }>> {
  const { gate, life, snapshot, raw } = connection;
  const state = { sslDone: false, gssDone: false };
  let reader = new ByteReader(raw, life.signal);
  try {
    if (await beginsWithTls(reader)) {
      reader.release();
      if (snapshot.terminator === null) throw new GatehouseError('direct-tls-disabled');
      await startTls(connection);
      if (connection.known.tls?.alpn === null) {
        throw new GatehouseError('direct-tls-without-alpn', {
          message: 'received direct SSL connection request without ALPN protocol negotiation extension',
          fields: offeredFields(connection.known.tls?.hello() ?? null),
        });
      }
      reader = new ByteReader(connection.client, life.signal);
    }
    for (;;) {
      const opening = await readOpening(reader, state);
      gate.handshakes.progress(life);
      switch (opening.kind) {
        case 'ssl-request':
          if (snapshot.terminator === null || connection.known.tls !== null) {
            connection.client.write(REFUSE_ENCRYPTION);
            refuseSurplus(reader, opening.kind);
            break;
          }
          raw.write(ACCEPT_SSL);
          // What came behind the request goes back into the socket: it is the start of the handshake or breaks it.
          reader.release();
          await startTls(connection);
          state.gssDone = true;
          reader = new ByteReader(connection.client, life.signal);
          break;
        case 'gss-request':
          connection.client.write(REFUSE_ENCRYPTION);
          refuseSurplus(reader, opening.kind);
          break;
        case 'cancel':
        case 'startup':
          return opening;
        default:
          return opening satisfies never;
      }
    }
  } finally {
    reader.release();
  }
}

/** The TLS handshake; from here on the client is spoken to through the TLS socket. */
async function startTls(connection: Connection): Promise<void> {
  const { gate, snapshot, raw, life, known } = connection;
  if (snapshot.terminator === null) throw new GatehouseError('direct-tls-disabled');
  const begin = performance.now();
  const tls = await snapshot.terminator.accept(raw, { signal: life.signal });
  connection.client = tls.socket;
  known.tls = tls;
  logTls(gate, known, tls);
  gate.handshakes.progress(life);
  gate.metrics.tlsHandshake((performance.now() - begin) / 1000, tls.version, tls.cipher);
}

function refuseWhileDraining(gate: Gate): void {
  if (!gate.draining()) return;
  throw new GatehouseError('shutting-down', { reply: 'the database system is shutting down' });
}

/** What the rules say; a refusal ends the connection. */
async function askRules(
  connection: Connection,
  startup: StartupRequest,
): Promise<{ admission: Admission; facts: Facts }> {
  const { gate, snapshot, life, known } = connection;
  const certificate = known.tls?.certificate;
  const { verdict, facts } = await judge(
    snapshot,
    {
      user: startup.user,
      database: startup.database,
      replication: startup.replication,
      tls: known.tls !== null,
      address: connection.address,
      addressText: known.host,
      hostName: { state: 'unknown' },
      interfaces: interfaceAddresses,
      certificate: certificate?.state === 'verified' ? certificate.identity.names : null,
      hasRootCertificates: snapshot.tls?.requestsClientCertificate ?? false,
    },
    life.signal,
  );
  known.record = verdict.record;
  if (verdict.record !== null) gate.metrics.ruleHit(verdict.record.file, verdict.record.line);
  if (verdict.kind === 'admit') return { admission: verdict, facts };
  // PostgreSQL logs whose certificate it was even where the map then refuses.
  if (verdict.identity !== null && snapshot.settings.logConnections) {
    logAuthenticated(gate, known, verdict, startup.user);
  }
  for (const note of verdict.notes) gate.log.info({ id: known.id }, toText(note));
  const { code, message, sqlstate, detail } = verdict;
  throw new GatehouseError(code, { reply: message, sqlstate, ...(detail === null ? {} : { detail }) });
}

/** From here on the connection is a session: listed, limited, and no longer a handshake. */
async function admit(
  connection: Connection,
  startup: StartupRequest,
  admission: Admission,
  facts: Facts,
): Promise<void> {
  const { gate, life, known, snapshot } = connection;
  const exhausted = await gate.quota.take(known.host, snapshot.settings);
  if (exhausted !== null) throw tooMany(exhausted);
  // The handshake is over for good: a session need not carry its ClientHello to the end.
  if (known.tls !== null) known.tls = { ...known.tls, hello: () => null };
  const session: Session = {
    id: known.id,
    user: startup.user,
    database: startup.database,
    applicationName: startup.applicationName,
    clientAddress: known.host,
    clientPort: known.port,
    startedAt: new Date(),
    facts,
    record: admission.record,
    tls: known.tls,
    cancelKey: null,
    status: () => 'active',
    bytes: () => relayedBytes(connection),
    noLongerAdmitted: false,
    terminating: false,
    end: (reason) => {
      session.terminating = true;
      life.end(reason);
    },
  };
  gate.sessions.add(session);
  connection.session = session;
  gate.handshakes.leave(life);
  if (known.tls?.certificate.state === 'verified') {
    const { notAfter } = known.tls.certificate.identity.facts;
    // It may have expired since the handshake, or the clock has jumped; a sum that falls is no counter.
    gate.metrics.clientCertificateRemaining(Math.max(0, notAfter.getTime() - Date.now()) / 1000);
  }
  // Trust and cert have proved all there is to prove here; a password is the upstream's to check.
  if (admission.demand === 'none' && snapshot.settings.logConnections) {
    logAuthenticated(gate, known, admission, startup.user);
  }
}

/** The upstream: dial, login, and then the relay until both sides have closed. */
async function serve(
  connection: Connection,
  startup: StartupRequest,
  admission: Admission,
): Promise<RelayEnd> {
  const { gate, snapshot, life, known, client } = connection;
  const { settings } = snapshot;
  const begin = performance.now();
  const onClientClosed = (): void => life.end(new GatehouseError('client-gave-up'));
  client.once('close', onClientClosed);
  // It may be gone since before that: the waits between the startup packet and here listen to nothing.
  if (client.destroyed) onClientClosed();
  const link = await dialUpstream(settings.upstream, life.signal);
  connection.upstream = link;
  gate.metrics.upstreamConnect((performance.now() - begin) / 1000);

  const relay = new Relay(client, link, {
    raw: connection.raw,
    idleTimeoutMs: settings.idleSessionTimeoutMs,
    onIdle: () => life.end(idleTooLong()),
  });
  const login = await logIn(link, {
    startup: encodeStartupMessage(startup),
    demand: admission.demand,
    user: startup.user,
    signal: life.signal,
    send: (message) => {
      relay.sent(message);
      client.write(message);
    },
    onAuthenticated: () => {
      life.clear();
      if (!settings.logConnections) return;
      if (admission.demand !== 'none') logAuthenticated(gate, known, admission, startup.user);
      logAuthorized(gate, known, startup);
    },
  }).catch((error: unknown) => {
    // An upstream closes when the client does, so it is the client who ended such a login.
    throw relay.clientHasClosed && isClosedEarly(error) ? new GatehouseError('client-gave-up') : error;
  });
  client.off('close', onClientClosed);
  life.signal.throwIfAborted();

  const { session } = connection;
  if (session !== null) {
    session.cancelKey = login.cancelKey;
    session.status = () => relay.status;
  }
  const onEnd = (): void => endSession(connection, relay, reasonOf(life.signal));
  life.signal.addEventListener('abort', onEnd, { once: true });
  known.relayedAt = performance.now();
  gate.metrics.setup((known.relayedAt - known.acceptedAt) / 1000);
  const end = await relay.run(login.rest);
  // Ended from outside: the client has its answer, and the closing line needs the reason.
  life.signal.throwIfAborted();
  return end;
}

/** Ends a relayed session from outside; a query that runs for it is cancelled, as it would end with its backend. */
function endSession({ snapshot, session }: Connection, relay: Relay, reason: GatehouseError): void {
  if (relay.status === 'active' && session?.cancelKey)
    void forwardCancel(snapshot.settings.upstream, session.cancelKey);
  relay.terminate(errorResponse(reason));
}

/** A cancel request, in clear or inside TLS: no rule is asked (semantics §1.11), and never a byte answered. */
async function cancel({ gate, snapshot, life, known }: Connection, request: CancelKey): Promise<void> {
  // SECURITY: a certificate that does not verify is refused here too; without an answer, as every cancel request.
  if (known.tls?.certificate.state === 'unverified') {
    gate.metrics.cancelRequest('refused');
    throw unverifiedCertificate(known.tls.certificate, known.tls.hello(), { silent: true });
  }
  let outcome: CancelOutcome = 'unknown-key';
  if (await orAborted(gate.hasCancelKey(request.pid, request.key), life.signal)) {
    const isSent = await forwardCancel(snapshot.settings.upstream, request, life.signal);
    outcome = isSent ? 'forwarded' : 'upstream-failed';
  }
  gate.metrics.cancelRequest(outcome);
  // Its place was needed, or its time is up: whether the upstream has dealt with it is not waited for any longer.
  life.signal.throwIfAborted();
  const { id, host, port } = known;
  gate.log.debug({ code: 'cancel-request', id, host, port, outcome }, 'cancel request');
}

/** The sockets count anyway, so the hot loop need not. */
function relayedBytes({ upstream }: Connection): { in: number; out: number } {
  return { in: upstream?.socket.bytesWritten ?? 0, out: upstream?.socket.bytesRead ?? 0 };
}

function idleTooLong(): GatehouseError {
  return new GatehouseError('idle-session-timeout', {
    reply: 'terminating connection due to idle-session timeout',
  });
}

function isClosedEarly(error: unknown): boolean {
  return error instanceof GatehouseError && error.code === 'upstream-closed-early';
}
