// The command line. A gate that is to serve, and nothing more is said than where its settings are, needs nothing of the
// other commands. Nothing else reads process.argv or sets process.exitCode but command-line.ts and action.ts.

import { readServeLine } from './commands/serve-line.ts';

const options = readServeLine(process.argv.slice(2));
if (options === null) {
  const { runCommandLine } = await import('./commands/command-line.ts');
  await runCommandLine();
} else {
  const { serveWith } = await import('./commands/serving.ts');
  await serveWith(options);
}
