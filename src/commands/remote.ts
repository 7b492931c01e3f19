// `pg-gatehouse sessions | reload | terminate ID`: talk to a running gate's admin listener (contract §1, §7.27).
// Exit status 0, or 1 when the gate cannot be reached or does not do what was asked.

import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { request as requestTls, type RequestOptions } from 'node:https';
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { escapeInvisible } from '../base/escape-invisible.ts';
import { systemMessage } from '../base/system-error.ts';
import { action, CommandError, exitStatus, UsageError } from './action.ts';

const DEFAULT_ADMIN = 'http://127.0.0.1:9432';
/** A reload loads everything and reaches every worker before it answers (contract §7.2). */
const ANSWER_TIMEOUT_MS = 60_000;
/** Room for 100,000 sessions. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Where an admin listener stands. */
interface AdminTarget {
  /** As typed, for messages. */
  readonly url: string;
  readonly tls: boolean;
  /** For node:http and node:https. */
  readonly socket: { readonly host: string; readonly port: number } | { readonly socketPath: string };
}

export interface RemoteOptions {
  readonly admin: AdminTarget;
  /** PEM files for a listener with TLS. */
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  /** The listener's answer as it came. */
  readonly json?: true;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly value: unknown;
}

/** Adds the three commands to the program. */
export function registerRemote(program: Command): void {
  remote(program.command('sessions'))
    .description('list the live sessions of a running gate')
    .action(action(sessions));

  remote(program.command('reload'))
    .description('make a running gate read its configuration again')
    .action(action(reload));

  remote(program.command('terminate'))
    .description('end one session of a running gate')
    .argument('<id>', 'the session, as `sessions` shows it')
    .action(action(terminate));
}

export function remote(command: Command): Command {
  return command
    .addOption(
      new Option('--admin <url>', "the gate's admin listener: http(s)://HOST:PORT or unix:/PATH")
        .default(adminTarget(DEFAULT_ADMIN), DEFAULT_ADMIN)
        .argParser(adminTarget),
    )
    .option('--cert <file>', 'the certificate to show to an https listener')
    .option('--key <file>', 'its private key')
    .option('--ca <file>', "the root that the listener's certificate must lead to (default: public CAs)")
    .option('--json', "print the gate's answer as it is");
}

async function sessions({ json, ...listener }: RemoteOptions): Promise<number> {
  const answer = await ask(listener, 'GET', '/sessions');
  if (answer.status !== 200) throw refused(answer);
  print(json === true ? answer.body : sessionTable(records(answer.value)));
  return exitStatus.fine;
}

async function reload({ json, ...listener }: RemoteOptions): Promise<number> {
  const answer = await ask(listener, 'POST', '/reload');
  if (answer.status !== 200 && answer.status !== 422) throw refused(answer);
  if (json === true) {
    print(answer.body);
  } else {
    for (const problem of records(field(answer.value, 'errors'))) print(problemText(problem));
    for (const problem of records(field(answer.value, 'warnings'))) print(problemText(problem, 'WARNING:  '));
    const parts = field(answer.value, 'reloaded');
    print(
      `reloaded: ${Array.isArray(parts) && parts.length > 0 ? escapeInvisible(parts.join(', ')) : 'nothing'}`,
    );
  }
  return answer.status === 200 ? exitStatus.fine : exitStatus.failed;
}

async function terminate(id: string, { json, ...listener }: RemoteOptions): Promise<number> {
  const answer = await ask(listener, 'DELETE', `/sessions/${encodeURIComponent(id)}`);
  if (answer.status !== 200) throw refused(answer);
  print(json === true ? answer.body : `session ${escapeInvisible(id)} was terminated`);
  return exitStatus.fine;
}

/** Throws CommandError where no gate answers. */
export async function ask(listener: Listener, method: string, path: string): Promise<Answer> {
  const { url } = listener.admin;
  const options = { ...listener.admin.socket, ...credentials(listener) };
  try {
    const { status, body } = await exchange(listener.admin.tls ? requestTls : request, options, method, path);
    return { status, body, value: JSON.parse(body) };
  } catch (error) {
    throw new CommandError(`could not reach the gate at ${url}: ${reason(error)}`);
  }
}

type Listener = Omit<RemoteOptions, 'json'>;

function credentials({ cert, key, ca }: Listener): Pick<RequestOptions, 'cert' | 'key' | 'ca'> {
  if ((cert === undefined) !== (key === undefined)) throw new UsageError('--cert and --key go together');
  return {
    ...(cert === undefined || key === undefined ? {} : { cert: readFileSync(cert), key: readFileSync(key) }),
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
  };
}

function exchange(
  send: typeof request,
  options: RequestOptions,
  method: string,
  path: string,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const sent = send({ ...options, method, path, signal, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('error', reject);
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        length += chunk.length;
        if (length > MAX_ANSWER_BYTES) response.destroy(new Error('its answer is too long'));
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

function reason(error: unknown): string {
  if (error instanceof SyntaxError) return 'what answers there is not a gate';
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError' || error.name === 'AbortError') {
    return `no answer within ${ANSWER_TIMEOUT_MS / 1000} s`;
  }
  // For a name with several addresses Node reports all failures together. The first is enough.
  if (error instanceof AggregateError && error.errors.length > 0) return reason(error.errors[0]);
  return systemMessage(error);
}

export function refused({ status, value }: Answer): CommandError {
  const error = field(value, 'error');
  return new CommandError(typeof error === 'string' ? escapeInvisible(error) : `the gate answered ${status}`);
}

/** `file:line: message` with its DETAIL and HINT, as `check` prints it. */
function problemText(problem: object, prefix = ''): string {
  const place = [field(problem, 'file'), field(problem, 'line')]
    .map(shown)
    .filter((part) => part !== '')
    .join(':');
  const lines = [`${prefix}${place}: ${shown(field(problem, 'message'))}`];
  for (const name of ['detail', 'hint'] as const) {
    const text = field(problem, name);
    if (typeof text === 'string') lines.push(`  ${name.toUpperCase()}: ${escapeInvisible(text)}`);
  }
  return lines.join('\n');
}

const sessionColumns: readonly (readonly [string, (row: object) => string])[] = [
  ['ID', (row) => shown(field(row, 'id'))],
  ['USER', (row) => shown(field(row, 'user'))],
  ['DATABASE', (row) => shown(field(row, 'database'))],
  ['CLIENT', (row) => `${shown(field(row, 'client_addr'))} port ${shown(field(row, 'client_port'))}`],
  ['APPLICATION', (row) => shown(field(row, 'application_name'))],
  ['SINCE', (row) => shown(field(row, 'backend_start'))],
  ['TLS', (row) => shown(field(row, 'version') ?? 'none')],
  ['CERTIFICATE', (row) => shown(field(row, 'client_dn'))],
  [
    'RULE',
    (row) => `${shown(field(field(row, 'rule'), 'file'))}:${shown(field(field(row, 'rule'), 'line'))}`,
  ],
  ['BYTES IN', (row) => shown(field(row, 'bytes_in'))],
  ['BYTES OUT', (row) => shown(field(row, 'bytes_out'))],
  ['STATE', stateText],
];

/** The state, and whether a reload would refuse the session. */
function stateText(row: object): string {
  const state = shown(field(row, 'state'));
  const judgement = shown(field(row, 'judgement'));
  return judgement === '' || judgement === 'admitted' ? state : `${state}, ${judgement}`;
}

function sessionTable(rows: readonly object[]): string {
  const count = `(${rows.length} ${rows.length === 1 ? 'session' : 'sessions'})`;
  return [...table(sessionColumns, rows), count].join('\n');
}

/** Rows as lines, each column as wide as its longest cell, under a line of titles. */
export function table(
  columns: readonly (readonly [title: string, read: (row: object) => string])[],
  rows: readonly object[],
): readonly string[] {
  const lines = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, read]) => read(row)))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines.map((line) =>
    line
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** SECURITY: names are the clients' words, and escape sequences in them would be the terminal's commands. */
export function shown(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? escapeInvisible(String(value)) : '';
}

/** A member of a JSON object; null where there is none. */
export function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return null;
  return Object.getOwnPropertyDescriptor(value, name)?.value ?? null;
}

/** The objects of a JSON array. Empty where the value is not an array. */
export function records(value: unknown): readonly object[] {
  return Array.isArray(value) ? value.filter((row) => typeof row === 'object' && row !== null) : [];
}

/** `http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH`. */
function adminTarget(url: string): AdminTarget {
  if (url.startsWith('unix:/')) return { url, tls: false, socket: { socketPath: url.slice('unix:'.length) } };
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const tls = parsed?.protocol === 'https:';
  if (
    parsed === null ||
    !(tls || parsed.protocol === 'http:') ||
    parsed.pathname !== '/' ||
    parsed.search !== ''
  ) {
    throw new InvalidArgumentError('give http://HOST:PORT, https://HOST:PORT or unix:/PATH');
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  return { url, tls, socket: { host, port: parsed.port === '' ? (tls ? 443 : 80) : Number(parsed.port) } };
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
