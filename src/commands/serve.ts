// `pg-gatehouse serve`: runs the gate until a signal ends it.

import type { Command } from 'commander';
import { LoadError } from '../base/problems.ts';
import { describeLoadError, startServer, type RunningServer } from '../server/server.ts';
import { followSignals } from '../base/signals.ts';
import { endPassphraseCommands } from '../tls/material/passphrase.ts';
import { action } from './action.ts';
import {
  configurationOf,
  withConfiguration,
  type Configuration,
  type ConfigurationOptions,
} from './configuration.ts';

/** Adds `serve`, the default command. */
export function registerServe(program: Command): void {
  withConfiguration(program.command('serve', { isDefault: true }))
    .description('run the gate (the default command)')
    .action(action(async (options: ConfigurationOptions) => await serve(configurationOf(options))));
}

/** Runs a gate; returns the exit status: 0 after a drain, 1 when it could not start and was not told to end. */
async function serve({ file, overrides }: Configuration): Promise<number> {
  const starting = startServer({ configFile: file, overrides });
  let isToEnd = false;
  const stopped = untilStopped(starting, () => (isToEnd = true));
  try {
    await starting;
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    process.stderr.write(describeLoadError(error));
    return isToEnd ? 0 : 1;
  }
  await stopped;
  return 0;
}

/**
 * Does as the signals of contract §1 say, once the gate has started. Resolves when one of them has ended it.
 *
 * @param onEarlyStop called where the gate is to end before it has started
 */
async function untilStopped(starting: Promise<RunningServer>, onEarlyStop: () => void): Promise<void> {
  let isStarting = true;
  // The caller of start() reports why it failed.
  const server = starting.catch(() => null).finally(() => (isStarting = false));
  await new Promise<void>((resolve) => {
    let draining = false;
    const stop = (how: 'drain' | 'fast'): void => {
      // A second signal of either kind hastens.
      const hasten = draining || how === 'fast';
      draining = true;
      if (isStarting) {
        onEarlyStop();
        // The start may wait for a person who types the passphrase.
        endPassphraseCommands();
      }
      void server.then(async (running) => await running?.stop(hasten ? 'fast' : 'drain')).then(resolve);
    };
    followSignals(({ signal, meaning }) => {
      switch (meaning) {
        case 'reload':
          void server.then(async (running) => await running?.reload());
          return;
        case 'drain':
        case 'fast':
          stop(meaning);
          return;
        case 'nothing':
          void server.then((running) => running?.ignoreSignal(signal));
          return;
        default:
          meaning satisfies never;
      }
    });
  });
}
