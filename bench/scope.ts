// What the test harness ties its servers and files to, for a program that is not a test.

import type { Scope } from '../test/support/run/scope.ts';

/** A lifetime: what the harness starts in it ends with it, last started first. */
export class BenchScope implements AsyncDisposable {
  readonly #ends: (() => unknown)[] = [];
  #ended: Promise<void> | null = null;
  /** What the harness's helpers take. */
  readonly scope: Scope;

  constructor(name: string) {
    const scope = {
      name,
      // The harness asks only whether there is one.
      parent: {},
      after: (end: () => unknown): void => void this.#ends.push(end),
      fail: (message: unknown): never => {
        throw new Error(String(message));
      },
    };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- tap's Test has far more than the harness uses
    this.scope = scope as unknown as Scope;
  }

  /** Ends everything. A second call waits for the same end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended ??= this.#endAll();
    await this.#ended;
  }

  async #endAll(): Promise<void> {
    for (const end of this.#ends.toReversed()) await end();
  }
}
