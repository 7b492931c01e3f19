// One worker as the first process knows it: its channel, and what it has taken from the common limits.

import type { ChildProcess } from 'node:child_process';
import type { MetricsJson, RuleHits } from '../metrics.ts';
import type { SessionCount } from '../session/quota.ts';
import type { PrimaryMethods, WorkerMethods } from './methods.ts';
import { Remote } from './rpc.ts';

export interface WorkerOptions {
  /** Of all workers. */
  readonly count: SessionCount;
  readonly hasCancelKey: (asking: WorkerProcess, pid: number, key: Buffer) => Promise<boolean>;
  /** The number of the worker's unadmitted connections has changed. */
  readonly onHandshakes: () => void;
  /** It has charged an address for a failed opening. */
  readonly onCharge: (by: WorkerProcess, address: string, ms: number) => void;
}

export class WorkerProcess {
  readonly remote: Remote<WorkerMethods>;
  readonly pid: number;
  /** Resolves with how it ended, in words. */
  readonly exited: Promise<string>;
  /** performance.now() once it listens. */
  startedAt: number | null = null;
  /** Its unadmitted connections, as last told. */
  handshakes = 0;
  /** What it has counted, as last asked for: all that is known of it once it is dead. */
  metrics: MetricsJson = [];
  ruleHits: readonly RuleHits[] = [];
  readonly #count: SessionCount;
  /** Its sessions, by client address. */
  readonly #sessions = new Map<string, number>();

  constructor(child: ChildProcess, { count, hasCancelKey, onHandshakes, onCharge }: WorkerOptions) {
    this.#count = count;
    this.pid = child.pid ?? 0;
    this.exited = new Promise((resolve) => {
      // Every one: an error event that nobody listens for ends the process.
      child.on('error', (error) => resolve(`could not be started: ${error.message}`));
      child.once('exit', (code, signal) =>
        resolve(signal === null ? `exited with exit code ${code}` : `was terminated by signal ${signal}`),
      );
    });
    const methods: PrimaryMethods = {
      check: (address, limits) => count.exhausted(address, limits),
      take: (address, limits) => {
        const exhausted = count.exhausted(address, limits);
        if (exhausted === null) this.#add(address);
        return exhausted;
      },
      add: (address) => this.#add(address),
      release: (address) => this.#release(address),
      handshakes: (size) => {
        this.handshakes = size;
        onHandshakes();
      },
      charge: (address, ms) => onCharge(this, address, ms),
      hasCancelKey: async (pid, key) => await hasCancelKey(this, pid, key),
    };
    this.remote = new Remote(child, methods);
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
