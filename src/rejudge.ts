// After a reload the live sessions are judged again: by the new rules and maps, and their certificates by the new CA
// and revocation lists. What then becomes of those that no longer pass is reload.sessions.

import { setImmediate } from 'node:timers/promises';
import type { Snapshot } from './config/snapshot.ts';
import type { Gate } from './gate.ts';
import { judge } from './session/judge.ts';
import { terminatedByAdministrator, type Session } from './session/registry.ts';
import { sentIntermediates, verifyAgain, type Span } from './tls/verify-again.ts';
import { toText } from './bytestring.ts';

/** Sessions that are to end after a reload end one by one over this time, so that not all reconnect at once. */
const SPREAD_MS = 5_000;

/** A session's host name is looked up anew only within this time, in milliseconds. */
const LOOK_UP_MS = 5_000;

/** So many sessions are judged in one go before connections get their turn again. */
const BATCH = 64;

/** Judges every live session; marks, logs and, with `reload.sessions: terminate`, ends those that no longer pass. */
export async function rejudgeSessions(gate: Gate, snapshot: Snapshot): Promise<void> {
  const judged = new Judgements(snapshot);
  const refused: Session[] = [];
  let count = 0;
  for (const session of gate.sessions) {
    if (++count % BATCH === 0) await setImmediate();
    const objection = await judged.objectionTo(session);
    if (objection !== null && !session.noLongerAdmitted) {
      gate.log.warn(
        { id: session.id, host: session.clientAddress, port: session.clientPort, user: toText(session.user) },
        `session would no longer be admitted: ${objection}`,
      );
    }
    session.noLongerAdmitted = objection !== null;
    if (objection !== null) refused.push(session);
  }
  if (snapshot.settings.reload.sessions === 'terminate') terminate(refused);
}

class Judgements {
  readonly #snapshot: Snapshot;
  /**
   * By fingerprint: many sessions come with one certificate, and its signatures need checking only once. The oldest
   * session comes first, so what spares it spares the younger ones.
   */
  readonly #certificates = new Map<string, string | null>();

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
  }

  /** Why the session would be refused now; null = it would be admitted. */
  async objectionTo(session: Session): Promise<string | null> {
    const hasRootCertificates = this.#snapshot.tls?.requestsClientCertificate ?? false;
    const objection = hasRootCertificates ? this.#objectionToCertificate(session) : null;
    if (objection !== null) return objection;
    const facts = { ...session.facts, hasRootCertificates };
    const { verdict } = await judge(this.#snapshot, facts, AbortSignal.timeout(LOOK_UP_MS));
    return verdict.kind === 'admit' ? null : toText(verdict.message);
  }

  #objectionToCertificate({ tls }: Session): string | null {
    if (tls?.certificate.state !== 'verified' || this.#snapshot.tls === null) return null;
    const { fingerprint } = tls.certificate.identity.facts;
    const known = this.#certificates.get(fingerprint);
    if (known !== undefined) return known;
    const leaf = tls.socket.getPeerX509Certificate();
    const span = since(tls.establishedAt);
    const failure =
      leaf === undefined ? null : verifyAgain(leaf, sentIntermediates(leaf), this.#snapshot.tls, span);
    const objection = failure === null ? null : `client certificate verification failed: ${failure.reason}`;
    this.#certificates.set(fingerprint, objection);
    return objection;
  }
}

/**
 * It is the reload that may end a session, not the time that has passed: what was in force at its handshake still counts,
 * and so does what has come into force since, a CA's renewed certificate for one. The clock may have been set back.
 */
function since(begin: Date): Span {
  const now = new Date();
  return begin < now ? { from: begin, to: now } : { from: now, to: begin };
}

function terminate(sessions: readonly Session[]): void {
  const step = SPREAD_MS / Math.max(sessions.length, 1);
  for (const [index, session] of sessions.entries()) {
    session.terminating = true;
    const reason = terminatedByAdministrator('no longer admitted after a reload');
    setTimeout(() => session.end(reason), index * step).unref();
  }
}
