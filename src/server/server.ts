// The gate from its configuration to its end. It loads, starts what serves the clients, opens the admin listener, watches
// its files, reloads and drains.

import type { GateStatus, GateView } from '../admin/gate-view.ts';
import { createAdminServer, createStatusServer, type AdminServer } from '../admin/server.ts';
import type { ClientService } from './client-service.ts';
import { certificatesInUse } from '../config/certificates-in-use.ts';
import type { Overrides } from '../config/overrides.ts';
import type { Settings } from '../config/schema.ts';
import { ConfigHolder, loadSnapshot, type Reload, type ReloadResult } from '../config/snapshot.ts';
import { createWatcher, type Watcher } from '../config/watch.ts';
import { createExpiryCheck } from './expiry-check.ts';
import { formatProblem, LoadError, type Problem } from '../base/problems.ts';
import { Workers } from './workers/workers.ts';
import { ServingProcess } from './serving-process.ts';
import type { ListenAddress } from './listen.ts';
import { createLogger, logNodeWarnings, setLogFormat, type Logger } from '../telemetry/log.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { Dialer } from '../session/dial.ts';
import { SaltedPasswords } from '../auth/scram-keys.ts';
import { Catalog } from '../catalog/catalog.ts';
import { createServiceManager, type ServiceManager } from './systemd/notify.ts';
import { passedSockets } from './systemd/sockets.ts';
import { UpstreamHealth } from './upstream-health.ts';
import type { ConsoleView } from '../console/console-view.ts';
import { createConsoleView } from './console-view.ts';
import { reloadedText } from './reload-changes.ts';
import { createGateView, isAlive } from './gate-view.ts';
import { withTimeout } from '../base/with-timeout.ts';
import { endPassphraseCommands } from '../tls/material/passphrase.ts';

export interface ServerOptions {
  /** Path of the YAML file. */
  readonly configFile: string;
  /** What goes over it. */
  readonly overrides?: Overrides;
  /** Where the log goes; stdout by default. */
  readonly log?: Logger;
}

/** A gate that serves. */
export interface RunningServer {
  /** Where clients connect, with real ports. */
  readonly addresses: readonly ListenAddress[];
  reload(): Promise<ReloadResult>;
  /** Logs a signal that the gate ignores. */
  ignoreSignal(signal: string): void;
  /**
   * Ends the gate. A second call can make it faster, not slower.
   *
   * - `drain`: new clients are told 57P03, sessions may finish for shutdown_timeout and are then told 57P01.
   * - `fast`: sessions are told 57P01 at once.
   */
  stop(how: 'drain' | 'fast'): Promise<void>;
}

/**
 * Starts a gate.
 *
 * @throws LoadError with everything that is wrong with the configuration, or where it cannot listen
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const loaded = await loadSnapshot(options.configFile, options.overrides);
  const { settings } = loaded.snapshot;
  setLogFormat(settings.log_format);
  const log = options.log ?? createLogger(settings.log_level);
  logNodeWarnings(log);
  for (const warning of loaded.warnings) logWarning(log, warning);
  return await Server.start(new ConfigHolder(loaded), log);
}

/** What a gate is made of. */
interface ServerParts {
  readonly config: ConfigHolder;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly service: ClientService;
  /** For the health probe and the catalogue. Sessions are dialled by those of the processes that serve them. */
  readonly dialer: Dialer;
  readonly health: UpstreamHealth;
  readonly catalog: Catalog;
}

/** How long the end may take after shutdown_timeout, in milliseconds, before the service manager kills the gate. */
const END_TAKES_MS = 10_000;

class Server implements RunningServer {
  readonly #config: ConfigHolder;
  readonly #log: Logger;
  readonly #metrics: Metrics;
  readonly #service: ClientService;
  readonly #dialer: Dialer;
  readonly #catalog: Catalog;
  readonly #manager: ServiceManager;
  readonly #view: GateView;
  readonly #consoleView: ConsoleView;
  #admin: AdminServer | null = null;
  #status: Pick<AdminServer, 'url' | 'close'> | null = null;
  #watcher: Watcher | null = null;
  #stopLooking: (() => void) | null = null;
  #draining = false;
  #hasten: (() => void) | null = null;
  #stopped: Promise<void> | null = null;
  #lastReload: GateStatus['lastReload'] = null;
  /** The load that is asked for or runs, and what follows it; null = none, or it is in force. */
  #loading: { readonly load: Promise<Reload>; readonly done: Promise<ReloadResult> } | null = null;

  static async start(config: ConfigHolder, log: Logger): Promise<Server> {
    const metrics = createMetrics();
    let service: ClientService | null = null;
    const dialer = new Dialer(() => service?.addresses ?? []);
    const health = new UpstreamHealth(dialer);
    const catalog = new Catalog({ config, dialer, salted: new SaltedPasswords(), log });
    let server: Server | null = null;
    const view = (): ConsoleView => {
      if (server === null) throw new Error('the gate is starting');
      return server.#consoleView;
    };
    try {
      service = await startService({ config, log, metrics, health, catalog, view });
      server = new Server({ config, log, metrics, service, dialer, health, catalog });
      await server.#open();
    } catch (error) {
      catalog.close();
      await service?.finish();
      throw error;
    }
    return server;
  }

  private constructor({ config, log, metrics, service, dialer, health, catalog }: ServerParts) {
    this.#config = config;
    this.#log = log;
    this.#metrics = metrics;
    this.#service = service;
    this.#dialer = dialer;
    this.#catalog = catalog;
    this.#view = createGateView({
      service,
      config,
      metrics,
      health,
      reload: async () => await this.reload(),
      lastReload: () => this.#lastReload,
      draining: () => this.#draining,
    });
    this.#consoleView = createConsoleView({
      view: this.#view,
      service,
      config,
      draining: () => this.#draining,
    });
    this.#manager = createServiceManager({
      env: process.env,
      log,
      isAlive: () => isAlive(service),
    });
  }

  get addresses(): readonly ListenAddress[] {
    return this.#service.addresses;
  }

  async #open(): Promise<void> {
    const { settings } = this.#config.current;
    this.#showSnapshot();
    this.#metrics.loaded(Date.now() / 1000);
    await this.#openAdmin(settings);
    this.#watcher = createWatcher(this.#config, { onChange: async () => await this.reload() });
    this.#stopLooking = createExpiryCheck(
      () => certificatesInUse(this.#config.current),
      (problem) => logWarning(this.#log, problem),
    );
    this.#log.info({ addresses: this.addresses }, 'ready to accept connections');
    this.#manager.ready(this.#statusText());
  }

  async #openAdmin(settings: Settings): Promise<void> {
    const onError = (error: unknown): void =>
      this.#log.error({ err: error }, 'admin listener: a request failed');
    if (settings.admin.listen !== '') {
      const tls = this.#config.current.adminTls;
      this.#admin = await createAdminServer(this.#view, settings, { onError, tls });
      this.#log.info({ url: this.#admin.url }, `admin listener on ${this.#admin.url}`);
    }
    if (settings.admin.status_listen === '') return;
    try {
      this.#status = await createStatusServer(this.#view, settings, { onError });
    } catch (error) {
      await this.#admin?.close();
      throw error;
    }
    this.#log.info({ url: this.#status.url }, `status listener on ${this.#status.url}`);
  }

  async reload(): Promise<ReloadResult> {
    this.#log.info('reloading configuration files');
    // For each who asks: the service manager waits for one that is later than its signal.
    if (!this.#draining) this.#manager.reloading();
    const load = this.#config.reload();
    // Those who share a load share what follows. It would be logged and counted once for each of them otherwise.
    if (this.#loading?.load !== load) this.#loading = { load, done: this.#takeOver(load) };
    return await this.#loading.done;
  }

  /** Puts in force what a load has brought, and says so. */
  async #takeOver(load: Promise<Reload>): Promise<ReloadResult> {
    const { before, after, ...result } = await load.finally(() => this.#forget(load));
    this.#watcher?.reloaded();
    // The probe and the catalogue follow a name that leads elsewhere now, as sessions do. They would speak for a server
    // that no session reaches otherwise.
    this.#dialer.load(this.#config.current.settings);
    this.#catalog.load();
    void this.#catalog.follow();
    await this.#service.adopt();
    for (const warning of result.warnings) logWarning(this.#log, warning);
    for (const problem of result.errors) logProblem(this.#log, 'error', problem);
    for (const text of result.notReloaded) this.#log.error(text);
    this.#log.info({ reloaded: result.reloaded }, await reloadedText(before, after));
    this.#showSnapshot();
    const { adminTls } = this.#config.current;
    // Node reads the lists again for it: only where there is something new.
    if (adminTls !== null && after.tls.value.admin !== before.tls.value.admin) this.#admin?.renew(adminTls);
    this.#metrics.reload(result.ok ? 'success' : 'failure', Date.now() / 1000);
    this.#lastReload = { at: new Date(), ok: result.ok, errors: result.errors };
    if (!this.#draining) this.#manager.ready(this.#statusText());
    return result;
  }

  /** A load that is over is shared no more. It would keep the state before it in memory. */
  #forget(load: Promise<Reload>): void {
    if (this.#loading?.load === load) this.#loading = null;
  }

  ignoreSignal(signal: string): void {
    this.#log.info(`received ${signal}: ignored`);
  }

  /** One line for `systemctl status`. */
  #statusText(): string {
    const [problem] = this.#lastReload?.errors ?? [];
    return problem === undefined
      ? 'ready to accept connections'
      : `ready to accept connections; last reload failed: ${problem.message}`;
  }

  /** Metrics that show what is in force. */
  #showSnapshot(): void {
    const { settings, hash } = this.#config.current;
    const { certificates, crls } = certificatesInUse(this.#config.current);
    this.#metrics.limits(settings);
    this.#metrics.certificates(certificates, crls);
    this.#metrics.configInfo(hash);
  }

  async stop(how: 'drain' | 'fast'): Promise<void> {
    if (how === 'fast' && this.#hasten !== null) {
      this.#log.info(endingText('fast', this.#service.sessionCount, 0));
      this.#hasten();
    }
    this.#stopped ??= this.#drain(how);
    await this.#stopped;
  }

  async #drain(how: 'drain' | 'fast'): Promise<void> {
    this.#draining = true;
    const { shutdown_timeout: shutdownTimeoutMs } = this.#config.current.settings;
    this.#watcher?.stop();
    this.#stopLooking?.();
    const waitMs = how === 'fast' ? 0 : shutdownTimeoutMs;
    const sessions = this.#service.sessionCount;
    const text = endingText(how, sessions, waitMs);
    this.#log.info({ sessions }, text);
    this.#manager.stopping(text, waitMs + END_TAKES_MS);
    await withTimeout(this.#service.drain(), waitMs, (hasten) => (this.#hasten = hasten));
    await this.#service.finish();
    this.#catalog.close();
    await this.#admin?.close();
    await this.#status?.close();
    await this.#manager.close();
    // A reload may wait for one of them. What it brings is of no use any more.
    endPassphraseCommands();
    this.#log.info('stopped');
  }
}

/** What is about to happen to how many sessions; the time is UTC, as in every line of the log. */
function endingText(how: 'drain' | 'fast', sessions: number, waitMs: number): string {
  const count = `${sessions} ${sessions === 1 ? 'session' : 'sessions'}`;
  if (how === 'fast') return `stopping: ${count} will be ended at once`;
  return `draining: ${count}, until ${new Date(Date.now() + waitMs).toISOString().slice(11, 19)}`;
}

/** This process itself, or as many workers as the settings want. */
async function startService({
  config,
  log,
  metrics,
  health,
  catalog,
  view,
}: Omit<ServerParts, 'service' | 'dialer'> & { readonly view: () => ConsoleView }): Promise<ClientService> {
  const { settings } = config.current;
  const upstreamUp = (): boolean | null => health.last;
  const passed = passedSockets(process.env);
  if (settings.workers > 1) {
    if (passed.length > 0) throw socketsForOneProcessOnly(settings);
    let workers: Workers | null = null;
    metrics.bindGauges({
      sessions: () => 0,
      handshakesInProgress: () => 0,
      bannedAddresses: () => workers?.bannedAddresses ?? 0,
      sessionsNoLongerAdmitted: () => 0,
      upstreamUp,
      catalog: () => catalog.health,
    });
    workers = await Workers.start({ config, log, metrics, catalog, view });
    return workers;
  }
  const gate = new ServingProcess({ config, log, metrics, catalog, view });
  metrics.bindGauges({
    sessions: () => gate.live.size,
    handshakesInProgress: () => gate.strangers.handshakes.size,
    bannedAddresses: () => gate.bannedAddresses,
    sessionsNoLongerAdmitted: () => gate.noLongerAdmitted,
    upstreamUp,
    catalog: () => catalog.health,
  });
  await gate.listen({ settings, log, passed });
  return gate;
}

/** Workers share a port by SO_REUSEPORT, each with a socket of its own. A socket that systemd passed is only one. */
function socketsForOneProcessOnly(settings: Settings): LoadError {
  const message = 'sockets passed by the service manager can be used with workers: 1 only';
  const hint = 'Set workers to 1, or let the gate open its sockets itself, without a .socket unit.';
  const { file, line } = settings.placeOf('workers');
  return new LoadError([{ file, line, message, hint }]);
}

function logWarning(log: Logger, problem: Problem): void {
  logProblem(log, problem.level ?? 'warn', problem);
}

function logProblem(log: Logger, level: 'warn' | 'error', problem: Problem): void {
  const { file, line, column, detail, hint } = problem;
  log[level](
    { file, line, ...(column ? { column } : {}), ...(detail ? { detail } : {}), ...(hint ? { hint } : {}) },
    problem.message,
  );
}

/** Everything wrong with a configuration, as text for the terminal. */
export function describeLoadError(error: LoadError): string {
  return error.problems.map((problem) => `${formatProblem(problem)}\n`).join('');
}
