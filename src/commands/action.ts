// Ends a command with the exit status that its action returns. Where the action throws, one line goes to stderr and the
// status is that of the error.

import { LoadError } from '../base/problems.ts';
import { fileErrorMessage } from '../base/system-error.ts';
import { hasOverdueReads } from '../base/regular-file.ts';
import { isOutputLost } from './output.ts';

/** Exit statuses (contract §1). */
export const exitStatus = { fine: 0, failed: 1, usage: 2 } as const;

/** A command that failed. The message is for the person who typed it. */
export class CommandError extends Error {
  readonly status: number;
  constructor(message: string, status: number = exitStatus.failed) {
    super(message);
    this.name = 'CommandError';
    this.status = status;
  }
}

/** A command that was typed wrongly. */
export class UsageError extends CommandError {
  constructor(message: string) {
    super(message, exitStatus.usage);
    this.name = 'UsageError';
  }
}

/**
 * A commander action from a function that returns its exit status. CommandError, LoadError and the errors of system
 * calls end it with their message; anything else is a defect and is thrown on.
 */
export function action<Arguments extends unknown[]>(
  run: (...args: Arguments) => Promise<number>,
): (...args: Arguments) => Promise<void> {
  return async (...args) => {
    try {
      const status = await run(...args);
      process.exitCode = isOutputLost() ? exitStatus.failed : status;
    } catch (error) {
      if (!isForPeople(error)) throw error;
      process.stderr.write(`pg-gatehouse: ${fileErrorMessage(error)}\n`);
      process.exitCode = error instanceof CommandError ? error.status : exitStatus.failed;
    }
    if (hasOverdueReads()) leaveReadsBehind(process.exitCode);
  };
}

/**
 * Ends the process while a read of a dead mount still holds one of its threads. Any orderly exit would wait for that
 * thread, so another program takes the process over and ends with the status.
 */
function leaveReadsBehind(status: number): never {
  process.emit('exit', status);
  process.execve?.('/bin/sh', ['sh', '-c', `exit ${status}`], process.env);
  process.kill(process.pid, 'SIGKILL');
  throw new Error('SIGKILL was survived');
}

function isForPeople(error: unknown): error is Error {
  return (
    error instanceof CommandError ||
    error instanceof LoadError ||
    // A system call's: EACCES, EADDRINUSE, ENOSPC, …
    (error instanceof Error && 'syscall' in error)
  );
}
