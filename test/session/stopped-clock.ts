// A clock that stands still, for what goes by leases of a quarter of a second: a machine that is busy for longer between
// two lines of a test would end them.

import { mock } from 'node:test';
import { atEnd, type Scope } from '../support/run/scope.ts';

/** Stops performance.now() until the test is over. */
export function stopClock(t: Scope): void {
  const now = performance.now();
  const stopped = mock.method(performance, 'now', () => now);
  atEnd(t, () => stopped.mock.restore());
}
