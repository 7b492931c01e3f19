// `pg-gatehouse terminate`: ends sessions of a running gate, by their ids or by what they have in common (contract §17).

import type { Command } from 'commander';
import { escapeInvisible } from '../base/escape-invisible.ts';
import { action, exitStatus, UsageError } from './action.ts';
import { ask, field, print, refused, remote, type RemoteOptions } from './remote.ts';

interface TerminateOptions extends RemoteOptions {
  readonly user?: string;
  /** Commander reads `--no-longer-admitted` as the negation of this. */
  readonly longerAdmitted: boolean;
  readonly all?: true;
}

/** Adds the `terminate` command to the program. */
export function registerTerminate(program: Command): void {
  remote(program.command('terminate'))
    .description('end sessions of a running gate')
    .argument('[id...]', 'sessions, as `sessions` shows them')
    .option('--user <name>', 'every session of this user, as `sessions` shows it')
    .option(
      '--no-longer-admitted',
      'every session that a reload would no longer admit; with --user, only theirs',
    )
    .option('--all', 'every session')
    .action(action(terminate));
}

async function terminate(ids: readonly string[], options: TerminateOptions): Promise<number> {
  const { user, longerAdmitted, all, json, ...listener } = options;
  const filter = new URLSearchParams({
    ...(user === undefined ? {} : { user }),
    ...(longerAdmitted ? {} : { no_longer_admitted: 'true' }),
    ...(all === true ? { all: 'true' } : {}),
  });
  if (ids.length > 0 === filter.size > 0)
    throw new UsageError('say which sessions: their ids, or --user, --no-longer-admitted or --all');
  if (all === true && filter.size > 1) throw new UsageError('--all is every session: leave the others out');
  if (ids.length > 0) return await terminateEach(ids, { json, listener });
  const answer = await ask(listener, 'DELETE', `/sessions?${filter.toString()}`);
  if (answer.status !== 200) throw refused(answer);
  const terminated = field(answer.value, 'terminated');
  const count = Array.isArray(terminated) ? terminated.length : 0;
  print(json === true ? answer.body : `${count} ${count === 1 ? 'session was' : 'sessions were'} terminated`);
  return exitStatus.fine;
}

async function terminateEach(
  ids: readonly string[],
  { json, listener }: { readonly json: true | undefined; readonly listener: Omit<RemoteOptions, 'json'> },
): Promise<number> {
  let status: number = exitStatus.fine;
  for (const id of ids) {
    const answer = await ask(listener, 'DELETE', `/sessions/${encodeURIComponent(id)}`);
    if (answer.status === 200) {
      print(json === true ? answer.body : `session ${escapeInvisible(id)} was terminated`);
      continue;
    }
    if (ids.length === 1 || answer.status !== 404) throw refused(answer);
    process.stderr.write(`pg-gatehouse: no such session: ${escapeInvisible(id)}\n`);
    status = exitStatus.failed;
  }
  return status;
}
