// A worker's refused connections on their way to the first process, which keeps the last ones of all workers.

import { setImmediate } from 'node:timers/promises';
import { Refusals, type RefusalRow } from '../../telemetry/refusals.ts';

/**
 * Sends what has come together, one message at a time. SECURITY: a flood of refusals is one message for each answer of
 * the first process, and at most MAX_REFUSALS rows wait; the channel holds no more, however slow that process is.
 */
export class RefusalsToTell {
  readonly #waiting = new Refusals();
  readonly #tell: (rows: readonly RefusalRow[]) => Promise<void>;
  #telling: Promise<void> | null = null;

  /** @param tell resolves when the first process has them */
  constructor(tell: (rows: readonly RefusalRow[]) => Promise<void>) {
    this.#tell = tell;
  }

  add(row: RefusalRow): void {
    this.#waiting.add(row);
    this.#telling ??= this.#tellAll();
  }

  /** Resolves when the first process has every row that was added before this call. */
  async told(): Promise<void> {
    await this.#telling;
  }

  async #tellAll(): Promise<void> {
    await setImmediate();
    while (!this.#waiting.isEmpty) {
      // Where it does not answer, these are lost: nothing here may wait for it.
      await this.#tell(this.#waiting.take()).catch(() => undefined);
    }
    this.#telling = null;
  }
}
