// THE life of one connection, top to bottom: opening, TLS, startup packet, rules, upstream, relay, end. It owns both
// sockets, composes the steps beside it, writes the one closing line and counts the one outcome.

import type { Socket } from 'node:net';
import { GatehouseError } from '../base/errors.ts';
import type { ProcessState } from './process-state.ts';
import type { Settings } from '../config/settings.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { offeredFields } from '../tls/handshake/client-hello.ts';
import { BackendStream } from '../protocol/message-boundary.ts';
import { ACCEPT_SSL, REFUSE_ENCRYPTION } from '../protocol/replies.ts';
import { encodeStartupMessage, type StartupRequest } from '../protocol/startup-message.ts';
import { addressBlock, clientAddress } from '../rules/address.ts';
import type { Admission, IpAddress } from '../rules/types.ts';
import type { TlsMaterial } from '../tls/types.ts';
import { admit, delist, enlist, isStale, stepBack } from './admission.ts';
import { ByteReader } from '../base/byte-reader.ts';
import { forwardCancel, type CancelKey, type CancelOutcome } from './cancel.ts';
import { EndSignal, withSignal, reasonOf } from './end-signal.ts';
import { dialUpstream, type UpstreamLink } from './dial.ts';
import { beginsWithTls, readOpening, refuseSurplus, type Opening } from './opening.ts';
import { errorResponse, sendAndClose, staleHandshake, unverifiedCertificate } from './refuse.ts';
import type { Session } from './sessions.ts';
import { Relay, type RelayEnd } from './relay.ts';
import {
  logAuthenticated,
  logAuthorized,
  logReceived,
  logTls,
  relayedBytes,
  reportEnd,
  reportFailure,
  reportGone,
  type ConnectionLog,
} from './report.ts';
import { acceptStartup } from './startup.ts';
import { logIn } from './login.ts';

/** One connection and what it holds; everything here is let go in `serveConnection`. */
export interface Connection {
  readonly gate: ProcessState;
  /** Those in force at accept, then those in force when it was decided on: it lives by them to its end. */
  settings: Settings;
  /** What the TLS handshake was made with, until the connection is decided on; null in clear. */
  material: TlsMaterial | null;
  readonly raw: Socket;
  readonly address: IpAddress;
  /** What the address counts with: itself, or its /64. */
  readonly block: string;
  readonly life: EndSignal;
  readonly known: ConnectionLog;
  /** What the client is spoken to through: `raw`, then the TLS socket above it. */
  client: Socket;
  upstream: UpstreamLink | null;
  session: Session | null;
  /** What the client has been sent of the upstream's messages. */
  readonly said: BackendStream;
  /** The state that has admitted it, until it is listed. */
  decidedBy: Snapshot | null;
}

/** How a connection ended that did not fail. */
type End = RelayEnd | 'cancel';

/**
 * Serves one accepted connection to its end. Never rejects; both sockets are closed when it returns.
 *
 * @param raw paused, `allowHalfOpen`, with its `error` already listened to by nobody
 */
export async function serveConnection(raw: Socket, gate: ProcessState): Promise<void> {
  // Whoever waits on the socket listens for its close; an error before or after must not end the process.
  raw.on('error', () => {});
  const peer = clientAddress(raw.remoteAddress ?? '');
  if (peer === null) {
    raw.destroy();
    reportGone(gate);
    return;
  }
  const { settings } = gate.snapshot();
  const connection: Connection = {
    gate,
    settings,
    material: null,
    raw,
    address: peer.address,
    block: addressBlock(peer.address),
    life: new EndSignal(),
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
    said: new BackendStream(),
    decidedBy: null,
  };
  const { life, known } = connection;
  if (settings.logConnections) logReceived(gate, known);
  life.endAfter(
    settings.authenticationTimeoutMs,
    () =>
      new GatehouseError('authentication-timeout', {
        message: 'canceling authentication due to timeout',
      }),
  );
  let failed = true;
  try {
    gate.strangers.enter(life, connection.block, () => raw.bytesRead, settings.maxHandshakes);
    const end = await live(connection);
    failed = false;
    reportEnd(gate, known, end, relayedBytes(connection), settings.logDisconnections);
  } catch (error) {
    const failure = asFailure(error);
    connection.upstream?.socket.destroy();
    reportFailure(gate, known, failure, relayedBytes(connection));
    // A client that took too long is not waited for. Nor is one that was ended before its startup packet: in clear an
    // error would stand where the client awaits the answer to its SSLRequest (CVE-2024-10977) or TLS records. Inside
    // TLS one that is shed for others is told so (contract §7.34).
    const mayBeTold = known.startup !== null || (known.tls !== null && failure.code === 'handshake-evicted');
    const silent = life.signal.aborted && (failure.reply === null || !mayBeTold);
    // An ErrorResponse is never spliced into a long message of the upstream's that was being passed on.
    const answer = connection.said.atBoundary ? errorResponse(failure) : null;
    if (!silent) await sendAndClose(connection.client, answer, life.signal);
  } finally {
    life.clear();
    gate.strangers.leave(life, { failed });
    delist(connection);
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
  gate.strangers.working(life);
  return await serve(connection, startup, await admit(connection, startup));
}

/** Answers SSLRequest, GSSENCRequest and direct TLS until the packet that says what the client wants. */
async function open(connection: Connection): Promise<Extract<Opening, { kind: 'cancel' | 'startup' }>> {
  const { gate, life, raw } = connection;
  const state = { sslDone: false, gssDone: false };
  let reader = new ByteReader(raw, life.signal);
  try {
    if (await beginsWithTls(reader)) {
      reader.release();
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
      gate.strangers.progress(life);
      switch (opening.kind) {
        case 'ssl-request':
          if (gate.snapshot().terminator === null || connection.known.tls !== null) {
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
  const { gate, raw, life, known } = connection;
  const { terminator, tls: material } = gate.snapshot();
  if (terminator === null) throw new GatehouseError('direct-tls-disabled');
  const begin = performance.now();
  const tls = await gate.strangers.handshake(life, connection.block, (ready) =>
    terminator.accept(raw, { signal: life.signal, ready }),
  );
  connection.material = material;
  connection.client = tls.socket;
  known.tls = tls;
  logTls(gate, known, tls);
  gate.metrics.tlsHandshake((performance.now() - begin) / 1000, tls.version, tls.cipher);
}

/** The upstream: dial, login, and then the relay until both sides have closed. */
async function serve(
  connection: Connection,
  startup: StartupRequest,
  admission: Admission,
): Promise<RelayEnd> {
  const { gate, settings, life, known, client } = connection;
  const begin = performance.now();
  const onClientClosed = (): void => life.end(new GatehouseError('client-gave-up'));
  client.once('close', onClientClosed);
  // It may be gone since before that: the waits between the startup packet and here listen to nothing.
  if (client.destroyed) onClientClosed();
  const link = await dialUpstream(gate.dialer, settings, life.signal);
  connection.upstream = link;
  gate.metrics.upstreamConnect((performance.now() - begin) / 1000);

  const login = await logIn({ socket: client, raw: connection.raw, said: connection.said }, link, {
    startup: encodeStartupMessage(startup),
    demand: admission.demand,
    user: startup.user,
    signal: life.signal,
    onAsked: () => stepBack(connection),
    onAuthenticated: async () => {
      await enlist(connection);
      life.clear();
      if (!settings.logConnections) return;
      if (admission.demand !== 'none') logAuthenticated(gate, known, admission, startup.user);
      logAuthorized(gate, known, startup);
    },
  });
  client.off('close', onClientClosed);
  life.signal.throwIfAborted();

  const relay = new Relay(client, link, {
    raw: connection.raw,
    said: connection.said,
    idleTimeoutMs: settings.idleSessionTimeoutMs,
    onIdle: () => life.end(idleTooLong()),
  });
  const { session } = connection;
  if (session !== null) {
    session.cancelKey = login.cancelKey;
    session.status = () => relay.status;
  }
  const onEnd = (): void => endSession(connection, relay, reasonOf(life.signal));
  life.signal.addEventListener('abort', onEnd, { once: true });
  known.relayedAt = performance.now();
  gate.metrics.setup((known.relayedAt - known.acceptedAt) / 1000);
  const end = await relay.start(login.rest);
  // Ended from outside: the client has its answer, and the closing line needs the reason.
  life.signal.throwIfAborted();
  return end;
}

/** Ends a relayed session from outside; a query that runs for it is cancelled, as it would end with its backend. */
function endSession({ gate, settings, session }: Connection, relay: Relay, reason: GatehouseError): void {
  if (relay.status === 'active' && session?.cancelKey)
    void forwardCancel(gate.dialer, settings, session.cancelKey);
  relay.terminate(errorResponse(reason));
}

/** A cancel request, in clear or inside TLS: no rule is asked (semantics §1.11), and never a byte answered. */
async function cancel(connection: Connection, request: CancelKey): Promise<void> {
  const { gate, life, known } = connection;
  const snapshot = gate.snapshot();
  // SECURITY: a certificate that does not verify is refused here too; without an answer, as every cancel request.
  if (known.tls?.certificate.state === 'unverified') {
    gate.metrics.cancelRequest('refused');
    throw unverifiedCertificate(known.tls.certificate, known.tls.hello(), { silent: true });
  }
  if (isStale(connection, snapshot)) {
    gate.metrics.cancelRequest('refused');
    throw staleHandshake(known.tls?.hello() ?? null, { silent: true });
  }
  let outcome: CancelOutcome = 'unknown-key';
  if (await withSignal(gate.hasCancelKey(request.pid, request.key), life.signal)) {
    const isSent = await forwardCancel(gate.dialer, snapshot.settings, request, life.signal);
    outcome = isSent ? 'forwarded' : 'upstream-failed';
  }
  gate.metrics.cancelRequest(outcome);
  // Its place was needed, or its time is up: whether the upstream has dealt with it is not waited for any longer.
  life.signal.throwIfAborted();
  const { id, host, port } = known;
  gate.log.debug({ code: 'cancel-request', id, host, port, outcome }, 'cancel request');
}

function asFailure(error: unknown): GatehouseError {
  return error instanceof GatehouseError ? error : new GatehouseError('internal-error', { cause: error });
}

function idleTooLong(): GatehouseError {
  return new GatehouseError('idle-session-timeout', {
    reply: 'terminating connection due to idle-session timeout',
  });
}
