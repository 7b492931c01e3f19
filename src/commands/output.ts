// What commands print. `serve` prints nothing here: its log looks after standard output itself, and Node's stream beside it
// would change how that one writes.

import { errnoOf, systemMessage } from '../base/system-error.ts';

let isFollowed = false;
let isLost = false;

/** Whether something of what was printed is lost: the command has failed. */
export function isOutputLost(): boolean {
  return isLost;
}

/**
 * Prints. Without a listener an error of standard output would end the process wherever it is: between two files that it
 * writes. A reader that has gone has what it wanted (`| head`), and the command goes on to its end. Any other failure is
 * said, and the exit status is 1: a full disk has not taken the line of `secret`.
 */
export function output(text: string | Uint8Array): void {
  if (!isFollowed) process.stdout.on('error', onError);
  isFollowed = true;
  process.stdout.write(text);
}

function onError(error: Error): void {
  if (isLost || errnoOf(error) === 'EPIPE') return;
  isLost = true;
  process.stderr.write(`pg-gatehouse: could not write to standard output: ${systemMessage(error)}\n`);
  process.exitCode = 1;
}
