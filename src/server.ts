// The gate of one process, from its configuration to its end: loads, listens, accepts, reloads, drains.

import type { Socket } from 'node:net';
import type { GateStatus } from './admin/gate-view.ts';
import { createAdminServer, type AdminServer } from './admin/server.ts';
import { ConfigHolder, loadSnapshot, type ReloadResult } from './config/snapshot.ts';
import { createWatcher } from './config/watch.ts';
import { formatProblem, GatehouseError, LoadError, type Problem } from './errors.ts';
import type { Gate } from './gate.ts';
import { openListeners, type ListenAddress, type Listeners } from './listen.ts';
import { createLogger, type Logger } from './log.ts';
import { createMetrics } from './metrics.ts';
import { rejudgeSessions } from './rejudge.ts';
import { serveConnection } from './session/connection.ts';
import { Handshakes } from './session/handshakes.ts';
import { Sessions, terminatedByAdministrator } from './session/registry.ts';
import { UpstreamHealth } from './upstream-health.ts';
import { createGateView } from './view.ts';

export interface ServerOptions {
  /** Path of the YAML file. */
  readonly configFile: string;
  /** Where the log goes; stdout by default. */
  readonly log?: Logger;
}

/** A gate that serves. */
export interface RunningServer {
  /** Where clients connect, with real ports. */
  readonly addresses: readonly ListenAddress[];
  /** The admin listener's URL; null = off. */
  readonly adminUrl: string | null;
  reload(): Promise<ReloadResult>;
  /**
   * Ends the gate; a second call may only hasten.
   *
   * - `drain`: new clients are told 57P03, sessions may finish for shutdown_timeout and are then told 57P01.
   * - `fast`: sessions are told 57P01 at once.
   */
  stop(how: 'drain' | 'fast'): Promise<void>;
}

/** After the last session's 57P01 the process waits this long for clients to take it, in milliseconds. */
const LAST_WORDS_MS = 2_000;

/**
 * Starts a gate.
 *
 * @throws LoadError with everything that is wrong with the configuration, or where it cannot listen
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const loaded = await loadSnapshot(options.configFile);
  const log = options.log ?? createLogger(loaded.snapshot.settings.logLevel);
  for (const warning of loaded.warnings) logProblem(log, 'warn', warning);
  return await Server.start(new ConfigHolder(loaded), log);
}

class Server implements RunningServer {
  readonly #config: ConfigHolder;
  readonly #log: Logger;
  readonly #metrics = createMetrics();
  readonly #handshakes = new Handshakes();
  readonly #sessions = new Sessions();
  readonly #health = new UpstreamHealth();
  /** Accepted connections, by their sockets, until each is over. */
  readonly #connections = new Map<Socket, Promise<void>>();
  readonly #gate: Gate;
  #listeners: Listeners | null = null;
  #admin: AdminServer | null = null;
  #stopWatching: (() => void) | null = null;
  #draining = false;
  #hasten: (() => void) | null = null;
  #stopped: Promise<void> | null = null;
  #rejudging: Promise<void> = Promise.resolve();
  #lastReload: GateStatus['lastReload'] = null;
  #lastConnection = 0;

  static async start(config: ConfigHolder, log: Logger): Promise<Server> {
    const server = new Server(config, log);
    await server.#open();
    return server;
  }

  private constructor(config: ConfigHolder, log: Logger) {
    this.#config = config;
    this.#log = log;
    this.#gate = {
      log,
      metrics: this.#metrics,
      handshakes: this.#handshakes,
      sessions: this.#sessions,
      snapshot: () => config.current,
      draining: () => this.#draining,
      nextId: () => `${process.pid}-${++this.#lastConnection}`,
    };
  }

  get addresses(): readonly ListenAddress[] {
    return this.#listeners?.addresses ?? [];
  }

  get adminUrl(): string | null {
    return this.#admin?.url ?? null;
  }

  async #open(): Promise<void> {
    const { settings } = this.#config.current;
    this.#metrics.bindGauges({
      sessions: () => this.#sessions.size,
      handshakesInProgress: () => this.#handshakes.size,
      upstreamUp: () => this.#health.last,
      sessionsNoLongerAdmitted: () =>
        [...this.#sessions].filter((session) => session.noLongerAdmitted).length,
    });
    this.#showSnapshot();
    this.#metrics.reload('success', Date.now() / 1000);
    const gate = this.#gate;
    this.#listeners = await openListeners(settings, this.#log, (raw) => {
      const over = serveConnection(raw, gate).finally(() => this.#connections.delete(raw));
      this.#connections.set(raw, over);
    });
    try {
      if (settings.admin.listen !== '') {
        const view = createGateView({
          gate,
          config: this.#config,
          health: this.#health,
          reload: () => this.reload(),
          lastReload: () => this.#lastReload,
        });
        const onError = (error: unknown): void =>
          this.#log.error({ err: error }, 'admin listener: a request failed');
        this.#admin = await createAdminServer(view, settings, { onError });
        this.#log.info({ url: this.#admin.url }, `admin listener on ${this.#admin.url}`);
      }
    } catch (error) {
      this.#listeners.close();
      throw error;
    }
    const watcher = createWatcher(this.#config, { onChange: async () => await this.reload() });
    this.#stopWatching = () => watcher.stop();
    this.#log.info({ addresses: this.#listeners.addresses }, 'ready to accept connections');
  }

  async reload(): Promise<ReloadResult> {
    this.#log.info('reloading configuration files');
    const result = await this.#config.reload();
    for (const warning of result.warnings) logProblem(this.#log, 'warn', warning);
    for (const problem of result.errors) logProblem(this.#log, 'error', problem);
    for (const text of result.notReloaded) this.#log.error(text);
    this.#log.level = this.#config.current.settings.logLevel;
    this.#showSnapshot();
    this.#metrics.reload(result.ok ? 'success' : 'failure', Date.now() / 1000);
    this.#rejudge();
    this.#lastReload = { at: new Date(), ok: result.ok, errors: result.errors };
    return result;
  }

  /** Goes on while new connections are served; one reload's judgement after another. */
  #rejudge(): void {
    const snapshot = this.#config.current;
    this.#rejudging = this.#rejudging
      .then(() => rejudgeSessions(this.#gate, snapshot))
      .catch((error: unknown) => this.#log.error({ err: error }, 'could not judge the sessions again'));
  }

  /** Metrics that show what is in force. */
  #showSnapshot(): void {
    const { settings, tls, rules, hash } = this.#config.current;
    this.#metrics.limits(settings);
    this.#metrics.rules(rules.records);
    this.#metrics.certificates(tls?.certificates ?? [], tls?.crls ?? []);
    this.#metrics.configInfo(hash);
  }

  async stop(how: 'drain' | 'fast'): Promise<void> {
    if (how === 'fast') this.#hasten?.();
    this.#stopped ??= this.#drain(how);
    await this.#stopped;
  }

  async #drain(how: 'drain' | 'fast'): Promise<void> {
    this.#draining = true;
    const { shutdownTimeoutMs } = this.#config.current.settings;
    this.#log.info(how === 'fast' ? 'received fast shutdown request' : 'received smart shutdown request');
    this.#stopWatching?.();
    const waitMs = how === 'fast' ? 0 : shutdownTimeoutMs;
    await orAfter(this.#sessions.empty(), waitMs, (hasten) => (this.#hasten = hasten));
    for (const session of this.#sessions) session.end(terminatedByAdministrator('the gate is shutting down'));
    this.#handshakes.endAll(
      new GatehouseError('shutting-down', { reply: 'the database system is shutting down' }),
    );
    this.#listeners?.close();
    await orAfter(Promise.allSettled(this.#connections.values()), LAST_WORDS_MS, () => {});
    for (const raw of this.#connections.keys()) raw.destroy();
    await this.#admin?.close();
    this.#log.info('database system is shut down');
  }
}

/** Waits for `promise`, `ms` milliseconds, or until what `onStart` was given is called. */
async function orAfter(
  promise: Promise<unknown>,
  ms: number,
  onStart: (hasten: () => void) => void,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
    onStart(resolve);
  });
  await Promise.race([promise, elapsed]);
  clearTimeout(timer);
}

function logProblem(log: Logger, level: 'warn' | 'error', problem: Problem): void {
  const { file, line, detail, hint } = problem;
  log[level]({ file, line, ...(detail ? { detail } : {}), ...(hint ? { hint } : {}) }, problem.message);
}

/** Everything wrong with a configuration, as text for the terminal. */
export function describeLoadError(error: LoadError): string {
  return error.problems.map((problem) => `${formatProblem(problem)}\n`).join('');
}
