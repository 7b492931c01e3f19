// Several workers that share the port. This starts them, replaces those that die, and adds up what they count, so that
// every limit and every answer of the admin listener is that of the whole gate.

import type { Catalog } from '../../catalog/catalog.ts';
import type { ConsoleView } from '../../console/console-view.ts';
import type { FullSessionRow, SessionRow } from '../../session/session-row.ts';
import { ConsolePids } from '../console-pids.ts';
import type { ClientService, Staffing, TriedSessions, WorkerRow } from '../client-service.ts';
import type { SessionFilter } from '../../session/sessions.ts';
import type { ConfigHolder } from '../../config/snapshot.ts';
import { messageOf } from '../../base/errors.ts';
import { besides, forkPart } from '../../base/own-process.ts';
import { openListeners, type ListenAddress } from '../listen.ts';
import { setLogFormat, type Logger } from '../../telemetry/log.ts';
import type { Metrics, MetricsJson, RuleHits } from '../../telemetry/metrics.ts';
import { refusalRow, Refusals, type RefusalRow } from '../../telemetry/refusals.ts';
import { addCounts, countsOf } from '../../telemetry/sum.ts';
import { BanTable, type BanRow } from '../../session/bans.ts';
import { Debts } from '../../session/debts.ts';
import { SessionCount } from '../../session/quota.ts';
import type { KeyUse } from '../../session/sessions.ts';
import { HandshakeShares } from './handshake-shares.ts';
import { WorkerProcess } from './worker-process.ts';

/** A worker that dies is replaced after this long, in milliseconds, doubled each time until one lives. */
const FIRST_RESTART_MS = 100;
const MAX_RESTART_MS = 30_000;

/** SECURITY: until a worker handles SIGUSR1, Node would open its debugger on it to every user of the machine. */
const NO_DEBUGGER = '--disable-sigusr1';

/** A worker that has run this long, in milliseconds, counts as started. */
const GOOD_START_MS = 10_000;

export interface WorkersOptions {
  readonly config: ConfigHolder;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** What a console sees. It is there once the gate serves. */
  readonly view: () => ConsoleView;
  readonly catalog: Catalog;
}

/** The workers of a gate. */
export class Workers implements ClientService {
  readonly #config: ConfigHolder;
  readonly #log: Logger;
  readonly #metrics: Metrics;
  readonly #view: WorkersOptions['view'];
  readonly #catalog: Catalog;
  readonly #consolePids = new ConsolePids();
  readonly #count = new SessionCount();
  readonly #refusals = new Refusals();
  readonly #bans: BanTable;
  /** What addresses owe for failed openings, for a worker that has yet to hear of it. */
  readonly #debts = new Debts();
  readonly #shares = new HandshakeShares<WorkerProcess>();
  readonly #workers = new Set<WorkerProcess>();
  #countedByTheDead: Promise<MetricsJson> = Promise.resolve([]);
  #addresses: readonly ListenAddress[] = [];
  /** The upstream of which a worker has found out last that it takes no settings of the gate's; null = none has. */
  #identityRefusedBy: string | null = null;
  #restartMs = FIRST_RESTART_MS;
  #restartTimer: NodeJS.Timeout | null = null;
  /** From now on no worker is replaced. */
  #ending = false;
  /** Ends every worker. */
  #finishing = false;
  #evicting = false;
  /** A number of handshakes was told that has yet to be looked at. */
  #toldAnew = false;

  private constructor({ config, log, metrics, catalog, view }: WorkersOptions) {
    this.#config = config;
    this.#log = log;
    this.#bans = new BanTable({ log });
    this.#metrics = metrics;
    this.#view = view;
    this.#catalog = catalog;
  }

  /**
   * Starts `settings.workers` workers.
   *
   * @throws LoadError where the gate cannot listen; Error when a worker does not start
   */
  static async start(options: WorkersOptions): Promise<Workers> {
    const workers = new Workers(options);
    const { settings, rules } = options.config.current;
    options.metrics.rules(rules.records);
    // Bind the port alone once. The workers' sockets let any process of this user share the port, so a second gate
    // would not be refused but get every other client.
    const probe = await openListeners({ settings, log: options.log }, (raw) => raw.destroy());
    workers.#addresses = probe.addresses;
    await probe.close();
    try {
      await Promise.all(Array.from({ length: settings.workers }, () => workers.#startWorker()));
    } catch (error) {
      await workers.finish();
      throw error;
    }
    return workers;
  }

  get addresses(): readonly ListenAddress[] {
    return this.#addresses;
  }

  async sessions(): Promise<readonly SessionRow[]> {
    return (await this.#askAll((worker) => worker.remote.call('sessions'))).flat();
  }

  async fullSessions(): Promise<readonly FullSessionRow[]> {
    return (await this.#askAll((worker) => worker.remote.call('fullSessions'))).flat();
  }

  async workers(): Promise<readonly WorkerRow[]> {
    return [...this.#workers].map((worker) => worker.row);
  }

  /** What a worker has not told when it dies is lost; all else stays. */
  async refusals(): Promise<readonly RefusalRow[]> {
    await this.#askAll((worker) => worker.remote.call('tellRefusals'));
    return this.#refusals.list();
  }

  async bans(): Promise<readonly BanRow[]> {
    return this.#bans.list();
  }

  async unban(address: string): Promise<boolean> {
    return this.#bans.lift(address);
  }

  get sessionCount(): number {
    return [...this.#workers].reduce((sum, { row }) => sum + row.sessions, 0);
  }

  get bannedAddresses(): number {
    return this.#bans.size;
  }

  async cancel(id: string): Promise<boolean> {
    return (await this.#askAll((worker) => worker.remote.call('cancel', id))).includes(true);
  }

  async terminate(id: string): Promise<boolean> {
    return (await this.#askAll((worker) => worker.remote.call('terminate', id))).includes(true);
  }

  async terminateAll(which: SessionFilter): Promise<readonly string[]> {
    return (await this.#askAll((worker) => worker.remote.call('terminateAll', which))).flat();
  }

  async trySessions(state: Pick<ConfigHolder, 'current' | 'parts'>): Promise<TriedSessions> {
    const asked = this.#workers.size;
    const answers = await this.#askAll((worker) => worker.trySessions(state));
    return {
      sessions: answers.flatMap(({ sessions }) => sessions),
      of: answers.reduce((sum, { of }) => sum + of, 0),
      silent: asked - answers.length,
    };
  }

  /** Counts of dead workers stay in the sum: Prometheus would read a counter that falls as a restart. */
  async otherMetrics(): Promise<readonly MetricsJson[]> {
    const dead = await this.#countedByTheDead;
    const living = [...this.#workers];
    const asked = await Promise.allSettled(
      living.map(async (worker) => {
        if (!worker.serves) throw new Error('it does not serve');
        [worker.metrics, worker.ruleHits] = await Promise.all([
          worker.remote.call('metrics'),
          worker.remote.call('ruleHits'),
        ]);
      }),
    );
    const theirs = living.map((worker, index) => {
      if (asked[index]?.status === 'fulfilled') return worker.metrics;
      // It is dying, or hangs. Whether its rule hits are this process's already depends on whether its end has been seen.
      return countsOf(worker.metrics, { ruleHits: this.#workers.has(worker) });
    });
    return [...theirs, dead];
  }

  async ruleHits(): Promise<readonly RuleHits[]> {
    const sums = new Map<string, RuleHits>();
    const ofTheDead = this.#metrics.ruleHits();
    const living = await this.#askAll(
      async (worker) => (worker.ruleHits = await worker.remote.call('ruleHits')),
    );
    for (const row of [...ofTheDead, ...living.flat()]) {
      const key = `${row.file}:${row.line}`;
      sums.set(key, { ...row, hits: row.hits + (sums.get(key)?.hits ?? 0) });
    }
    return [...sums.values()];
  }

  get staffing(): Staffing {
    const serving = [...this.#workers].filter((worker) => worker.serves).length;
    return { wanted: this.#config.current.settings.workers, serving };
  }

  /** A worker that cannot take the state over is killed; its replacement starts with the new state. */
  async adopt(): Promise<void> {
    const { settings, rules } = this.#config.current;
    this.#log.level = settings.log_level;
    setLogFormat(settings.log_format);
    this.#bans.adopt(settings);
    this.#metrics.rules(rules.records);
    await Promise.all(
      [...this.#workers].map(async (worker) => {
        await worker.adopt(this.#config).catch((error: unknown) => {
          // It was told to end before it could.
          if (this.#finishing) return;
          this.#log.error(
            { worker: worker.pid },
            `a worker could not take over the state: ${messageOf(error)}`,
          );
        });
      }),
    );
  }

  async drain(): Promise<void> {
    this.#stopReplacing();
    const workers = [...this.#workers];
    // A worker that is still starting has no sessions to end.
    for (const worker of workers) if (worker.startedAt === null) worker.kill();
    await Promise.all(
      workers.map(async (worker) => {
        // A late answer is one too: the call itself waits in the channel.
        await worker.remote.call('drain').catch(() => undefined);
        await Promise.race([worker.drained, worker.exited]);
      }),
    );
  }

  async finish(): Promise<void> {
    this.#stopReplacing();
    this.#finishing = true;
    await Promise.all([...this.#workers].map(async (worker) => await worker.finish()));
  }

  #stopReplacing(): void {
    this.#ending = true;
    if (this.#restartTimer !== null) clearTimeout(this.#restartTimer);
  }

  async #startWorker(): Promise<void> {
    const child = forkPart('worker', besides(import.meta.url, 'worker-start'), {
      execArgv: [...process.execArgv.filter((flag) => flag !== NO_DEBUGGER), NO_DEBUGGER],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const worker = new WorkerProcess(child, {
      count: this.#count,
      bans: this.#bans,
      useKey: async (asking, pid, key) => await this.#useKey(asking, pid, key),
      onUnknownKey: (by, address) => {
        for (const other of this.#others(by)) other.remote.tell('unknownKey', address);
      },
      onIdentityRefused: (by, upstream) => {
        this.#identityRefusedBy = upstream;
        for (const other of this.#others(by)) other.remote.tell('identityRefused', upstream);
      },
      nextConsolePid: () => this.#consolePids.next(),
      view: this.#view,
      catalog: this.#catalog,
      onHandshakes: (by, changes) => {
        this.#shares.note(by, changes);
        void this.#limitHandshakes();
      },
      onRefused: (rows) => this.#refusals.add(...rows),
      onCharge: (by, address, ms) => {
        this.#debts.charge(address, ms);
        for (const other of this.#others(by)) other.remote.tell('charged', address, ms);
      },
      onHung: ({ pid }, seconds) =>
        this.#log.error(
          { worker: pid },
          `worker process (PID ${pid}) has not answered for ${seconds} s and is killed`,
        ),
    });
    this.#workers.add(worker);
    void worker.exited.then((exit) => this.#onExit(worker, exit));
    // Before it serves. An address that is refused would begin anew with each worker that dies.
    worker.remote.tell('owed', this.#debts.list());
    // It would try again otherwise, and warn of what the log has said already.
    if (this.#identityRefusedBy !== null) worker.remote.tell('identityRefused', this.#identityRefusedBy);
    await worker.start(this.#config, this.#addresses);
    this.#log.info({ worker: worker.pid }, `worker started with PID ${worker.pid}`);
  }

  #onExit(worker: WorkerProcess, exit: string): void {
    this.#workers.delete(worker);
    this.#shares.forget(worker);
    const lost = worker.forget();
    this.#countedByTheDead = this.#countedByTheDead.then((before) => addCounts([before, worker.metrics]));
    for (const { file, line, hits } of worker.ruleHits) this.#metrics.ruleHit(file, line, hits);
    if (this.#finishing) return;
    if (worker.startedAt !== null) {
      for (let index = 0; index < lost; index++) this.#metrics.connectionEnded('worker-lost');
      const line = { code: 'worker-lost', worker: worker.pid, sessions: lost } as const;
      const message = `worker process (PID ${worker.pid}) ${exit}`;
      this.#log.error(line, message);
      const row = refusalRow('worker-lost', line, message);
      if (row !== null) this.#refusals.add(row);
      if (performance.now() - worker.startedAt > GOOD_START_MS) this.#restartMs = FIRST_RESTART_MS;
    }
    this.#replaceLater();
  }

  /** One timer for all that are missing, so that workers that fail again and again cost one attempt each time. */
  #replaceLater(): void {
    if (this.#ending || this.#restartTimer !== null) return;
    this.#restartTimer = setTimeout(() => {
      this.#restartTimer = null;
      for (let missing = this.#missing; missing > 0; missing--) {
        this.#startWorker().catch((error: unknown) => {
          // A drain ends those that are still starting.
          if (this.#ending) return;
          this.#log.error(`could not start a worker: ${messageOf(error)}`);
          this.#replaceLater();
        });
      }
    }, this.#restartMs);
    this.#restartMs = Math.min(this.#restartMs * 2, MAX_RESTART_MS);
  }

  get #missing(): number {
    return this.#config.current.settings.workers - this.#workers.size;
  }

  /** max_handshakes is global: the connection to drop is chosen from those of all workers. */
  async #limitHandshakes(): Promise<void> {
    this.#toldAnew = true;
    if (this.#evicting) return;
    this.#evicting = true;
    // A worker may have told more than it had when it was asked. They would stay until the next number is told.
    while (this.#toldAnew) {
      this.#toldAnew = false;
      while (await this.#evictHandshake());
    }
    this.#evicting = false;
  }

  /**
   * Asks the workers anew, for what they have told may be old by now and one connection too many must not cost two.
   * Returns false when there are no more than the limit; where something else was told, the truth is under way.
   */
  async #evictHandshake(): Promise<boolean> {
    // The one in force: with many to drop, a reload may come before the last of them.
    const limit = this.#config.current.settings.max_handshakes;
    if (limit === 0 || this.#handshakes() <= limit) return false;
    const crowded = this.#shares.crowded(limit);
    const answers = await this.#askAll(async (worker) => ({
      worker,
      ...(await worker.remote.call('handshakes', crowded)),
    }));
    const count = answers.reduce((sum, answer) => sum + answer.count, 0);
    const first = answers
      .flatMap((answer) => (answer.first === null ? [] : [{ worker: answer.worker, ...answer.first }]))
      .toSorted((a, b) => a.rank - b.rank || b.silentMs - a.silentMs)[0];
    if (first === undefined || count <= limit) return false;
    await Promise.allSettled([first.worker.remote.call('evictHandshake', crowded)]);
    return true;
  }

  #handshakes(): number {
    return [...this.#workers].reduce((sum, worker) => sum + worker.handshakes, 0);
  }

  #others(than: WorkerProcess): readonly WorkerProcess[] {
    return [...this.#workers].filter((worker) => worker !== than);
  }

  /** What a worker other than `asking` knows of the key. A worker that hangs holds up nobody who has a session. */
  async #useKey(asking: WorkerProcess, pid: number, key: Buffer): Promise<KeyUse | null> {
    const others = this.#others(asking).filter(({ serves }) => serves);
    const answers = others.map(async (other) => {
      const found = await other.remote.call('useKey', pid, key);
      if (found === null) throw new Error('it has no session with that key');
      return found;
    });
    return await Promise.any(answers).catch(() => null);
  }

  /** The answers of every worker that serves. A worker that dies or hangs meanwhile is left out. */
  async #askAll<T>(ask: (worker: WorkerProcess) => Promise<T>): Promise<T[]> {
    const answers = await Promise.allSettled([...this.#workers].filter(({ serves }) => serves).map(ask));
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }
}
