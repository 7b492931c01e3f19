// One process that serves clients: it listens, serves its connections, takes over reloads and ends its sessions. With one
// process it is the whole gate; with workers each of them is one.

import { randomBytes } from 'node:crypto';
import { BanTable, LocalBans, type BanRow, type Bans } from '../session/bans.ts';
import { SaltedPasswords } from '../auth/scram-keys.ts';
import type { FullSessionRow, SessionRow } from '../session/session-row.ts';
import type { ConsoleView } from '../console/console-view.ts';
import { ConsolePids } from './console-pids.ts';
import { forwardCancel } from '../session/cancel.ts';
import type { Debts } from '../session/debts.ts';
import { CancelGuesses } from '../session/cancel-guesses.ts';
import type { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import type { ClientService, Staffing, TriedSessions, WorkerRow } from './client-service.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { connectionsThatFit } from './open-file-limit.ts';
import { GatehouseError } from '../base/errors.ts';
import { collectGarbage, hasLongLists } from '../base/garbage.ts';
import type { ProcessState } from '../session/process-state.ts';
import { keepAlive } from '../base/keep-alive.ts';
import { openListeners, type ListenAddress, type ListenOptions, type Listeners } from './listen.ts';
import { setLogFormat, type Logger } from '../telemetry/log.ts';
import type { Metrics, MetricsJson, RuleHits } from '../telemetry/metrics.ts';
import { Refusals, type RefusalRow } from '../telemetry/refusals.ts';
import { SessionsJudge, trySessions } from './rejudge.ts';
import { serveConnection } from '../session/connection.ts';
import { Dialer } from '../session/dial.ts';
import { IdentityMemory } from '../session/identity-memory.ts';
import { LocalQuota, type Quota } from '../session/quota.ts';
import { nextTurn } from '../base/slices.ts';
import {
  fits,
  Sessions,
  terminatedByAdministrator,
  type KeyUse,
  type SessionFilter,
} from '../session/sessions.ts';
import { NO_CATALOG, type UpstreamCatalog } from '../session/upstream-catalog.ts';
import { Strangers } from '../session/strangers.ts';
import { fullSessionRow, sessionRow } from '../session/session-row.ts';
import type { TlsHosts } from '../tls/hosts.ts';
import { withTimeout } from '../base/with-timeout.ts';

/** So many sessions are ended in one turn of the event loop. */
const ENDS_A_TURN = 50;

/** After 57P01 to the last session the process waits at most this long for clients to read it, in milliseconds. */
const LAST_WORDS_MS = 2_000;

/**
 * V8 lets the heap grow to four times what lives in it before it collects the whole of it, and to less where it finds
 * itself collecting often. TLS reads are memory outside of the heap that counts in it: a COPY into the server brings the
 * lower limit about, and then a full collection for every few MB (decision 7). This keeps the four.
 */
const HEAP_GROWTH = '--heap-growing-percent=300';

/**
 * V8 would wake threads of its own for each collection of the young generation. That generation is small (decision 7):
 * waking them is a tenth of the processor time of a new connection, and the collection takes under a millisecond without.
 */
const SCAVENGE_ALONE = '--no-parallel-scavenge';

/** SECURITY: of no other process, of this machine or another, before or after a restart: ids of its connections never meet. */
const PROCESS_NAME = `${process.pid}-${lettersOf(randomBytes(6))}`;

/** Letters only, so that an id is one word when someone types it. */
function lettersOf(bytes: Buffer): string {
  return bytes.toString('hex').replace(/\d/g, (digit) => 'ghijklmnop'[Number(digit)] ?? '');
}

function noView(): never {
  throw new Error('the gate is starting');
}

export interface GateProcessOptions {
  /** Holds the state in force. */
  readonly config: { readonly current: Snapshot };
  readonly log: Logger;
  readonly metrics: Metrics;
  /** What a worker shares with the others. Absent where one process is the whole gate. */
  readonly shared?: SharedState;
  /** What a console sees. It is there once the gate serves. */
  readonly view?: () => ConsoleView;
  /** The upstream's catalogue. */
  readonly catalog?: UpstreamCatalog;
}

/** What all workers share, as one of them sees it. */
export interface SharedState {
  readonly quota: Quota;
  readonly bans?: Bans;
  /** What another worker knows of this key. */
  readonly useKey: (pid: number, key: Buffer) => Promise<KeyUse | null>;
  /** A cancel request from this address had a key that no worker knows: it counts in all of them. */
  readonly onUnknownKey?: (address: string) => void;
  /** Whether the upstream takes the gate's settings, as this worker and the others have found out. */
  readonly identityMemory?: IdentityMemory;
  /** A number that no console of any worker has. */
  readonly nextConsolePid?: () => Promise<number>;
  /** A connection was refused or has failed. */
  readonly onRefused?: (row: RefusalRow) => void;
  /** The number of unadmitted connections has changed. */
  readonly onHandshakes: () => void;
  /** What addresses owe for failed openings in any worker. */
  readonly debts?: Debts;
  /** An address has been charged for a failed opening: the other workers refuse it too. */
  readonly onCharge?: (address: string, ms: number) => void;
}

/** The connections of one process. */
export class ServingProcess implements ClientService {
  readonly strangers: Strangers;
  readonly live = new Sessions();
  readonly cancelGuesses: CancelGuesses;
  readonly #config: GateProcessOptions['config'];
  readonly #log: Logger;
  readonly #metrics: Metrics;
  readonly #gate: ProcessState;
  readonly #sessionsJudge: SessionsJudge;
  /** Accepted connections by their sockets, each until it has ended. */
  readonly #connections = new Map<Socket, Promise<void>>();
  readonly #consolePids = new ConsolePids();
  readonly #refusals = new Refusals();
  readonly #bans: BanTable;
  readonly #dialer = new Dialer(() => this.addresses);
  readonly #capacity = connectionsThatFit();
  #listeners: Listeners | null = null;
  #draining = false;
  /** The state that was in force last. It shows when a reload has replaced it. */
  #tls: TlsHosts | null = null;
  #lastConnection = 0;

  constructor({ config, log, metrics, shared, view = noView, catalog = NO_CATALOG }: GateProcessOptions) {
    this.#config = config;
    this.#tls = config.current.tls;
    this.#log = log;
    this.#metrics = metrics;
    this.#bans = new BanTable({ log });
    this.strangers = new Strangers({
      onHandshakes: shared?.onHandshakes,
      debts: shared?.debts,
      onCharge: shared?.onCharge,
    });
    this.cancelGuesses = new CancelGuesses({ onUnknown: shared?.onUnknownKey });
    this.#gate = {
      log,
      metrics,
      refused: shared?.onRefused ?? ((row) => this.#refusals.add(row)),
      strangers: this.strangers,
      sessions: this.live,
      enlist: (session, decidedBy) => {
        this.live.add(session);
        if (decidedBy !== config.current) this.#sessionsJudge.judge(config.current);
      },
      dialer: this.#dialer,
      quota: shared?.quota ?? new LocalQuota(),
      bans: shared?.bans ?? new LocalBans(this.#bans),
      salted: new SaltedPasswords(),
      cancelGuesses: this.cancelGuesses,
      identityMemory: shared?.identityMemory ?? new IdentityMemory(),
      useKey: async (pid, key) => this.live.useKey(pid, key) ?? (await shared?.useKey(pid, key)) ?? null,
      loadConsole: async () => {
        const { ConsoleConnection } = await import('../console/console-connection.ts');
        return (client, visitor) => new ConsoleConnection(client, { ...visitor, view: view() });
      },
      nextConsolePid: shared?.nextConsolePid ?? (() => Promise.resolve(this.#consolePids.next())),
      catalog,
      snapshot: () => config.current,
      draining: () => this.#draining,
      nextId: () => `${PROCESS_NAME}-${++this.#lastConnection}`,
    };
    this.#sessionsJudge = new SessionsJudge(this.#gate);
    this.#showRules();
    this.#dialer.load(config.current.settings);
  }

  get addresses(): readonly ListenAddress[] {
    return this.#listeners?.addresses ?? [];
  }

  /** @throws LoadError where it cannot listen */
  async listen(options: ListenOptions): Promise<void> {
    setFlagsFromString(HEAP_GROWTH);
    setFlagsFromString(SCAVENGE_ALONE);
    this.#listeners = await openListeners(options, (raw) => {
      if (!this.#makeRoom()) {
        raw.destroy();
        this.#metrics.connectionEnded('too-many-open-files');
        this.#listeners?.couldNotAccept('Too many open files');
        return;
      }
      keepAlive(raw, this.#config.current.settings);
      const over = serveConnection(raw, this.#gate).finally(() => this.#connections.delete(raw));
      this.#connections.set(raw, over);
    });
  }

  /** SECURITY: near the limit of open files a stranger is dropped for a new client, so silent ones keep nobody out. */
  #makeRoom(): boolean {
    if (this.#connections.size < this.#capacity) return true;
    return this.strangers.handshakes.evict(
      new GatehouseError('too-many-open-files', {
        message:
          `the limit of open files leaves room for ${this.#capacity} connections: ` +
          'the one that had gone longest without progress was dropped for a new one',
      }),
    );
  }

  async sessions(): Promise<readonly SessionRow[]> {
    return [...this.live].filter((session) => session.console === null).map(sessionRow);
  }

  async fullSessions(): Promise<readonly FullSessionRow[]> {
    return [...this.live].map(fullSessionRow);
  }

  async workers(): Promise<readonly WorkerRow[]> {
    const handshakes = this.strangers.handshakes.size;
    return [{ pid: process.pid, sessions: this.live.size, handshakes, state: 'serving' }];
  }

  async refusals(): Promise<readonly RefusalRow[]> {
    return this.#refusals.list();
  }

  async bans(): Promise<readonly BanRow[]> {
    return this.#bans.list();
  }

  async unban(address: string): Promise<boolean> {
    return this.#bans.lift(address);
  }

  get sessionCount(): number {
    return this.live.size;
  }

  get bannedAddresses(): number {
    return this.#bans.size;
  }

  async terminate(id: string): Promise<boolean> {
    const session = this.live.get(id);
    session?.end(terminatedByAdministrator('terminated by an administrator'));
    return session !== undefined;
  }

  async terminateAll(which: SessionFilter): Promise<readonly string[]> {
    const meant = [...this.live].filter((session) => fits(session, which));
    for (const [index, session] of meant.entries()) {
      session.end(terminatedByAdministrator('terminated by an administrator'));
      // Thousands that end in one turn would hold everybody else up.
      if (index % ENDS_A_TURN === ENDS_A_TURN - 1) await nextTurn();
    }
    return meant.map(({ id }) => id);
  }

  async trySessions({ current }: { readonly current: Snapshot }): Promise<TriedSessions> {
    const sessions = await trySessions(this.#gate, current);
    // V8 does not see the memory that OpenSSL holds for a state that nobody uses.
    const hasLists = current.tls?.materials.some(({ options }) => hasLongLists(options)) ?? false;
    if (hasLists && current.tls !== this.#tls) setImmediate(collectGarbage);
    return { sessions, of: this.live.size, silent: 0 };
  }

  async cancel(id: string): Promise<boolean> {
    const session = this.live.get(id);
    if (session === undefined) return false;
    const { cancelTarget, console: served } = session;
    if (served !== null) {
      served.cancel();
      return true;
    }
    if (cancelTarget === null) return false;
    return await forwardCancel(this.#dialer, this.#config.current.settings, cancelTarget);
  }

  async otherMetrics(): Promise<readonly MetricsJson[]> {
    return [];
  }

  async ruleHits(): Promise<readonly RuleHits[]> {
    return this.#metrics.ruleHits();
  }

  /** A process that could not serve could not say so either. */
  get staffing(): Staffing {
    return { wanted: 1, serving: 1 };
  }

  async adopt(): Promise<void> {
    this.#freeLongLists();
    this.#bans.adopt(this.#config.current.settings);
    this.#log.level = this.#config.current.settings.log_level;
    setLogFormat(this.#config.current.settings.log_format);
    this.#showRules();
    this.#dialer.load(this.#config.current.settings);
    // Open connections get the new values too, as from PostgreSQL's assign hooks.
    for (const raw of this.#connections.keys()) keepAlive(raw, this.#config.current.settings);
    this.#sessionsJudge.judge(this.#config.current);
  }

  async drain(): Promise<void> {
    this.#draining = true;
    await this.live.empty();
  }

  async finish(): Promise<void> {
    this.#draining = true;
    for (const session of this.live) session.end(terminatedByAdministrator('the gate is shutting down'));
    this.strangers.handshakes.endAll(new GatehouseError('shutting-down'));
    // Resolves only when the connections are closed, which are waited for below.
    void this.#listeners?.close();
    await withTimeout(Promise.allSettled(this.#connections.values()), LAST_WORDS_MS);
    for (const raw of this.#connections.keys()) raw.destroy();
    // Each connection still writes its closing line.
    await withTimeout(Promise.allSettled(this.#connections.values()), LAST_WORDS_MS);
  }

  /** How many live sessions the state in force would refuse. */
  get noLongerAdmitted(): number {
    let count = 0;
    for (const { judgement, console } of this.live) {
      if (console === null && judgement.kind === 'no-longer-admitted') count++;
    }
    return count;
  }

  /** V8 does not see the memory that OpenSSL holds for a state. Without this, old states would pile up. */
  #freeLongLists(): void {
    const before = this.#tls;
    this.#tls = this.#config.current.tls;
    const hadLongLists = before?.materials.some(({ options }) => hasLongLists(options)) ?? false;
    if (before !== this.#tls && hadLongLists) setImmediate(collectGarbage);
  }

  #showRules(): void {
    this.#metrics.rules(this.#config.current.rules.records);
  }
}
