// How the readers of rule files report: one bad line is one Problem, worded as PostgreSQL words it. BadLine is
// private to rules/: the loaders catch it line by line and throw one LoadError with everything they collected.

import { errnoOf, systemErrors } from '../base/system-error.ts';
import type { Problem } from '../base/problems.ts';
import type { Place } from './types.ts';

/** A line that cannot be used: thrown while it is parsed, caught by the loader that walks the lines. */
export class BadLine extends Error {
  readonly hint: string | undefined;
  constructor(message: string, hint?: string) {
    super(message);
    this.name = 'BadLine';
    this.hint = hint;
  }
}

/** The Problem for `message` at a place. */
export function problemAt(place: Place, message: string, hint?: string): Problem {
  return { file: place.file, line: place.line, message, ...(hint === undefined ? {} : { hint }) };
}

/** PostgreSQL's `%m` for a failed FileSystem call; the error's own `reason` where strerror has no word for it. */
export function systemErrorText(error: unknown): string {
  if (error instanceof Error && 'reason' in error && typeof error.reason === 'string') return error.reason;
  const code = errnoOf(error);
  if (code !== null) return systemErrors[code] ?? code;
  return error instanceof Error ? error.message : 'Unknown error';
}
