// The commands as one tree: what cli.ts runs, and what completion and the man page are made from.

import { Command } from 'commander';
import { VERSION } from '../base/version.ts';
import { registerCheck } from './check.ts';
import { registerCompletion } from './completion.ts';
import { ABOUT } from './configuration.ts';
import { registerDemo } from './demo.ts';
import { registerExplain } from './explain.ts';
import { registerMigrate } from './migrate.ts';
import { registerPki } from './pki.ts';
import { registerRefusals } from './refusals.ts';
import { registerReload } from './reload.ts';
import { registerSecret } from './secret.ts';
import { registerServe } from './serve.ts';
import { registerSessions } from './sessions.ts';
import { registerTerminate } from './terminate.ts';

/** `pg-gatehouse` with every command, nothing of it run yet. */
export function createProgram(): Command {
  const program = new Command('pg-gatehouse')
    .description(ABOUT)
    .version(VERSION, '-V, --version', 'print the version');
  registerServe(program);
  registerCheck(program);
  registerExplain(program);
  registerMigrate(program);
  registerDemo(program);
  registerPki(program);
  registerSessions(program);
  registerReload(program);
  registerTerminate(program);
  registerRefusals(program);
  registerSecret(program);
  registerCompletion(program);
  return program;
}
