// One worker as the first process knows it: its channel, whether it answers, and what it has taken from the common
// limits.

import type { ChildProcess } from 'node:child_process';
import { packState, type SentState } from '../../config/handover.ts';
import type { ConfigHolder, Parts } from '../../config/snapshot.ts';
import type { Catalog } from '../../catalog/catalog.ts';
import type { ConsoleView } from '../../console/console-view.ts';
import type { ListenAddress } from '../listen.ts';
import type { MetricsJson, RuleHits } from '../../telemetry/metrics.ts';
import type { RefusalRow } from '../../telemetry/refusals.ts';
import type { BanTable } from '../../session/bans.ts';
import type { SessionCount } from '../../session/quota.ts';
import type { KeyUse } from '../../session/sessions.ts';
import type { TriedSessions, WorkerRow } from '../client-service.ts';
import { withTimeout } from '../../base/with-timeout.ts';
import type { PrimaryMethods, WorkerMethods } from './methods.ts';
import { Remote, type Limits } from './rpc.ts';

/** How often a worker is asked whether it answers, in milliseconds. */
const BEAT_MS = 1_000;

/** After this many beats without an answer a worker counts as not serving. */
const SILENT_BEATS = 3;

/** After this many beats without an answer it is killed. */
const HUNG_BEATS = 10;

/** What a worker may take to answer, in milliseconds. */
const LIMITS: Limits<WorkerMethods> = {
  // Node has to come up, and long rules are read; a machine may be busy.
  start: 30_000,
  adopt: 30_000,
  // Whether it hangs is for the beats to say: a late answer is one too.
  ping: 60_000,
  // Longer than the judging itself may take.
  trySessions: 30_000,
  // Thousands of sessions end one after another.
  terminateAll: 30_000,
  // Clients have some seconds to take their last words.
  finish: 8_000,
  otherwise: 2_000,
};

/** After its last answer a worker that ends is gone within this time, in milliseconds. */
const EXIT_MS = 2_000;

export interface WorkerOptions {
  /** Of all workers. */
  readonly count: SessionCount;
  /** Of all workers. */
  readonly bans: BanTable;
  readonly useKey: (asking: WorkerProcess, pid: number, key: Buffer) => Promise<KeyUse | null>;
  readonly onUnknownKey: (by: WorkerProcess, address: string) => void;
  readonly onIdentityRefused: (by: WorkerProcess, upstream: string) => void;
  readonly nextConsolePid: () => number;
  /** What a console sees. It is there once the gate serves. */
  readonly view: () => ConsoleView;
  /** The upstream's catalogue, which workers ask by way of the first process. */
  readonly catalog: Catalog;
  /** The number of the worker's unadmitted connections has changed, and that of these addresses among them. */
  readonly onHandshakes: (by: WorkerProcess, changes: ReadonlyMap<string, number>) => void;
  readonly onRefused: (rows: readonly RefusalRow[]) => void;
  /** It has charged an address for a failed opening. */
  readonly onCharge: (by: WorkerProcess, address: string, ms: number) => void;
  /** It has not answered for so long that it is killed. */
  readonly onHung: (worker: WorkerProcess, seconds: number) => void;
}

/** The view as a worker asks for it. */
function viewMethods(view: () => ConsoleView): Omit<ConsoleView, 'version'> {
  return {
    sessions: async () => await view().sessions(),
    settings: async () => await view().settings(),
    rows: async (table) => await view().rows(table),
    ruleCount: async () => await view().ruleCount(),
    draining: async () => await view().draining(),
    reload: async () => await view().reload(),
    terminate: async (id) => await view().terminate(id),
    cancel: async (id) => await view().cancel(id),
    drain: async () => await view().drain(),
  };
}

/** The catalogue as a worker asks it. */
function catalogMethods(catalog: Catalog): Pick<PrimaryMethods, 'memberships' | 'secretOf'> {
  return {
    memberships: async (key, knownVersion) => {
      const { roles, version, askedAt } = await catalog.datedMemberships(key);
      const sent = version === knownVersion ? null : roles;
      return { roles: sent, version, ageMs: performance.now() - askedAt };
    },
    secretOf: async (user, asker, key) => await catalog.secretByKey(user, asker, key),
  };
}

export class WorkerProcess {
  readonly remote: Remote<WorkerMethods>;
  readonly pid: number;
  /** Resolves with a text that says how it ended. */
  readonly exited: Promise<string>;
  /** Resolves when it has no session left after `drain`. */
  readonly drained: Promise<void>;
  /** performance.now() once it listens. */
  startedAt: number | null = null;
  /** Its unadmitted connections, as last told. */
  handshakes = 0;
  /** Its metrics as last asked for. They are what is left of it when it dies. */
  metrics: MetricsJson = [];
  ruleHits: readonly RuleHits[] = [];
  readonly #child: ChildProcess;
  readonly #count: SessionCount;
  readonly #bans: BanTable;
  readonly #onHung: WorkerOptions['onHung'];
  /** Its sessions, by client address. */
  readonly #sessions = new Map<string, number>();
  /** The addresses of its guesses under way, one entry each. */
  readonly #guesses: string[] = [];
  #isForgotten = false;
  /** What it was sent last. */
  #parts: Parts | null = null;
  #beat: NodeJS.Timeout | null = null;
  #awaitsAnswer = false;
  /** Beats since its last answer. */
  #missed = 0;

  constructor(child: ChildProcess, options: WorkerOptions) {
    this.#child = child;
    this.#count = options.count;
    this.#bans = options.bans;
    this.#onHung = options.onHung;
    this.pid = child.pid ?? 0;
    this.exited = new Promise((resolve) => {
      // Each failure to send is an `error` too, so there may be several.
      child.on('error', (error) => {
        if (child.pid === undefined) resolve(`could not be started: ${error.message}`);
      });
      child.once('exit', (code, signal) =>
        resolve(signal === null ? `exited with exit code ${code}` : `was terminated by signal ${signal}`),
      );
    });
    void this.exited.then(() => this.#stopBeating());
    const { promise: drained, resolve: onDrained } = Promise.withResolvers<void>();
    this.drained = drained;
    this.remote = new Remote(child, this.#methods(options, onDrained), LIMITS);
  }

  /** What it may call here. */
  #methods(options: WorkerOptions, onDrained: () => void): PrimaryMethods {
    const { count, bans, useKey, onUnknownKey, nextConsolePid, view } = options;
    return {
      check: (address, limits) => count.exhausted(address, limits),
      take: (address, limits) => {
        const exhausted = count.exhausted(address, limits);
        if (exhausted === null) this.#add(address);
        return exhausted;
      },
      add: (address) => this.#add(address),
      refusesAddress: (address) => bans.refuses(address),
      guess: async (address, limits) => {
        const turn = await bans.guess(address, limits);
        if (turn !== 'go') return turn;
        // It may have died meanwhile: nothing would give the turn back.
        if (this.#isForgotten) bans.ended(address);
        else this.#guesses.push(address);
        return turn;
      },
      guessEnded: (address) => {
        const index = this.#guesses.indexOf(address);
        if (index === -1) return;
        this.#guesses.splice(index, 1);
        bans.ended(address);
      },
      authenticationFailed: (address, limits) => bans.failed(address, limits),
      authenticationSucceeded: (address) => bans.succeeded(address),
      release: (address) => this.#release(address),
      handshakes: (size, changes) => {
        this.handshakes = size;
        options.onHandshakes(this, changes);
      },
      charge: (address, ms) => options.onCharge(this, address, ms),
      refused: options.onRefused,
      drained: onDrained,
      useKey: async (pid, key) => await useKey(this, pid, key),
      unknownKey: (address) => onUnknownKey(this, address),
      identityRefused: (upstream) => options.onIdentityRefused(this, upstream),
      nextConsolePid,
      ...viewMethods(view),
      ...catalogMethods(options.catalog),
    };
  }

  /** As the console shows it. */
  get row(): WorkerRow {
    const sessions = [...this.#sessions.values()].reduce((sum, count) => sum + count, 0);
    const state = this.serves ? 'serving' : this.startedAt === null ? 'starting' : 'silent';
    return { pid: this.pid, sessions, handshakes: this.handshakes, state };
  }

  /** It listens and answers. */
  get serves(): boolean {
    return this.startedAt !== null && this.#missed < SILENT_BEATS;
  }

  /**
   * Hands the state over and has it listen.
   *
   * @throws Error when it does not; it is killed then, and gone
   */
  async start(
    config: Pick<ConfigHolder, 'current' | 'parts'>,
    addresses: readonly ListenAddress[],
  ): Promise<void> {
    const ended = this.exited.then((exit): never => {
      throw new Error(`worker process (PID ${this.pid}) ${exit}`);
    });
    ended.catch(() => undefined);
    try {
      await Promise.race([this.remote.call('start', this.#pack(config), addresses), ended]);
    } catch (error) {
      this.kill();
      await this.exited;
      throw error;
    }
    this.startedAt = performance.now();
    this.#beat = setInterval(() => this.#onBeat(), BEAT_MS);
  }

  /**
   * Hands the state over; when it resolves, the worker decides by it or by none.
   *
   * @throws Error when the worker could not take it. SECURITY: it is killed then, because it would go on by the state
   *   before, with rules and certificates that everyone believes gone.
   */
  async adopt(config: Pick<ConfigHolder, 'current' | 'parts'>): Promise<void> {
    try {
      await this.remote.call('adopt', this.#pack(config));
    } catch (error) {
      this.kill();
      await this.exited;
      throw error;
    }
  }

  /** What its sessions are by a state that is not to be in force. @throws Error when it does not answer */
  async trySessions({ current, parts }: Pick<ConfigHolder, 'current' | 'parts'>): Promise<TriedSessions> {
    // Its memory of what it has stays as it is: only a state that it puts in force counts there.
    return await this.remote.call('trySessions', packState(parts, current, this.#parts));
  }

  /** Ends it in order where it answers, else by SIGKILL. */
  async finish(): Promise<void> {
    await this.remote.call('finish').catch(() => this.kill());
    await withTimeout(this.exited, EXIT_MS);
    this.kill();
    await this.exited;
  }

  /** Ends it at once by SIGKILL. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #pack({ current, parts }: Pick<ConfigHolder, 'current' | 'parts'>): SentState {
    const state = packState(parts, current, this.#parts);
    this.#parts = parts;
    return state;
  }

  /**
   * Counts beats, not time: a machine that was asleep, or this process stopped, has missed answers of its own, and one
   * beat later they are here.
   */
  #onBeat(): void {
    if (!this.#awaitsAnswer) {
      void this.#ping();
      return;
    }
    this.#missed++;
    if (this.#missed !== HUNG_BEATS) return;
    this.#onHung(this, (HUNG_BEATS * BEAT_MS) / 1000);
    this.kill();
  }

  async #ping(): Promise<void> {
    this.#awaitsAnswer = true;
    try {
      await this.remote.call('ping');
    } catch {
      return; // it is gone, or will be at one of the next beats
    }
    this.#awaitsAnswer = false;
    this.#missed = 0;
  }

  #stopBeating(): void {
    if (this.#beat !== null) clearInterval(this.#beat);
  }

  /** Gives back everything it held; returns how many sessions those were. */
  forget(): number {
    this.handshakes = 0;
    let sessions = 0;
    for (const [address, count] of this.#sessions) {
      sessions += count;
      for (let index = 0; index < count; index++) this.#count.remove(address);
    }
    this.#sessions.clear();
    this.#isForgotten = true;
    for (const address of this.#guesses.splice(0)) this.#bans.ended(address);
    return sessions;
  }

  #add(address: string): void {
    this.#count.add(address);
    this.#sessions.set(address, (this.#sessions.get(address) ?? 0) + 1);
  }

  #release(address: string): void {
    this.#count.remove(address);
    const left = (this.#sessions.get(address) ?? 1) - 1;
    if (left === 0) this.#sessions.delete(address);
    else this.#sessions.set(address, left);
  }
}
