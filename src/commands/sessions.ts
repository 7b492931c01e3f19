// `pg-gatehouse sessions`: the live sessions of a running gate as a table that fits its terminal (contract §1, §17).

import { InvalidArgumentError, Option, type Command } from 'commander';
import { setTimeout } from 'node:timers/promises';
import { action, CommandError, exitStatus } from './action.ts';
import { output } from './output.ts';
import { ask, field, print, records, refused, remote, shown, type RemoteOptions } from './remote.ts';
import { fittedTable, table, type Column } from './table.ts';

interface SessionsOptions extends RemoteOptions {
  readonly wide?: true;
  /** Seconds between two looks. */
  readonly watch?: number;
}

const DEFAULT_WATCH_S = 2;

/** Adds the `sessions` command to the program. */
export function registerSessions(program: Command): void {
  remote(program.command('sessions'))
    .description('list the live sessions of a running gate')
    .option('--wide', 'every column in full, whatever the width of the terminal')
    .addOption(
      new Option(
        '--watch [seconds]',
        `show them again every so often, ${DEFAULT_WATCH_S} s unless said otherwise`,
      )
        .argParser(seconds)
        .preset(String(DEFAULT_WATCH_S))
        .conflicts('json'),
    )
    .action(action(sessions));
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value >= 0.1 && value <= 86_400)) throw new InvalidArgumentError('give seconds, 0.1 to 86400');
  return value;
}

async function sessions({ json, wide, watch, ...listener }: SessionsOptions): Promise<number> {
  const first = await ask(listener, 'GET', '/sessions');
  if (first.status !== 200) throw refused(first);
  if (json === true) {
    print(first.body);
    return exitStatus.fine;
  }
  show(sessionTable(records(first.value), wide === true), watch !== undefined);
  if (watch === undefined) return exitStatus.fine;
  const ended = endOfWatching();
  for (;;) {
    await setTimeout(watch * 1000, undefined, { signal: ended }).catch(() => undefined);
    if (ended.aborted) return exitStatus.fine;
    show(await look(listener, wide === true), true);
  }
}

/** The table, or why there is none: a gate that restarts is watched on. */
async function look(listener: Omit<RemoteOptions, 'json'>, wide: boolean): Promise<string> {
  try {
    const answer = await ask(listener, 'GET', '/sessions');
    return answer.status === 200 ? sessionTable(records(answer.value), wide) : refused(answer).message;
  } catch (error) {
    if (error instanceof CommandError) return error.message;
    throw error;
  }
}

function endOfWatching(): AbortSignal {
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());
  // The reader of the output has gone: `| head`.
  process.stdout.once('error', () => ending.abort());
  return ending.signal;
}

/** A terminal that watches shows one picture at a time, as much of it as there is room for. */
function show(text: string, isWatching: boolean): void {
  const { isTTY, rows } = process.stdout;
  if (!isWatching || !isTTY) {
    print(text);
    return;
  }
  const lines = text.split('\n');
  const room = Math.max(rows - 2, 3);
  const shownLines =
    lines.length <= room
      ? lines
      : [...lines.slice(0, room - 1), `… ${lines.at(-1)}, the first ${room - 2} of them`];
  output(`\u001B[H\u001B[2J${shownLines.join('\n')}\n`);
}

function sessionTable(rows: readonly object[], wide: boolean): string {
  const lines = wide ? table(rows, columns) : fittedTable(rows, narrowColumns, terminalWidth());
  return [...lines, `(${rows.length} ${rows.length === 1 ? 'session' : 'sessions'})`].join('\n');
}

/** Null = not a terminal: a program reads it, and gets all. watch(1) says by COLUMNS how much room it has. */
function terminalWidth(): number | null {
  if (process.stdout.isTTY) return process.stdout.columns;
  const columnsOf = Number(process.env['COLUMNS']);
  return columnsOf > 0 ? columnsOf : null;
}

const text =
  (name: string): Column['read'] =>
  (row) =>
    shown(field(row, name));

/** Every column in full. */
const columns: readonly Column[] = [
  { title: 'ID', read: text('id') },
  { title: 'USER', read: text('user') },
  { title: 'DATABASE', read: text('database') },
  {
    title: 'CLIENT',
    read: (row) => `${shown(field(row, 'client_addr'))} port ${shown(field(row, 'client_port'))}`,
  },
  { title: 'APPLICATION', read: text('application_name') },
  { title: 'SINCE', read: text('backend_start') },
  { title: 'TLS', read: (row) => shown(field(row, 'version') ?? 'none') },
  { title: 'CERTIFICATE', read: text('client_dn') },
  { title: 'RULE', read: ruleText },
  { title: 'BYTES IN', read: text('bytes_in') },
  { title: 'BYTES OUT', read: text('bytes_out') },
  { title: 'UPSTREAM PID', read: text('upstream_pid') },
  { title: 'STATE', read: stateText },
];

/** The same for a terminal. The lower the rank, the sooner a column is shown. */
const narrowColumns: readonly Column[] = columns.map((column, index) => {
  const rank = [0, 0, 2, 1, 5, 3, 7, 4, 6, 8, 9, 10, 0][index] ?? 9;
  if (column.title === 'SINCE') return { title: 'AGE', rank, read: age, wide: column };
  if (column.title === 'RULE')
    return { ...column, rank, read: (row: object) => ruleText(row).replace(/^.*\//, ''), wide: column };
  return { ...column, rank, wide: column };
});

function ruleText(row: object): string {
  return `${shown(field(field(row, 'rule'), 'file'))}:${shown(field(field(row, 'rule'), 'line'))}`;
}

/** The state, and whether a reload would refuse the session. */
function stateText(row: object): string {
  const state = shown(field(row, 'state'));
  const judgement = shown(field(row, 'judgement'));
  return judgement === '' || judgement === 'admitted' ? state : `${state}, ${judgement}`;
}

/** How long ago it began: `12 s`, `5 min`, `3 h`, `4 d`. */
function age(row: object): string {
  const since = Math.max(0, (Date.now() - Date.parse(shown(field(row, 'backend_start')))) / 1000);
  if (Number.isNaN(since)) return '';
  if (since < 60) return `${Math.floor(since)} s`;
  if (since < 3600) return `${Math.floor(since / 60)} min`;
  return since < 86_400 ? `${Math.floor(since / 3600)} h` : `${Math.floor(since / 86_400)} d`;
}
