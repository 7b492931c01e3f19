// What a statement is, by its first words: a query for the engine, one of PgBouncer's commands, or what a driver sends
// out of habit and needs no more than its tag for.

import { ConsoleError } from './console-error.ts';
import { copyStatement, type CopyFormat } from './copy-statement.ts';
import { valueOf, wordToken, type SqlToken } from './sql-tokens.ts';

/** What `TABLE name` stands for before its name. */
const EVERYTHING_FROM = ['select', '*', 'from'].map(wordToken);

export type Statement =
  | { readonly kind: 'select'; readonly tokens: readonly SqlToken[] }
  | { readonly kind: 'copy'; readonly tokens: readonly SqlToken[]; readonly format: CopyFormat }
  | { readonly kind: 'show'; readonly name: string }
  | { readonly kind: 'begin'; readonly tag: string }
  | { readonly kind: 'commit' }
  | { readonly kind: 'rollback' }
  /** Ends the error of a transaction, and not the transaction. */
  | { readonly kind: 'rollback-to' }
  /** Drops a prepared statement; null = all of them. */
  | { readonly kind: 'deallocate'; readonly name: string | null; readonly tag: string }
  /** Nothing is done, and `tag` says that it was. */
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'reload' }
  | { readonly kind: 'kill-client'; readonly id: string }
  | { readonly kind: 'shutdown' }
  /** Nobody gets it done: whoever may only look is told so first. */
  | { readonly kind: 'refused'; readonly what: string; readonly error: ConsoleError };

/** Statements without an effect here, by their first word. */
const TAGS: ReadonlyMap<string, string> = new Map([
  ['set', 'SET'],
  ['reset', 'RESET'],
  ['savepoint', 'SAVEPOINT'],
  ['release', 'RELEASE'],
  ['listen', 'LISTEN'],
  ['unlisten', 'UNLISTEN'],
  ['close', 'CLOSE CURSOR ALL'],
]);

/** PgBouncer's commands for what only a pooler has. */
const POOLER_COMMANDS: ReadonlySet<string> = new Set([
  'pause',
  'resume',
  'suspend',
  'disable',
  'enable',
  'reconnect',
  'kill',
  'wait_close',
]);

/** What PostgreSQL refuses in a transaction that only reads, by its first word. */
const WRITES: ReadonlySet<string> = new Set([
  'insert',
  'update',
  'delete',
  'merge',
  'truncate',
  'create',
  'alter',
  'drop',
  'grant',
  'revoke',
  'comment',
]);

/** @throws ConsoleError for what the console does not do */
export function classify(tokens: readonly SqlToken[]): Statement {
  const [first = '', second = ''] = words(tokens);
  const tag = TAGS.get(first);
  if (tag !== undefined) return { kind: 'tag', tag };
  if (POOLER_COMMANDS.has(first)) return poolersOnly(first);
  if (WRITES.has(first)) return readOnly(first, second);
  switch (first) {
    case 'select':
    case 'with':
    case 'values':
    case '(':
      return { kind: 'select', tokens };
    case 'table':
      return { kind: 'select', tokens: [...EVERYTHING_FROM, ...tokens.slice(1)] };
    case 'copy':
      return { kind: 'copy', ...copyStatement(tokens) };
    case 'show':
      return { kind: 'show', name: showName(tokens) };
    case 'begin':
      return { kind: 'begin', tag: 'BEGIN' };
    case 'start':
      return { kind: 'begin', tag: 'START TRANSACTION' };
    case 'commit':
    case 'end':
      return { kind: 'commit' };
    case 'rollback':
    case 'abort':
      return isToSavepoint(tokens) ? { kind: 'rollback-to' } : { kind: 'rollback' };
    case 'deallocate':
      return deallocate(tokens);
    case 'discard':
      return discard(second.toUpperCase() || 'ALL');
    case 'reload':
      demandEnd(tokens, 1);
      return { kind: 'reload' };
    case 'kill_client':
      return { kind: 'kill-client', id: clientId(tokens) };
    case 'shutdown':
      return shutdown(tokens, second);
    default:
      throw new ConsoleError(
        '42601',
        `"${tokens[0]?.text.slice(0, 63) ?? ''}" is not a command of the console`,
        {
          hint: 'SHOW HELP lists the commands, SHOW TABLES what SELECT reads.',
        },
      );
  }
}

/** What a statement begins with. */
function words(tokens: readonly SqlToken[]): string[] {
  return tokens.slice(0, 3).map((token) => token.word);
}

/** `ROLLBACK TO s`, `ROLLBACK WORK TO SAVEPOINT s`. */
function isToSavepoint(tokens: readonly SqlToken[]): boolean {
  const [, second = '', third = ''] = words(tokens);
  return second === 'to' || ((second === 'work' || second === 'transaction') && third === 'to');
}

/** `DEALLOCATE [PREPARE] name`, or `ALL`. */
function deallocate(tokens: readonly SqlToken[]): Statement {
  const at = tokens[1]?.word === 'prepare' && tokens.length > 2 ? 2 : 1;
  const named = tokens[at];
  if (named === undefined) throw new ConsoleError('42601', 'syntax error at end of input');
  demandEnd(tokens, named.kind === 'word' || named.kind === 'quoted' ? at + 1 : at);
  if (named.word === 'all') return { kind: 'deallocate', name: null, tag: 'DEALLOCATE ALL' };
  return { kind: 'deallocate', name: valueOf(named), tag: 'DEALLOCATE' };
}

/** Prepared statements are all that a console has to discard. */
function discard(what: string): Statement {
  const tag = `DISCARD ${what}`;
  return what === 'ALL' ? { kind: 'deallocate', name: null, tag } : { kind: 'tag', tag };
}

function poolersOnly(command: string): Statement {
  const what = command.toUpperCase();
  const error = new ConsoleError('0A000', `${what} is not supported: the gate has no pool`, {
    hint: 'KILL_CLIENT id ends one session, SHUTDOWN WAIT_FOR_CLIENTS drains.',
  });
  return { kind: 'refused', what, error };
}

function readOnly(first: string, second: string): Statement {
  const what = /^(?:create|alter|drop)$/.test(first) ? `${first} ${second}` : first;
  const tag = first === 'truncate' ? 'TRUNCATE TABLE' : what.trim().toUpperCase();
  const error = new ConsoleError('25006', `cannot execute ${tag} in a read-only transaction`, {
    hint: 'SHOW HELP lists what changes the gate.',
  });
  return { kind: 'refused', what: tag, error };
}

function shutdown(tokens: readonly SqlToken[], how: string): Statement {
  if (how === 'wait_for_clients') {
    demandEnd(tokens, 2);
    return { kind: 'shutdown' };
  }
  const error = new ConsoleError('0A000', 'only SHUTDOWN WAIT_FOR_CLIENTS is supported', {
    hint: 'It tells new clients 57P03 and ends when the last session has.',
  });
  return { kind: 'refused', what: 'SHUTDOWN', error };
}

/** Refuses what follows a whole command: whoever writes RELOAD and a name would think that this alone is reloaded. */
function demandEnd(tokens: readonly SqlToken[], length: number): void {
  const next = tokens[length];
  if (next !== undefined) throw new ConsoleError('42601', `syntax error at or near "${next.text}"`);
}

/** `SHOW name`, `SHOW TRANSACTION ISOLATION LEVEL`, `SHOW TIME ZONE`; a name may have a dot in it. */
function showName(tokens: readonly SqlToken[]): string {
  const rest = tokens.slice(1);
  const isDotted = rest.some(({ text }) => text === '.');
  const name = rest.map((token) => valueOf(token).toLowerCase()).join(isDotted ? '' : ' ');
  if (name === '') throw new ConsoleError('42601', 'syntax error at end of input');
  if (name === 'transaction isolation level') return 'transaction_isolation';
  return name === 'time zone' ? 'timezone' : name;
}

/** The id may be quoted in any way, or be neither a word nor a number alone, such as `4f-2a`. */
function clientId(tokens: readonly SqlToken[]): string {
  const rest = tokens.slice(1);
  const [only] = rest;
  if (only === undefined) throw new ConsoleError('42601', 'syntax error at end of input');
  return rest.length === 1 && only.kind !== 'word' ? valueOf(only) : rest.map(({ text }) => text).join('');
}
