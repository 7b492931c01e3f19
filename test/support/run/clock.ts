// A clock for the processes of a gate under test, which can be set while they run: Debian's libfaketime stands between
// them and the kernel.

import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GateOptions } from './gate.ts';
import type { Scope } from './scope.ts';
import { temporaryDirectory } from './temporary.ts';
import { toolPath } from './tools.ts';

/** What a test with a clock needs. */
export const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

export const SECOND_MS = 1_000;
export const HOUR_MS = 3_600 * SECOND_MS;
export const DAY_MS = 24 * HOUR_MS;
export const YEAR_MS = 365 * DAY_MS;

/** The clock of a gate's processes: the machine's own until it is told otherwise, and then as far from it. */
export class Clock {
  /** When the test began, by the machine's clock: what it counts its hours from. */
  readonly begin = Math.floor(Date.now() / SECOND_MS) * SECOND_MS;
  readonly #file: string;
  readonly #timersToo: boolean;

  /** @param options.timersToo moves the clock that timers go by as well: time passes, it is not set */
  constructor(t: Scope, { timersToo = false } = {}) {
    this.#file = join(temporaryDirectory(t), 'offset');
    this.#timersToo = timersToo;
    this.move(0);
  }

  /** Of a gate that shall go by it; its shell is left alone. */
  get gate(): Pick<GateOptions, 'prelude'> {
    const variables = [
      `LD_PRELOAD=${toolPath(FAKETIME)}`,
      `FAKETIME_TIMESTAMP_FILE=${this.#file}`,
      'FAKETIME_NO_CACHE=1',
      ...(this.#timersToo ? [] : ['FAKETIME_DONT_FAKE_MONOTONIC=1']),
    ];
    return { prelude: `export ${variables.join(' ')}` };
  }

  /** Sets it to the machine's time and so much more; in force when this returns. */
  move(offsetMs: number): void {
    writeFileSync(`${this.#file}.new`, `${offsetMs < 0 ? '' : '+'}${offsetMs / SECOND_MS}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** Sets it to so long after the test's begin. */
  set(sinceBeginMs: number): void {
    this.move(this.begin + sinceBeginMs - Date.now());
  }

  /** So long after the test's begin. */
  at(sinceBeginMs: number): Date {
    return new Date(this.begin + sinceBeginMs);
  }
}
