// The gate under soak, as installed: its log is followed line by line and kept only as far as it is still needed.

import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text as textOf } from 'node:stream/consumers';
import type { TestAuthority } from '../test/support/certificates/certificates.ts';
import { isPlainObject, writeGateFiles, type GateFiles } from '../test/support/run/gate-files.ts';
import { cleanEnvironment, programCommand } from '../test/support/run/program.ts';
import { atEnd, type Scope } from '../test/support/run/scope.ts';
import { supervise, type Supervised } from '../test/support/run/supervise.ts';
import { within } from '../test/support/run/waiting.ts';

const ADMIN_PATIENCE_MS = 60_000;

interface ConnectionLines {
  readonly port: number;
  endings: number;
}

/** What the log has said so far. */
export class LogBook {
  lines = 0;
  readonly notJson: string[] = [];
  readonly errors: string[] = [];
  received = 0;
  /** Closing lines by their code; `relayed` for a disconnection. */
  readonly endings = new Map<string, number>();
  /** Connections without a closing line, by id. */
  readonly open = new Map<string, ConnectionLines>();
  /** Ids that have had more than one. */
  readonly endedTwice: string[] = [];
  readonly #workers = new Map<number, { readonly pid: number; readonly at: number }>();
  readonly #ended = new Set<string>();

  /** The process that has accepted a connection from this client's port since then, in milliseconds since 1970. */
  workerOf(port: number, since: number): number | null {
    const last = this.#workers.get(port);
    return last === undefined || last.at < since ? null : last.pid;
  }

  read(text: string): Record<string, unknown> | null {
    this.lines++;
    const line = parse(text);
    if (line === null) {
      this.notJson.push(text);
      return null;
    }
    const { id, msg, code, level } = line;
    if (level === 'error' || level === 'fatal' || code === 'internal-error') this.errors.push(text);
    if (typeof id === 'string' && typeof msg === 'string')
      this.#note(id, msg, code, Date.parse(String(line['time'])));
    return line;
  }

  #note(id: string, msg: string, code: unknown, at: number): void {
    const port = /^connection received: host=\S+ port=(\d+)$/.exec(msg)?.[1];
    if (port !== undefined) {
      this.received++;
      this.open.set(id, { port: Number(port), endings: 0 });
      this.#workers.set(Number(port), { pid: Number(id.split('-')[0]), at });
      return;
    }
    const ending = typeof code === 'string' ? code : msg.startsWith('disconnection: ') ? 'relayed' : null;
    if (ending === null) return;
    this.endings.set(ending, (this.endings.get(ending) ?? 0) + 1);
    this.open.delete(id);
    // Only the latest are remembered: a second line follows the first at once or never.
    if (this.#ended.has(id)) this.endedTwice.push(id);
    this.#ended.add(id);
    if (this.#ended.size > 10_000) this.#ended.delete(this.#ended.values().next().value ?? '');
  }
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isPlainObject(value) && typeof value['msg'] === 'string' && typeof value['time'] === 'string'
      ? value
      : null;
  } catch {
    return null;
  }
}

export class SoakGate {
  readonly book = new LogBook();
  readonly directory: string;
  readonly #ready = Promise.withResolvers<void>();
  #child: Supervised | null = null;
  #ending = false;
  port = 0;
  #adminUrl = '';

  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  /** Starts dist/ with these files, and waits until it accepts connections. */
  async start(
    t: Scope,
    authority: TestAuthority,
    files: GateFiles,
    onDeath: (why: string) => void,
  ): Promise<void> {
    writeGateFiles(this.directory, authority, files);
    const [command, ...before] = programCommand('dist');
    const child = await supervise({
      command,
      args: [...before, 'serve', '--config', join(this.directory, 'gatehouse.yaml')],
      cwd: this.directory,
      env: cleanEnvironment(),
      stopSignal: 'SIGTERM',
      graceMs: 60_000,
    });
    this.#child = child;
    atEnd(t, () => this.stop());
    createInterface({ input: child.stdout }).on('line', (text) => this.#read(text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.book.errors.push(`stderr: ${text}`));
    const died = child.exited.then(({ code, signal }): never => {
      if (!this.#ending) onDeath(`the gate ended: ${code ?? signal}`);
      throw new Error('the gate did not start');
    });
    died.catch(() => {});
    await within(Promise.race([this.#ready.promise, died]), 'the gate to be ready', 60_000);
  }

  #read(text: string): void {
    const line = this.book.read(text);
    if (line === null) return;
    const { msg, port, url } = line;
    if (typeof msg !== 'string') return;
    if (msg.startsWith('listening on ') && typeof port === 'number') this.port = port;
    if (msg.startsWith('admin listener on ') && typeof url === 'string') this.#adminUrl = url;
    if (msg === 'ready to accept connections') this.#ready.resolve();
  }

  /** Ends it by SIGTERM; its exit status. */
  async stop(): Promise<number | null> {
    this.#ending = true;
    return (await this.#child?.stop())?.code ?? null;
  }

  /** One request on a connection of its own: one that is kept may be closed by the gate just as it is used again. */
  async admin(path: string, method = 'GET'): Promise<{ readonly status: number; readonly body: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
    const asking = request(`${this.#adminUrl}${path}`, { method, agent: false }, (response) => {
      textOf(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    asking.on('error', reject).end();
    return await within(promise, `an answer to ${method} ${path}`, ADMIN_PATIENCE_MS);
  }

  /** Replaces a file at one stroke. */
  rewrite(file: string, content: string): void {
    const path = join(this.directory, file);
    writeFileSync(`${path}.new`, content, { mode: file.endsWith('.key') ? 0o600 : 0o644 });
    renameSync(`${path}.new`, path);
  }

  /** Its processes: it leads a group of its own, first itself, then its workers. */
  processes(): number[] {
    const leader = this.#child?.pid ?? 0;
    const group = readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .map(Number)
      .filter((pid) => groupOf(pid) === leader);
    return group.toSorted((a, b) => Number(b === leader) - Number(a === leader));
  }

  /** Descriptors and resident memory, the workers' included. */
  resources(): { readonly descriptors: number; readonly rssMiB: number } {
    let descriptors = 0;
    let rssKiB = 0;
    for (const pid of this.processes()) {
      try {
        descriptors += readdirSync(`/proc/${pid}/fd`).length;
        rssKiB += Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
      } catch {
        // It has ended in between.
      }
    }
    return { descriptors, rssMiB: Math.round(rssKiB / 1024) };
  }
}

function groupOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
  } catch {
    return null;
  }
}
