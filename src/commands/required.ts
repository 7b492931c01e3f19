// Options that a command cannot do without. Checked after the flags themselves, so that a mistyped flag is named as
// what it is and not as the absence of the right one.

import type { Command } from 'commander';
import { exitStatus } from './action.ts';

/** Adds an option that must be given. */
export function required(command: Command, flags: string, description: string): Command {
  command.option(flags, description);
  const option = command.options.at(-1);
  return command.hook('preAction', () => {
    if (option === undefined || command.getOptionValue(option.attributeName()) !== undefined) return;
    command.error(`error: required option '${flags}' not specified`, { exitCode: exitStatus.usage });
  });
}
