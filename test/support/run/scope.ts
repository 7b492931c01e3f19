// Ties what a test starts to the test that started it: every server, gate, socket and directory made here ends
// with the subtest it was made in.

import type { Test } from 'tap';

/** What the helpers need of tap's `t`: any subtest's will do. `parent` is absent on the root. */
export type Scope = Pick<Test, 'name' | 'parent' | 'after' | 'fail'>;

/**
 * Runs `end` when the test is over, in the reverse order of registration.
 * @throws Error on tap's root `t`, which may end a file while it still awaits something, once a teardown is
 * registered on it: what lives longer than an expression belongs into a `t.test()`.
 */
export function atEnd(t: Scope, end: () => unknown): void {
  if (t.parent === undefined) {
    throw new Error(
      'start servers and connections inside t.test(), not on the root t, which may end too early',
    );
  }
  t.after(end);
}
