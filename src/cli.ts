// The command line: arguments in, one command run, an exit status out. Nothing else reads process.argv or sets
// process.exitCode but commands/action.ts.

import { Command, CommanderError } from 'commander';
import { registerCheck } from './commands/check.ts';
import { registerDemo } from './commands/demo.ts';
import { registerExplain } from './commands/explain.ts';
import { registerPki } from './commands/pki.ts';
import { registerRemote } from './commands/remote.ts';
import { registerServe } from './commands/serve.ts';
import { nearest } from './config/nearest.ts';
import { VERSION } from './version.ts';

/** Exit status of a command line that could not be understood (contract §1). */
const USAGE = 2;

const program = new Command('pg-gatehouse')
  .description(
    'Mutual TLS, pg_hba.conf and pg_ident.conf in front of a PostgreSQL server that has none of them.',
  )
  .version(VERSION, '-V, --version', 'print the version')
  .showSuggestionAfterError()
  .exitOverride();

registerServe(program);
registerCheck(program);
registerExplain(program);
registerDemo(program);
registerPki(program);
registerRemote(program);
for (const command of everyCommand(program)) command.exitOverride().showSuggestionAfterError();

try {
  refuseUnknownCommand(process.argv[2]);
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Help and version are no errors; commander has already printed what there is to say.
  process.exitCode = error.exitCode === 0 ? 0 : USAGE;
}

/** `serve` is the default command, and would take any other word for an argument of its own. */
function refuseUnknownCommand(word: string | undefined): void {
  const names = [...program.commands.map((command) => command.name()), 'help'];
  if (word === undefined || word.startsWith('-') || names.includes(word)) return;
  const suggestion = nearest(word, names);
  program.error(
    `error: unknown command '${word}'${suggestion === null ? '' : `\n(Did you mean ${suggestion}?)`}`,
    { exitCode: USAGE },
  );
}

function everyCommand(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...everyCommand(child)]);
}
