// After a reload the live sessions are judged again: certificates by the new CA and revocation lists, then rules and maps.
// reload.sessions says what happens to those that no longer pass. A session is ended only for a certain refusal. Where the
// judging of one session is slow or fails, the others do not wait for it.

import { toText } from '../base/bytestring.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { messageOf } from '../base/errors.ts';
import type { ProcessState } from '../session/process-state.ts';
import { decisionSteps } from '../rules/decide.ts';
import type { Admission, Facts, Refusal } from '../rules/types.ts';
import { judge, ruleBook, type JudgeOptions } from '../session/rules-step.ts';
import { terminatedByAdministrator, type Session, type SessionJudgement } from '../session/sessions.ts';
import { nextTurn, inSlices } from '../base/slices.ts';
import { SpreadEnds } from './spread-ends.ts';
import type { TlsHosts } from '../tls/hosts.ts';
import type { TlsMaterial } from '../tls/types.ts';
import { CertificateJudge } from '../tls/judge/certificate-judge.ts';

/** A session's host name is looked up anew only within this time, in milliseconds. */
const LOOK_UP_MS = 5_000;

/** At most this many sessions ask the resolver or the catalogue at the same time. */
const LOOK_UPS_AT_ONCE = 8;

/** Trying all sessions by another state takes at most this long, in milliseconds: somebody waits for the answer. */
const TRYING_MS = 20_000;

/** The judging yields to connections after this many milliseconds. */
const SLICE_MS = 5;

const ADMITTED: SessionJudgement = { kind: 'admitted' };

/** Whose sessions are judged. */
export type JudgedGate = Pick<ProcessState, 'log' | 'sessions' | 'catalog'>;

/** Judges the sessions of one process, after each reload anew. */
export class SessionsJudge {
  readonly #gate: JudgedGate;
  /** When each session that is to end will end, by performance.now(); gone once it is over. */
  readonly #ends = new Map<Session, { readonly at: number; readonly timer: NodeJS.Timeout | null }>();
  #running: Promise<void> = Promise.resolve();
  #latest = new AbortController();
  /** The state that was given last. What is found by an earlier one counts for nothing. */
  #state: Snapshot | null = null;

  constructor(gate: JudgedGate) {
    this.#gate = gate;
  }

  /**
   * Judges every live session by this state; marks, logs and, with `reload.sessions: terminate`, ends those that no
   * longer pass. Goes on while new connections are served. An earlier judgement that still waits for the resolver is
   * given up, because this one makes it anew. Never throws.
   */
  judge(snapshot: Snapshot): void {
    this.#latest.abort();
    this.#latest = new AbortController();
    this.#state = snapshot;
    const { signal } = this.#latest;
    // A session that an earlier state would end is kept until this state has judged it.
    for (const [session, { at, timer }] of this.#ends) {
      clearTimeout(timer ?? undefined);
      if (this.#isLive(session)) this.#ends.set(session, { at, timer: null });
      else this.#ends.delete(session);
    }
    this.#running = this.#judgeNext(this.#running, snapshot, signal);
  }

  /** One reload's judgement after another's. */
  async #judgeNext(earlier: Promise<void>, snapshot: Snapshot, signal: AbortSignal): Promise<void> {
    await earlier;
    // A later reload has come meanwhile, and judges all of them.
    if (signal.aborted) return;
    try {
      await this.#judgeAll(snapshot, signal);
    } catch (error) {
      this.#gate.log.error({ err: error }, 'could not judge the sessions again');
      // What was found against a session stands until another judgement takes it back.
      for (const [session, { timer }] of this.#ends) if (timer === null) this.#endAt(session, 0);
    }
  }

  async #judgeAll(snapshot: Snapshot, signal: AbortSignal): Promise<void> {
    const book = ruleBook(snapshot, null);
    const judged = new Judged();
    const slices = new Slices();
    const certificates = new CertificateJudges();
    for (const session of this.#gate.sessions) {
      await slices.yieldWhenDue();
      if (this.#state !== snapshot) return;
      await judged.by(session, () => judgeCertificate(session, snapshot.tls, certificates));
    }
    // SECURITY: certificates come first and end what they end before any rule asks the resolver or the catalogue.
    this.#settle(judged.takeRefused(), snapshot);
    const waiting: { readonly session: Session; readonly facts: Facts }[] = [];
    for (const session of judged.sessions()) {
      await slices.yieldWhenDue();
      if (this.#state !== snapshot) return;
      const facts = factsNow(session, snapshot.tls);
      await judged.by(session, async () => {
        const verdict = await inSlices(decisionSteps(book, facts));
        if (verdict.kind !== 'look-up') return judgementOf(verdict);
        waiting.push({ session, facts });
        return ADMITTED;
      });
    }
    const asking = new Set(waiting.map(({ session }) => session));
    this.#settle(
      judged.take((session) => !asking.has(session)),
      snapshot,
    );
    // Their answers come one by one: the ends are spread over all of them, and not over those of one answer.
    const ends = new SpreadEnds(asking.size);
    const lane = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined && !signal.aborted; next = waiting.shift()) {
        const { session, facts } = next;
        await judged.by(session, () =>
          judgeByLookUp(snapshot, facts, { catalog: this.#gate.catalog, signal }),
        );
        if (!signal.aborted)
          this.#settle(
            judged.take((other) => other === session),
            snapshot,
            ends,
          );
      }
    };
    await Promise.all(Array.from({ length: LOOK_UPS_AT_ONCE }, lane));
  }

  /**
   * Marks and logs the findings. Ends the sessions that fail, and spares those that an earlier state would have ended.
   * Nothing happens where a later state has come: it may admit them, and judges them next.
   *
   * @param ends when those that fail end; by default they have the whole time to themselves
   */
  #settle(found: ReadonlyMap<Session, SessionJudgement>, snapshot: Snapshot, ends?: SpreadEnds): void {
    if (this.#state !== snapshot) return;
    const refused: Session[] = [];
    for (const [session, judgement] of found) {
      if (!this.#isLive(session)) this.#spare(session);
      else {
        this.#mark(session, judgement);
        if (judgement.kind === 'no-longer-admitted' && snapshot.settings.reload.sessions === 'terminate')
          refused.push(session);
        else this.#spare(session);
      }
    }
    const times = ends ?? new SpreadEnds(refused.length);
    for (const session of refused) this.#endAt(session, times.next());
  }

  #isLive(session: Session): boolean {
    return this.#gate.sessions.get(session.id) === session;
  }

  #mark(session: Session, judgement: SessionJudgement): void {
    const isNews = judgement.kind !== session.judgement.kind;
    session.judgement = judgement;
    if (!isNews || judgement.kind === 'admitted') return;
    const fields = {
      id: session.id,
      host: session.clientAddress,
      port: session.clientPort,
      user: toText(session.user),
    };
    if (judgement.kind === 'not-judged')
      this.#gate.log.info(fields, `session could not be judged again: ${judgement.reason}`);
    else this.#gate.log.warn(fields, `session would no longer be admitted: ${judgement.reason}`);
  }

  /** A session that is to end already keeps its time. */
  #endAt(session: Session, time: number): void {
    const at = this.#ends.get(session)?.at ?? time;
    session.terminating = true;
    const end = (): void => {
      this.#ends.delete(session);
      session.end(terminatedByAdministrator('no longer admitted after a reload'));
    };
    this.#ends.set(session, { at, timer: setTimeout(end, Math.max(0, at - performance.now())).unref() });
  }

  #spare(session: Session): void {
    const end = this.#ends.get(session);
    if (end === undefined) return;
    clearTimeout(end.timer ?? undefined);
    this.#ends.delete(session);
    session.terminating = false;
  }
}

/** A session that a state would not admit, or that nobody could judge by it. Plain data. */
export interface TriedSession {
  readonly id: string;
  readonly user: string;
  readonly database: string;
  readonly client_addr: string;
  readonly client_port: number;
  readonly judgement: 'no-longer-admitted' | 'not-judged';
  readonly reason: string;
  /** The line that would refuse it; null where none does. */
  readonly file: string | null;
  readonly line: number | null;
}

/**
 * Judges sessions by a state that is not in force. Marks, logs and ends nothing.
 *
 * @returns those that it would not admit, and those that could not be judged
 */
export async function trySessions(
  { sessions, catalog }: Pick<JudgedGate, 'sessions' | 'catalog'>,
  snapshot: Snapshot,
): Promise<readonly TriedSession[]> {
  const certificates = new CertificateJudges();
  const slices = new Slices();
  const waiting = [...sessions].filter(({ console }) => console === null);
  const found: TriedSession[] = [];
  const deadline = AbortSignal.timeout(TRYING_MS);
  const lane = async (): Promise<void> => {
    for (let session = waiting.shift(); session !== undefined; session = waiting.shift()) {
      await slices.yieldWhenDue();
      const judgement = await tryOne(session, snapshot, { certificates, catalog, signal: deadline });
      if (judgement.kind !== 'admitted') found.push(triedSession(session, judgement));
    }
  };
  await Promise.all(Array.from({ length: LOOK_UPS_AT_ONCE }, lane));
  return found;
}

async function tryOne(
  session: Session,
  snapshot: Snapshot,
  {
    certificates,
    ...asking
  }: { certificates: CertificateJudges } & Pick<JudgedGate, 'catalog'> & { signal: AbortSignal },
): Promise<SessionJudgement> {
  const tooLate = `trying the sessions took over ${TRYING_MS / 1000} s`;
  if (asking.signal.aborted) return { kind: 'not-judged', reason: tooLate };
  try {
    const byCertificate = await judgeCertificate(session, snapshot.tls, certificates);
    if (byCertificate.kind === 'no-longer-admitted') return byCertificate;
    const byRules = await judgeByLookUp(snapshot, factsNow(session, snapshot.tls), asking);
    return byRules.kind === 'admitted' ? byCertificate : byRules;
  } catch (error) {
    return { kind: 'not-judged', reason: asking.signal.aborted ? tooLate : messageOf(error) };
  }
}

function triedSession(
  { id, user, database, clientAddress, clientPort }: Session,
  judgement: Exclude<SessionJudgement, { kind: 'admitted' }>,
): TriedSession {
  const line = judgement.kind === 'no-longer-admitted' ? judgement.line : null;
  return {
    id,
    user: toText(user),
    database: toText(database),
    client_addr: clientAddress,
    client_port: clientPort,
    judgement: judgement.kind,
    reason: judgement.reason,
    file: line?.file ?? null,
    line: line?.line ?? null,
  };
}

/** What one round of judging has found so far and not yet settled. */
class Judged {
  readonly #found = new Map<Session, SessionJudgement>();

  /** Adds a judgement to the findings. One that fails is reported as not judged, and the others go on. */
  async by(session: Session, judging: () => Promise<SessionJudgement>): Promise<void> {
    const earlier = this.#found.get(session) ?? ADMITTED;
    let judgement: SessionJudgement;
    try {
      judgement = await judging();
    } catch (error) {
      judgement = { kind: 'not-judged', reason: messageOf(error) };
    }
    // SECURITY: a session whose certificate could not be judged still ends where a rule refuses it.
    this.#found.set(session, judgement.kind === 'admitted' ? earlier : judgement);
  }

  sessions(): readonly Session[] {
    return [...this.#found.keys()];
  }

  takeRefused(): Map<Session, SessionJudgement> {
    return this.take((_session, { kind }) => kind === 'no-longer-admitted');
  }

  take(which: (session: Session, judgement: SessionJudgement) => boolean): Map<Session, SessionJudgement> {
    const taken = new Map([...this.#found].filter(([session, judgement]) => which(session, judgement)));
    for (const session of taken.keys()) this.#found.delete(session);
    return taken;
  }
}

/** Yields to the connections. */
class Slices {
  #begin = performance.now();

  async yieldWhenDue(): Promise<void> {
    if (performance.now() - this.#begin < SLICE_MS) return;
    await nextTurn();
    this.#begin = performance.now();
  }
}

/** One judge for each host of one state. */
class CertificateJudges {
  readonly #judges = new Map<TlsMaterial, CertificateJudge>();

  of(material: TlsMaterial): CertificateJudge {
    const judging = this.#judges.get(material) ?? new CertificateJudge(material);
    this.#judges.set(material, judging);
    return judging;
  }
}

/** What a session's client would meet if it came again with the name that it has sent; null where it meets no TLS. */
function materialOf({ tls }: Session, hosts: TlsHosts | null): TlsMaterial | null {
  return tls === null || hosts === null ? null : hosts.materialFor(tls.serverName);
}

/** What its client would be decided on if it came again. Its address may have another name by now, or one at last. */
function factsNow(session: Session, hosts: TlsHosts | null): Facts {
  const hasRootCertificates = materialOf(session, hosts)?.requestsClientCertificate ?? false;
  return { ...session.facts, hostName: { state: 'unknown' }, hasRootCertificates };
}

/** SECURITY: by the CA of the session's own host. Another host's would vouch for strangers to this one. */
async function judgeCertificate(
  session: Session,
  hosts: TlsHosts | null,
  certificates: CertificateJudges,
): Promise<SessionJudgement> {
  const { tls } = session;
  if (tls === null || hosts === null) return ADMITTED;
  const material = materialOf(session, hosts);
  if (material === null)
    return { kind: 'no-longer-admitted', reason: 'no host of pg_hosts.conf serves it', line: null };
  // Where its host asks for no certificate the rules alone decide.
  if (tls.chain === null || !material.requestsClientCertificate) return ADMITTED;
  const judgement = await certificates.of(material).judgeAdmitted(tls.chain);
  switch (judgement.kind) {
    case 'verified':
      return ADMITTED;
    case 'refused':
      return {
        kind: 'no-longer-admitted',
        reason: `client certificate verification failed: ${judgement.error.reason}`,
        line: null,
      };
    case 'not-judged':
      return { kind: 'not-judged', reason: `client certificate: ${judgement.reason}` };
    default:
      return judgement satisfies never;
  }
}

/** With the client's host name, or the upstream's memberships. Where these cannot be had, nothing is certain. */
async function judgeByLookUp(
  snapshot: Snapshot,
  known: Facts,
  { catalog, signal: given }: JudgeOptions,
): Promise<SessionJudgement> {
  const patience = AbortSignal.timeout(LOOK_UP_MS);
  try {
    const signal = AbortSignal.any([given, patience]);
    const { verdict, facts } = await judge(snapshot, known, { catalog, signal });
    const failure = failureOf(facts.hostName);
    if (verdict.kind === 'admit' || failure === null) return judgementOf(verdict);
    return { kind: 'not-judged', reason: `the look-up of its host name failed: ${failure}` };
  } catch (error) {
    if (!patience.aborted) throw error;
    return {
      kind: 'not-judged',
      reason: `the look-up of its host name or memberships took over ${LOOK_UP_MS / 1000} s`,
    };
  }
}

/** Why the resolver has no answer; null = it has one. */
function failureOf(name: Facts['hostName']): string | null {
  if (name.state === 'unresolvable') return name.reason;
  return name.state === 'resolved' && name.forward.state === 'failed' ? name.forward.reason : null;
}

function judgementOf(verdict: Admission | Refusal): SessionJudgement {
  if (verdict.kind === 'admit') return ADMITTED;
  const { record } = verdict;
  return {
    kind: 'no-longer-admitted',
    reason: toText(verdict.message),
    line: record === null ? null : { file: record.file, line: record.line },
  };
}
