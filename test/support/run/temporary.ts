// Directories for one test.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd, type Scope } from './scope.ts';

/** A fresh directory that is gone when the test is over. */
export function temporaryDirectory(t: Scope): string {
  const directory = mkdtempSync(join(tmpdir(), 'gate-'));
  atEnd(t, () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  return directory;
}
