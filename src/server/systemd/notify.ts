// Messages to the service manager (sd_notify(3)): ready, reloading, stopping, alive. Without NOTIFY_SOCKET none is sent. A
// gate does not fail when its service manager cannot be reached.

import { execFile } from 'node:child_process';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../telemetry/log.ts';

/** Longest wait for one notification to be delivered, in milliseconds. */
const DELIVERY_TIMEOUT_MS = 5_000;

/** Sends the assignments of one notification; rejects when that fails. */
export type Send = (assignments: readonly string[]) => Promise<void>;

/** The service manager, as far as the gate speaks to it. Every call returns at once; the order is kept. */
export interface ServiceManager {
  /** Started, or done with reloading. `status` is what `systemctl status` shows. */
  ready(status: string): void;
  reloading(): void;
  /** @param withinMs how long the end may take, so that the manager waits that long before it kills */
  stopping(status: string, withinMs: number): void;
  /** Stops the watchdog's messages; resolves when all that was said has been delivered. */
  close(): Promise<void>;
}

export interface ServiceManagerOptions {
  /** NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are read from it. */
  readonly env: NodeJS.ProcessEnv;
  readonly log: Pick<Logger, 'warn'>;
  /** Asked before each message of the watchdog: a gate whose processes do not serve stays silent. */
  readonly isAlive?: () => boolean;
  readonly send?: Send;
}

/** The service manager that started this process. Without one, every call does nothing. */
export function createServiceManager({
  env,
  log,
  send,
  isAlive = () => true,
}: ServiceManagerOptions): ServiceManager {
  if (!env['NOTIFY_SOCKET']) return new Notifier(async () => {}, null, log);
  const watchdog = new Watchdog(watchdogMs(env), isAlive);
  return new Notifier(send ?? systemdNotify, watchdog, log);
}

/** While it waits for the gate to be alive again it looks this often in each half of the time that is allowed. */
const LOOKS = 10;

/** Says when the manager must hear of the gate: in half the time that is allowed, as sd_watchdog_enabled(3) recommends. */
class Watchdog {
  readonly #periodMs: number | null;
  readonly #isAlive: () => boolean;
  #timer: NodeJS.Timeout | null = null;
  /** Checks since the last message. */
  #looks = 0;

  /** @param periodMs null = the manager has no watchdog */
  constructor(periodMs: number | null, isAlive: () => boolean) {
    this.#periodMs = periodMs;
    this.#isAlive = isAlive;
  }

  /** A process that hangs, or whose workers do not serve, sends nothing. One that is late sends as soon as it can. */
  start(tell: () => void): void {
    if (this.#periodMs === null) return;
    const look = (): void => {
      if (++this.#looks < LOOKS || !this.#isAlive()) return;
      this.#looks = 0;
      tell();
    };
    this.#timer = setInterval(look, this.#periodMs / 2 / LOOKS).unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }
}

/**
 * Node has no Unix datagram sockets, so systemd's own program sends. It is another process than the main one: the unit
 * needs `NotifyAccess=all`.
 */
async function systemdNotify(assignments: readonly string[]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    execFile('systemd-notify', assignments, { timeout: DELIVERY_TIMEOUT_MS }, (error) =>
      error === null ? resolve() : reject(error),
    );
  });
}

class Notifier implements ServiceManager {
  readonly #send: Send;
  readonly #log: Pick<Logger, 'warn'>;
  readonly #watchdog: Watchdog | null;
  #sent: Promise<void> = Promise.resolve();
  #complained = false;

  constructor(send: Send, watchdog: Watchdog | null, log: Pick<Logger, 'warn'>) {
    this.#send = send;
    this.#log = log;
    this.#watchdog = watchdog;
    watchdog?.start(() => this.#tell('WATCHDOG=1'));
  }

  ready(status: string): void {
    this.#tell('READY=1', `STATUS=${status}`);
  }

  reloading(): void {
    // Type=notify-reload matches the answer to its signal by the time on CLOCK_MONOTONIC, which is hrtime's.
    const now = process.hrtime.bigint() / 1000n;
    this.#tell('RELOADING=1', `MONOTONIC_USEC=${now}`, 'STATUS=reloading configuration files');
  }

  stopping(status: string, withinMs: number): void {
    this.#tell('STOPPING=1', `EXTEND_TIMEOUT_USEC=${Math.ceil(withinMs * 1000)}`, `STATUS=${status}`);
  }

  async close(): Promise<void> {
    this.#watchdog?.stop();
    await this.#sent;
  }

  #tell(...assignments: readonly string[]): void {
    this.#sent = this.#sent
      .then(async () => await this.#send(assignments.map(oneLine)))
      .catch((error: unknown) => this.#complain(error));
  }

  /** Logs once. A missing program stays missing, and the watchdog would repeat the line for ever. */
  #complain(error: unknown): void {
    if (this.#complained) return;
    this.#complained = true;
    this.#log.warn(`could not notify the service manager: ${messageOf(error).trim()}`);
  }
}

/** A line break would end the assignment and begin another. */
function oneLine(assignment: string): string {
  return assignment.replaceAll(/\s+/g, ' ');
}

/** The period of the manager's watchdog for this process, in milliseconds. Null = it has none. */
function watchdogMs({ WATCHDOG_USEC, WATCHDOG_PID }: NodeJS.ProcessEnv): number | null {
  const microseconds = Number(WATCHDOG_USEC ?? 0);
  const meantForUs = !WATCHDOG_PID || Number(WATCHDOG_PID) === process.pid;
  return meantForUs && microseconds > 0 ? microseconds / 1000 : null;
}
