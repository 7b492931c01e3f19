// `pg-gatehouse refusals`: the last refused and failed connections of a running gate, as a log would show them: the
// newest last.

import type { Command } from 'commander';
import { escapeButTabs } from '../base/escape-invisible.ts';
import { action, exitStatus } from './action.ts';
import { ask, field, print, records, refused, remote, shown, type RemoteOptions } from './remote.ts';
import { table, type Column } from './table.ts';

export function registerRefusals(program: Command): void {
  remote(program.command('refusals'))
    .description('list the last refused and failed connections of a running gate')
    .action(action(refusals));
}

async function refusals({ json, ...listener }: RemoteOptions): Promise<number> {
  const answer = await ask(listener, 'GET', '/refusals');
  if (answer.status !== 200) throw refused(answer);
  print(json === true ? answer.body : refusalsText(records(answer.value).toReversed()));
  return exitStatus.fine;
}

const columns: readonly Column[] = [
  { title: 'TIME', read: (row) => shown(field(row, 'time')) },
  { title: 'CODE', read: (row) => shown(field(row, 'code')) },
  { title: 'CLIENT', read: clientText },
  { title: 'USER', read: (row) => shown(field(row, 'user')) },
  { title: 'DATABASE', read: (row) => shown(field(row, 'database')) },
  { title: 'RULE', read: (row) => shown(field(row, 'rule')) },
  { title: 'MESSAGE', read: (row) => shown(field(row, 'msg')) },
];

/** Each row with its DETAIL and HINT below it. */
function refusalsText(rows: readonly object[]): string {
  const [titles = '', ...lines] = table(rows, columns);
  const told = rows.flatMap((row, index) => [lines[index] ?? '', ...furtherLines(row)]);
  return [titles, ...told, `(${rows.length} ${rows.length === 1 ? 'refusal' : 'refusals'})`].join('\n');
}

function furtherLines(row: object): readonly string[] {
  return ['detail', 'hint'].flatMap((name) => {
    const text = field(row, name);
    if (typeof text !== 'string') return [];
    const [first = '', ...rest] = text.split('\n').map(escapeButTabs);
    return [`    ${name.toUpperCase()}:  ${first}`, ...rest.map((line) => `    ${line}`)];
  });
}

/** Empty where no client is known, as for the sessions of a worker that was lost. */
function clientText(row: object): string {
  const host = shown(field(row, 'host'));
  return host === '' ? '' : `${host} port ${shown(field(row, 'port'))}`;
}
