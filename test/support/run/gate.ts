// The real program, started as an operator starts it, in a directory of its own, with everything on loopback and
// every port chosen by the kernel. What it logs can be waited on; that it dies unasked fails the test.

import { chmodSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { testAuthority, type TestAuthority } from '../certificates/certificates.ts';
import { isPlainObject, writeGateFiles, type GateFiles } from './gate-files.ts';
import { cleanEnvironment, programCommand, type Via } from './program.ts';
import { atEnd, type Scope } from './scope.ts';
import { Metrics } from './scrape.ts';
import { supervise, type Exit, type Supervised } from './supervise.ts';
import { temporaryDirectory } from './temporary.ts';
import { Arrivals, PATIENCE_MS, within } from './waiting.ts';

export interface GateOptions extends GateFiles {
  readonly env?: Readonly<Record<string, string>>;
  readonly via?: Via;
  /** Another program than the one of this tree: the command up to the program's own arguments. */
  readonly command?: readonly string[];
  /** Shell commands that come before the program, in its own process: limits, variables that name its pid. */
  readonly prelude?: string;
  /** Whose certificates: default, a new authority of this test (`gate.authority`). */
  readonly authority?: TestAuthority;
}

/** One line of the log: pino's fields as they stand in contract §4. */
export interface LogLine {
  readonly msg: string;
  readonly level?: number | string;
  readonly code?: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly [field: string]: unknown;
}

export type LineTest =
  ((line: LogLine) => boolean) | { readonly code: string } | { readonly msg: string | RegExp };

/** Thrown by startGate() when the program ends instead of accepting connections. */
export class GateStartError extends Error {
  readonly exit: Exit;
  readonly log: readonly LogLine[];
  readonly stderr: string;
  constructor(exit: Exit, log: readonly LogLine[], stderr: string) {
    super(
      `the gate ended (${exit.code ?? exit.signal}) before it was ready:\n${stderr}${log.map(oneLine).join('\n')}`,
    );
    this.name = 'GateStartError';
    this.exit = exit;
    this.log = log;
    this.stderr = stderr;
  }
}

export interface AdminRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** How long the answer is waited for. */
  readonly timeoutMs?: number;
}

export interface AdminAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

/** What GET /sessions says of a session: contract §5. */
export type SessionRow = Readonly<Record<string, unknown>> & { readonly id: number | string };

/** Signals that a gate lives through. */
const PASSING = new Set<NodeJS.Signals>(['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGSTOP', 'SIGCONT']);
const READY = 'ready to accept connections';

/**
 * How long a gate may take to end before it is killed: its clients have some seconds to take their last words, its
 * workers some more, and the machine may be busy.
 */
const END_MS = 20_000;

/** Starts `pg-gatehouse serve` and waits until it accepts connections. @throws GateStartError */
export async function startGate(t: Scope, options: GateOptions): Promise<Gate> {
  const authority = options.authority ?? testAuthority(t);
  const directory = temporaryDirectory(t);
  writeGateFiles(directory, authority, options);
  const program = [
    ...(options.command ?? programCommand(options.via)),
    'serve',
    '--config',
    join(directory, 'gatehouse.yaml'),
  ];
  const child = await supervise({
    command: '/bin/sh',
    args: ['-c', `${options.prelude ?? ':'}; exec "$0" "$@"`, ...program],
    cwd: directory,
    env: cleanEnvironment(options.env),
    stopSignal: 'SIGINT',
    graceMs: END_MS,
  });
  const gate = new Gate(t, directory, authority, child);
  atEnd(t, () => gate.stop());
  await gate.ready();
  return gate;
}

/** A running gate; made by startGate() only. */
export class Gate {
  /** Where its configuration lies. */
  readonly directory: string;
  readonly authority: TestAuthority;
  readonly pid: number;
  /** How it ended. */
  readonly exited: Promise<Exit>;
  readonly #child: Supervised;
  readonly #log = new Arrivals<LogLine>();
  #stdout = '';
  #stderr = '';
  /** Set once the test itself has asked for the end. */
  #mayEnd = false;
  #started = false;

  constructor(t: Scope, directory: string, authority: TestAuthority, child: Supervised) {
    this.directory = directory;
    this.authority = authority;
    this.pid = child.pid;
    this.exited = child.exited;
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.#log.push(parseLine(line)));
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (this.#stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (this.#stderr += chunk));
    void child.exited.then((exit) => this.#ended(t, exit));
  }

  /** Every line it has logged so far. */
  get log(): readonly LogLine[] {
    return this.#log.items;
  }

  /** The log as it was written. */
  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** The (first) port it listens on. */
  get port(): number {
    return this.listeners[0]!.port;
  }

  /** Every address it listens on. */
  get listeners(): readonly { readonly address: string; readonly port: number }[] {
    return this.log.flatMap(({ msg, address, port }) =>
      /^listening on IPv[46] address/.test(msg) && typeof address === 'string' && typeof port === 'number'
        ? [{ address, port }]
        : [],
    );
  }

  /** The admin listener's base: `http://127.0.0.1:PORT` or `unix:/path`. @throws Error when it is off. */
  get adminUrl(): string {
    const line = this.log.find(({ msg }) => msg.startsWith('admin listener on '));
    if (typeof line?.['url'] !== 'string') throw new Error('the gate has no admin listener');
    return line['url'];
  }

  /** Resolves with the ready line. @throws GateStartError */
  async ready(): Promise<void> {
    await this.waitForLog({ msg: READY }, { timeoutMs: 4 * PATIENCE_MS });
    this.#started = true;
  }

  /** Number of lines so far: `from` for a waitForLog() that shall see only later ones. */
  logLength(): number {
    return this.log.length;
  }

  /** The first line that fits, logged already or yet to come. @throws Error when none comes in time */
  async waitForLog(wanted: LineTest, options: { from?: number; timeoutMs?: number } = {}): Promise<LogLine> {
    return this.#log.next(
      (line) => fits(line, wanted),
      () =>
        `the gate to log ${String(typeof wanted === 'function' ? wanted : oneLine(wanted))}\n${this.#tail()}`,
      options,
    );
  }

  /** Sends a signal. After SIGTERM, SIGINT or SIGKILL its end is what the test expects. */
  signal(name: NodeJS.Signals): void {
    if (!PASSING.has(name)) this.#mayEnd = true;
    this.#child.kill(name);
  }

  /** From here on the test expects its end, whatever causes it. */
  mayEnd(): void {
    this.#mayEnd = true;
  }

  /** SIGHUP. */
  reload(): void {
    this.signal('SIGHUP');
  }

  /** Ends it without waiting for its sessions. @throws Error when it had to be killed */
  async stop(): Promise<Exit> {
    const alreadyAsked = this.#mayEnd;
    this.#mayEnd = true;
    const exit = await this.#child.stop();
    if (exit.signal === 'SIGKILL' && !alreadyAsked)
      throw new Error(`the gate did not end on SIGINT; ${this.#tail()}`);
    return exit;
  }

  /** One request to the admin listener. */
  async admin(
    path: string,
    { method = 'GET', headers = {}, timeoutMs = PATIENCE_MS }: AdminRequest = {},
  ): Promise<AdminAnswer> {
    const base = this.adminUrl;
    const target = base.startsWith('unix:')
      ? { socketPath: base.slice('unix:'.length), host: 'localhost' }
      : { host: new URL(base).hostname, port: new URL(base).port };
    const { promise, resolve, reject } = Promise.withResolvers<AdminAnswer>();
    const asking = request({ ...target, path, method, headers, agent: false }, (response) => {
      text(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        reject,
      );
    });
    asking.on('error', reject).end();
    return within(promise, `an answer to ${method} ${path}`, timeoutMs);
  }

  /** One scrape. */
  async metrics(): Promise<Metrics> {
    const { status, body } = await this.admin('/metrics');
    if (status !== 200) throw new Error(`/metrics answered ${status}`);
    return new Metrics(body);
  }

  /** GET /sessions. */
  async sessions(): Promise<readonly SessionRow[]> {
    const { body } = await this.admin('/sessions');
    const parsed: unknown = JSON.parse(body);
    if (!isSessionRows(parsed)) throw new Error(`/sessions answered ${body}`);
    return parsed;
  }

  path(file: string): string {
    return join(this.directory, file);
  }

  /** Replaces a file of the gate's directory at one stroke, keeping its mode. */
  rewrite(file: string, content: string | Uint8Array): void {
    const path = this.path(file);
    const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0o644;
    writeFileSync(`${path}.new`, content, { mode });
    chmodSync(`${path}.new`, mode);
    renameSync(`${path}.new`, path);
  }

  /** Open file descriptors of the gate and its workers. Linux. */
  fdCount(): number {
    return this.processes()
      .map((pid) => readdirSync(`/proc/${pid}/fd`).length)
      .reduce((sum, count) => sum + count, 0);
  }

  /** Resident memory of the gate and its workers, in bytes. Linux. */
  rssBytes(): number {
    return this.processes()
      .map(
        (pid) =>
          Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024,
      )
      .reduce((sum, bytes) => sum + bytes, 0);
  }

  /** The gate's process and its workers': it leads a process group of its own. Linux. */
  processes(): readonly number[] {
    return readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .filter((pid) => processGroup(pid) === this.pid)
      .map(Number);
  }

  #ended(t: Scope, exit: Exit): void {
    this.#log.end(new GateStartError(exit, this.log, this.#stderr));
    if (this.#started && !this.#mayEnd) {
      t.fail(`the gate ended unasked: ${exit.code ?? exit.signal}\n${this.#stderr}${this.#tail()}`);
    }
  }

  #tail(): string {
    return `its last log lines:\n${this.log.slice(-20).map(oneLine).join('\n')}`;
  }
}

function isLogLine(value: unknown): value is LogLine {
  return isPlainObject(value) && typeof value['msg'] === 'string';
}

function isSessionRows(value: unknown): value is SessionRow[] {
  return Array.isArray(value) && value.every((row) => isPlainObject(row) && 'id' in row);
}

/** A line that is no JSON is kept as it is: the test that looks at the log will show it. */
function parseLine(line: string): LogLine {
  try {
    const parsed: unknown = JSON.parse(line);
    if (isLogLine(parsed)) return parsed;
  } catch {
    // Falls through to the line itself.
  }
  return { msg: line };
}

function fits(line: LogLine, wanted: LineTest): boolean {
  if (typeof wanted === 'function') return wanted(line);
  if ('code' in wanted) return line.code === wanted.code;
  return typeof wanted.msg === 'string' ? line.msg === wanted.msg : wanted.msg.test(line.msg);
}

function oneLine(value: LogLine | Exclude<LineTest, (line: LogLine) => boolean>): string {
  return JSON.stringify(value, (_, part: unknown) => (part instanceof RegExp ? String(part) : part));
}

/** Field 5 of /proc/PID/stat; the command in field 2 may hold blanks and parentheses. */
function processGroup(pid: string): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
  } catch {
    return null;
  }
}
