// The decision on a connection, from its startup packet to its place among the sessions, always by the state that is
// in force at that moment. The half of connection.ts that composes the steps which decide.

import type { Secret } from '../auth/secret.ts';
import { toText, type ByteString } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import { logsConnections } from '../config/log-connections.ts';
import type { Passwords } from '../config/secrets.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { StartupRequest } from '../protocol/startup-message.ts';
import type { Admission, Facts, HbaRecord, Refusal } from '../rules/types.ts';
import { beforeEachAnswer, endTurn, refuseBanned } from './ban-step.ts';
import type { Connection } from './connection.ts';
import { isForConsole } from './console-access.ts';
import { endWhenGone } from './end-signal.ts';
import { judge } from './rules-step.ts';
import { interfaceAddresses } from './host-names.ts';
import type { AnswerSource } from './login.ts';
import { answersFor, methodDecidedHere, proofIsStale, provePassword, type Proof } from './password-step.ts';
import { tooMany, type Quota } from './quota.ts';
import { staleHandshake, unverifiedCertificate } from './refuse.ts';
import { createSession, type Session } from './sessions.ts';
import { logAuthenticated, relayedBytes } from './report.ts';
import { findSecret } from './upstream-catalog.ts';

/** A client that may go on to the upstream. */
export interface Admitted {
  /** Demands nothing of the upstream where the gate has checked the password itself. */
  readonly admission: Admission;
  /** What the upstream is answered with; null = its requests are relayed. */
  readonly answers: AnswerSource | null;
}

/**
 * Decides on the connection by the state in force (contract §7.32) and lists its session.
 *
 * SECURITY: each wait may be one for a reload. What was found before it counts for nothing after it, so the decision is
 * made again. Between the last look at the state and the listing nothing waits: a reload finds the session either
 * undecided or listed, and judges it again.
 */
export async function admit(connection: Connection, startup: StartupRequest): Promise<Admitted> {
  const { gate, log } = connection;
  let proof: Proof | null = null;
  // SECURITY: before any rule is asked, the line that would admit it in clear included.
  await refuseBanned(connection);
  for (;;) {
    const snapshot = gate.snapshot();
    connection.settings = snapshot.settings;
    connection.isConsole = isForConsole(snapshot.settings, startup);
    const quota = quotaOf(connection);
    if (isStale(connection, snapshot)) throw staleHandshake(log.tls?.hello() ?? null);
    // SECURITY: a certificate that was sent and does not verify is refused whichever rule would match (semantics §2.7).
    if (log.tls?.certificate.state === 'unverified') {
      const inClear = await lineInClear(connection, snapshot, startup);
      if (gate.snapshot() !== snapshot) continue;
      throw unverifiedCertificate(log.tls.certificate, log.tls.hello(), { inClear });
    }
    refuseWhileDraining(connection);
    const full = await quota.check(log.host, snapshot.settings);
    if (gate.snapshot() !== snapshot) continue;
    if (full !== null) throw tooMany(full);
    const judged = await whileInForce(connection, snapshot, () => askRules(connection, snapshot, startup));
    if (judged === null || isOvertaken(connection, snapshot)) continue;
    const { verdict, facts } = judged;
    if (verdict.kind === 'refuse') throw refusedByRules(connection, startup, verdict);
    proof = await proveHere(connection, startup, verdict, { passwords: snapshot.passwords, earlier: proof });
    if (gate.snapshot() !== snapshot) continue;
    // SECURITY: strangers who are asked for a password and say nothing must not fill max_connections (contract §7.34).
    const admission: Admission = proof === null ? verdict : { ...verdict, demand: 'none' };
    const isProven = admission.demand === 'none';
    const exhausted = isProven ? await quota.take(log.host, snapshot.settings) : null;
    if (isOvertaken(connection, snapshot)) {
      if (isProven && exhausted === null) quota.release(log.host);
      continue;
    }
    countHit(connection, verdict);
    if (exhausted !== null) throw tooMany(exhausted);
    connection.session = enter(connection, startup, admission, facts);
    connection.decidedBy = new WeakRef(snapshot);
    if (isProven) list(connection, connection.session);
    else gate.strangers.working(connection.life);
    const { passwords } = snapshot;
    return { admission, answers: answersFor(connection, startup.user, verdict, { passwords, proof }) };
  }
}

/**
 * Asks something by a state. A failure counts for nothing where that state is no longer in force: the decision is made
 * again, as it is for an answer.
 *
 * @returns null = it has failed, and there is a new state
 */
async function whileInForce<T>(
  { gate, life }: Connection,
  snapshot: Snapshot,
  ask: () => Promise<T>,
): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (gate.snapshot() === snapshot || life.signal.aborted) throw error;
    return null;
  }
}

/**
 * The client's password, where the line demands one and the gate checks it; null where it does not. Where a reload has
 * come before the client was asked, what it has proved earlier: the caller decides again.
 *
 * @throws GatehouseError as provePassword, `stale-handshake` where the password that was proved earlier is now the
 *   upstream's to check, `shutting-down` where a drain has begun meanwhile
 */
async function proveHere(
  connection: Connection,
  startup: StartupRequest,
  verdict: Admission,
  { passwords, earlier }: { readonly passwords: Passwords | null; readonly earlier: Proof | null },
): Promise<Proof | null> {
  const method = methodDecidedHere(verdict, passwords);
  if (method === null || passwords === null) {
    // The upstream would ask the client again: no driver expects a second exchange.
    if (earlier !== null && verdict.demand !== 'none') throw proofIsStale();
    return null;
  }
  const { gate } = connection;
  const snapshot = gate.snapshot();
  let proof: Proof;
  try {
    const onAnswer = beforeEachAnswer(connection);
    const secret = passwords.secrets.get(startup.user) ?? (await lookUpSecret(connection, startup.user));
    // A reload during the look-up: the line may be another one by now, and the client has not been asked yet.
    if (gate.snapshot() !== snapshot) return earlier;
    const onAsk = (): void => endTurn(connection);
    const demand = { method, passwords, secret, earlier, onAsk, onAnswer };
    proof = await provePassword(connection, startup.user, verdict, demand);
  } catch (error) {
    countHit(connection, verdict);
    throw error;
  }
  refuseWhileDraining(connection);
  return proof;
}

/** The secret of a user who is not in auth_file; null = there is none. */
async function lookUpSecret(connection: Connection, user: ByteString): Promise<Secret | null> {
  const { gate, client, life, settings, block } = connection;
  if (settings.auth_query === '') return null;
  const stopWatching = endWhenGone(client, life);
  return await findSecret(gate, user, block, life.signal).finally(stopWatching);
}

/**
 * Makes a session of a client that has proved its password. Nothing happens where it is one already.
 *
 * @throws GatehouseError `too-many-connections`, `too-many-connections-per-address`, `shutting-down`, or the life's
 *   reason
 */
export async function enlist(connection: Connection): Promise<void> {
  const { gate, life, log, session } = connection;
  if (session === null || gate.sessions.get(session.id) !== undefined) return;
  life.signal.throwIfAborted();
  refuseWhileDraining(connection);
  // A reload may have come while the password was typed: its limits count.
  const exhausted = await quotaOf(connection).take(log.host, gate.snapshot().settings);
  if (exhausted !== null) throw tooMany(exhausted);
  list(connection, session);
  life.signal.throwIfAborted();
  // A drain may have begun meanwhile. A process that has said that it is empty is not waited for: its end would cut this
  // session.
  refuseWhileDraining(connection);
}

/** From here on the connection is a session: listed, limited, and a stranger no longer. Its place has been taken. */
function list(connection: Connection, session: Session): void {
  const { gate, life, decidedBy } = connection;
  gate.strangers.leave(life, { failed: false });
  gate.enlist(session, decidedBy?.deref() ?? null);
  // SECURITY: one that is ended is gone from every limit at once, however long its client stays (contract §7.29).
  life.signal.addEventListener('abort', () => delist(connection), { once: true });
  if (life.signal.aborted) delist(connection);
}

/**
 * The upstream asks for a password of its own where the line asked for none: the client has yet to prove it, and is a
 * stranger again until it has. Of one that is a stranger still, it is the client's turn now.
 *
 * @throws GatehouseError `handshake-too-expensive`
 */
export function stepBack(connection: Connection): void {
  const { gate, life, log, raw, block, chargedTo, session } = connection;
  if (session === null || gate.sessions.get(session.id) === undefined) {
    gate.strangers.progress(life);
    return;
  }
  // SECURITY: a reload that is judging it now finds it gone and spares it. So `decidedBy` stays the state that has admitted
  // it, and once it is listed again the state in force judges it, also where an earlier judgement had passed it.
  delist(connection);
  gate.strangers.enter(
    life,
    { block, chargedTo, tls: log.tls },
    () => raw.bytesRead,
    // The one in force: it counts for all of them from here on, and an old one could drop others.
    gate.snapshot().settings.max_handshakes,
  );
}

/** The session is over for everyone who lists or counts. Nothing happens where it is not listed. */
export function delist(connection: Connection): void {
  const { gate, log, session } = connection;
  if (session !== null && gate.sessions.remove(session)) quotaOf(connection).release(log.host);
}

/** A console takes no session's place: it is needed most where there is none left. */
function quotaOf({ gate, isConsole }: Connection): Quota {
  return isConsole ? UNLIMITED : gate.quota;
}

const UNLIMITED: Quota = {
  check: () => Promise.resolve(null),
  take: () => Promise.resolve(null),
  release: () => {},
};

/**
 * Whether the handshake was made with TLS files that its client would not meet now: they have changed, or the name leads
 * to another host. SECURITY: what it has verified holds for the CA and the lists of that time. Nobody knows whether those
 * in force now would let this client in, so it must come again and be asked.
 */
export function isStale({ material, log }: Connection, { tls }: Snapshot): boolean {
  return log.tls !== null && tls?.materialFor(log.tls.serverName) !== material;
}

/** Whether a reload or a drain has come since this state was looked at: what was found by it counts for nothing. */
function isOvertaken(connection: Connection, snapshot: Snapshot): boolean {
  return connection.gate.snapshot() !== snapshot || isDraining(connection);
}

/** A console goes on: a drain is watched from there. */
function isDraining({ gate, isConsole }: Connection): boolean {
  return !isConsole && gate.draining();
}

function refuseWhileDraining(connection: Connection): void {
  if (isDraining(connection)) throw new GatehouseError('shutting-down');
}

/** What the rules in force say. */
async function askRules(
  connection: Connection,
  snapshot: Snapshot,
  startup: StartupRequest,
): Promise<{ verdict: Admission | Refusal; facts: Facts }> {
  const { gate, life, log, client } = connection;
  const { verdict, facts } = await judge(snapshot, factsOf(connection, startup), {
    catalog: gate.catalog,
    signal: life.signal,
    watch: () => endWhenGone(client, life),
  });
  log.record = verdict.record;
  return { verdict, facts };
}

/** The line that would admit the same user, database and address without TLS; null where none would. */
async function lineInClear(
  connection: Connection,
  snapshot: Snapshot,
  startup: StartupRequest,
): Promise<HbaRecord | null> {
  const { gate, client, life } = connection;
  const facts = { ...factsOf(connection, startup), tls: false, certificate: null };
  try {
    const { verdict } = await judge(snapshot, facts, {
      catalog: gate.catalog,
      signal: life.signal,
      watch: () => endWhenGone(client, life),
    });
    return verdict.kind === 'admit' ? verdict.record : null;
  } catch (error) {
    life.signal.throwIfAborted();
    // A decision that cannot be made admits nobody, in clear no more than inside TLS.
    if (error instanceof GatehouseError) return null;
    throw error;
  }
}

/** The connection as the rules see it. */
function factsOf({ log, address, material }: Connection, startup: StartupRequest): Facts {
  const certificate = log.tls?.certificate;
  return {
    user: startup.user,
    database: startup.database,
    replication: startup.replication,
    tls: log.tls !== null,
    address,
    addressText: log.host,
    hostName: { state: 'unknown' },
    interfaces: interfaceAddresses,
    certificate: certificate?.state === 'verified' ? certificate.identity.names : null,
    // Of the client's own host, which is in force still: a handshake that is stale has been refused.
    hasRootCertificates: material?.requestsClientCertificate ?? false,
  };
}

function countHit({ gate }: Connection, { record }: Admission | Refusal): void {
  if (record !== null) gate.metrics.ruleHit(record.file, record.line);
}

function refusedByRules(connection: Connection, startup: StartupRequest, verdict: Refusal): GatehouseError {
  const { gate, settings, log } = connection;
  countHit(connection, verdict);
  // PostgreSQL logs whose certificate it was even where the map then refuses.
  if (verdict.identity !== null && logsConnections(settings.log_connections, 'authentication')) {
    logAuthenticated(gate, log, verdict, startup.user);
  }
  for (const note of verdict.notes) gate.log.info({ id: log.id }, toText(note));
  const { code, message, sqlstate, detail } = verdict;
  return new GatehouseError(code, { reply: message, sqlstate, ...(detail === null ? {} : { detail }) });
}

/** The session that the connection becomes, now or once its password has been proved. */
function enter(connection: Connection, startup: StartupRequest, admission: Admission, facts: Facts): Session {
  const { gate, life, log, settings } = connection;
  // A session is judged again by the state that a later reload brings, so it keeps none of the earlier ones alive.
  connection.material = null;
  // The handshake is over for good: a session need not carry its ClientHello to the end.
  if (log.tls !== null) log.tls = { ...log.tls, hello: () => null };
  const session = createSession({
    life,
    id: log.id,
    user: startup.user,
    database: startup.database,
    applicationName: startup.applicationName,
    clientAddress: log.host,
    clientPort: log.port,
    proxyAddress: log.proxy?.address ?? null,
    proxyPort: log.proxy?.port ?? null,
    facts,
    record: admission.record,
    tls: log.tls,
    bytes: () => relayedBytes(connection),
    console: connection.isConsole ? { cancel: () => {} } : null,
  });
  if (log.tls?.certificate.state === 'verified') {
    const { notBefore, notAfter } = log.tls.certificate.identity.facts;
    gate.metrics.clientCertificate({ from: notBefore, to: notAfter }, new Date());
  }
  // Trust and cert have proved all there is to prove here; a password is the upstream's to check.
  if (admission.demand === 'none' && logsConnections(settings.log_connections, 'authentication')) {
    logAuthenticated(gate, log, admission, startup.user);
  }
  return session;
}
