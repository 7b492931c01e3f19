// `pg-gatehouse reload [--dry-run]`: makes a running gate read its configuration again, or says what that would do
// (contract §1, §17).

import type { Command } from 'commander';
import { escapeInvisible } from '../base/escape-invisible.ts';
import { action, CommandError, exitStatus } from './action.ts';
import {
  ask,
  field,
  print,
  problemText,
  records,
  refused,
  remote,
  shown,
  type RemoteOptions,
} from './remote.ts';

interface ReloadOptions extends RemoteOptions {
  readonly dryRun?: true;
}

/** Adds the `reload` command to the program. */
export function registerReload(program: Command): void {
  remote(program.command('reload'))
    .description('make a running gate read its configuration again')
    .option(
      '--dry-run',
      'change nothing: say what a reload would do, and which sessions it would no longer admit',
    )
    .action(action(reload));
}

async function reload({ json, dryRun, ...listener }: ReloadOptions): Promise<number> {
  if (dryRun === true) await refuseOlderGate(listener);
  const answer = await ask(listener, 'POST', dryRun === true ? '/reload?dry_run=true' : '/reload');
  if (answer.status !== 200 && answer.status !== 422) throw refused(answer);
  const status = answer.status === 200 ? exitStatus.fine : exitStatus.failed;
  if (json === true) {
    print(answer.body);
    return status;
  }
  for (const problem of records(field(answer.value, 'errors'))) print(problemText(problem));
  for (const problem of records(field(answer.value, 'warnings'))) print(problemText(problem, 'WARNING:  '));
  const parts = listed(field(answer.value, 'reloaded'));
  if (dryRun !== true) {
    print(`reloaded: ${parts}`);
    return status;
  }
  print(`would be reloaded: ${parts}`);
  print(`would change: ${listed(field(answer.value, 'changed'))}`);
  printSessions(answer.value);
  return status;
}

/** A gate of 0.1.0 does not look at the parameter, and would reload. It has no list of refusals either. */
async function refuseOlderGate(listener: Omit<RemoteOptions, 'json'>): Promise<void> {
  const { status } = await ask(listener, 'GET', '/refusals');
  if (status === 404) throw new CommandError('this gate is older than dry runs, and would reload');
}

function listed(parts: unknown): string {
  return Array.isArray(parts) && parts.length > 0 ? escapeInvisible(parts.join(', ')) : 'nothing';
}

function printSessions(report: unknown): void {
  const rows = records(field(report, 'sessions'));
  for (const row of rows) {
    const [file, line] = [shown(field(row, 'file')), shown(field(row, 'line'))];
    const who = `${shown(field(row, 'user'))} from ${shown(field(row, 'client_addr'))}`;
    const judged =
      field(row, 'judgement') === 'not-judged' ? 'could not be judged' : 'would no longer be admitted';
    const at = file === '' ? '' : ` (${file}:${line})`;
    print(`session ${shown(field(row, 'id'))} of ${who} ${judged}: ${shown(field(row, 'reason'))}${at}`);
  }
  const refusedRows = rows.filter((row) => field(row, 'judgement') !== 'not-judged');
  const total = shown(field(report, 'sessions_total'));
  const fate = field(report, 'sessions_action') === 'terminate' ? 'would be ended' : 'would go on';
  const consequence = refusedRows.length === 0 ? '' : `; reload.sessions says that they ${fate}`;
  print(`${refusedRows.length} of ${total} sessions would no longer be admitted${consequence}`);
  const silent = shown(field(report, 'workers_silent'));
  if (silent !== '') print(`${silent} worker processes did not answer: nothing is known of their sessions`);
}
