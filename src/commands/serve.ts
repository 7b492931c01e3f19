// `pg-gatehouse serve` on the command line.

import type { Command } from 'commander';
import { withConfiguration } from './configuration-options.ts';
import { serveWith } from './serving.ts';

/** Adds `serve`, the default command. */
export function registerServe(program: Command): void {
  withConfiguration(program.command('serve', { isDefault: true }))
    .description('run the gate (the default command)')
    .action(serveWith);
}
