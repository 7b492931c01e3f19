// The command line: arguments in, one command run, an exit status out. Nothing else reads process.argv or sets
// process.exitCode but commands/action.ts.

import { CommanderError, type Command } from 'commander';
import { nearest } from './base/nearest.ts';
import { exitStatus } from './commands/action.ts';
import { isOutputLost, output } from './commands/output.ts';
import { createProgram } from './commands/program.ts';

const program = createProgram()
  .showSuggestionAfterError()
  .exitOverride()
  .configureOutput({ writeOut: output });
for (const command of everyCommand(program)) {
  command
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: output,
      outputError: (text, write) => write(withNearestFlag(text, command)),
    });
}

try {
  refuseUnknownCommand(process.argv[2]);
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  if (error.exitCode !== 0) process.exitCode = exitStatus.usage;
  // Help and version are not errors. Commander has printed them already, and perhaps in vain.
  else process.exitCode = isOutputLost() ? exitStatus.failed : exitStatus.fine;
}

/** `serve` is the default command, and would take any other word for an argument of its own. */
function refuseUnknownCommand(word: string | undefined): void {
  const names = [...program.commands.map((command) => command.name()), 'help'];
  if (word === undefined || word.startsWith('-') || names.includes(word)) return;
  const suggestion = nearest(word, names);
  program.error(
    `error: unknown command '${word}'${suggestion === null ? '' : `\n(Did you mean ${suggestion}?)`}`,
    { exitCode: exitStatus.usage },
  );
}

/**
 * Commander knows a flag by its spelling only: a word too many, or the word for what the flag takes, is not a slip of the
 * finger to it (`--config-file`, `--directory`, `--file`).
 */
function withNearestFlag(text: string, command: Command): string {
  const unknown = /^error: unknown option '--([a-z][a-z-]*)[^']*'\n$/.exec(text)?.[1];
  if (unknown === undefined) return text;
  const meant = command.options.find(({ long, flags }) => {
    const name = long?.slice(2);
    return (
      name !== undefined &&
      (unknown.startsWith(name) || name.startsWith(unknown) || flags.includes(`<${unknown}>`))
    );
  });
  return meant === undefined ? text : `${text}(Did you mean ${meant.long}?)\n`;
}

function everyCommand(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...everyCommand(child)]);
}
