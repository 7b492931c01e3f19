// `pg-gatehouse serve`: runs the gate until a signal ends it.

import type { Command } from 'commander';
import { LoadError } from '../errors.ts';
import { describeLoadError, startServer, type RunningServer } from '../server.ts';
import { action } from './action.ts';
import { required } from './required.ts';

/** Adds `serve`, the default command. */
export function registerServe(program: Command): void {
  const command = program
    .command('serve', { isDefault: true })
    .description('run the gate (the default command)');
  required(command, '--config <file>', 'the YAML file to run with').action(
    action(async ({ config }: { config: string }) => await serve(config)),
  );
}

/** Runs a gate; returns the exit status: 0 after a drain, 1 when it could not start. */
async function serve(configFile: string): Promise<number> {
  let server: RunningServer;
  try {
    server = await startServer({ configFile });
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    process.stderr.write(describeLoadError(error));
    return 1;
  }
  await new Promise<void>((resolve) => {
    let draining = false;
    const stop = (how: 'drain' | 'fast'): void => {
      // A second signal of either kind hastens.
      const hasten = draining || how === 'fast';
      draining = true;
      void server.stop(hasten ? 'fast' : 'drain').then(resolve);
    };
    process.on('SIGTERM', () => stop('drain'));
    process.on('SIGINT', () => stop('fast'));
    process.on('SIGHUP', () => void server.reload());
  });
  return 0;
}
