// What the tests of the console start from: a server, the gate before it with a console, and three people who have
// certificates: alice may do everything there, bob may look, carol is in no list.

import type { Credentials } from '../support/certificates/certificates.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { startGate, type Gate, type GateOptions } from '../support/run/gate.ts';
import { startPostgres, type PostgresServer } from '../support/servers/postgres.ts';
import { psql, startClient, connectionString, type ClientOptions } from '../support/peers/psql.ts';
import { createInterface } from 'node:readline';
import { Arrivals, within } from '../support/run/waiting.ts';

export type Person = 'alice' | 'bob' | 'carol';

export interface AtConsole {
  readonly server: PostgresServer | null;
  readonly gate: Gate;
  /** One certificate a person. */
  readonly credentials: (person: Person) => Credentials;
  /** libpq's parameters; the database is the console's unless another is named. */
  readonly conninfo: (person: Person, database?: string) => Readonly<Record<string, string | number>>;
  /** Statements in psql, one after another; what it printed. */
  readonly ask: (person: Person, ...statements: readonly string[]) => Promise<string>;
}

export interface AtConsoleOptions {
  readonly hba?: string;
  readonly config?: GateOptions['config'];
  readonly env?: GateOptions['env'];
  /** Default: a PostgreSQL 18. Null = a port where nobody listens. */
  readonly upstream?: null;
}

export const CONSOLE_RULES = 'hostssl all all 127.0.0.1/32 cert\n';

export async function atConsole(t: Scope, options: AtConsoleOptions = {}): Promise<AtConsole> {
  const { hba = CONSOLE_RULES, config = {} } = options;
  const server = options.upstream === null ? null : await startPostgres({ version: 18 });
  if (server !== null) {
    atEnd(t, () => server.stop());
    for (const person of ['alice', 'bob', 'carol']) await server.createUser(person, { superuser: true });
  }
  const gate = await startGate(t, {
    hba,
    upstream: server ?? { host: '127.0.0.1', port: 1 },
    config: { admin_users: ['alice'], stats_users: 'bob', ...config },
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  const issued = new Map<Person, Credentials>();
  const credentials = (person: Person): Credentials => {
    const known = issued.get(person) ?? gate.authority.client(person);
    issued.set(person, known);
    return known;
  };
  const conninfo: AtConsole['conninfo'] = (person, database = 'gatehouse') => {
    const { certFile, keyFile } = credentials(person);
    return {
      host: 'localhost',
      hostaddr: '127.0.0.1',
      port: gate.port,
      dbname: database,
      user: person,
      sslmode: 'verify-full',
      sslrootcert: gate.authority.caFile,
      sslcert: certFile,
      sslkey: keyFile,
    };
  };
  const ask: AtConsole['ask'] = async (person, ...statements) => {
    const { stdout, stderr } = await psql(
      conninfo(person),
      statements.flatMap((statement) => ['-c', statement]),
    );
    return `${stdout}${stderr}`.trimEnd();
  };
  return { server, gate, credentials, conninfo, ask };
}

/** A psql that stays: statements are written to it, and what it prints is waited for. */
export class Talk {
  readonly #lines = new Arrivals<string>();
  readonly #child;

  constructor(t: Scope, conninfo: Readonly<Record<string, string | number>>, options: ClientOptions = {}) {
    this.#child = startClient(t, 'psql', ['-X', '-w', '-A', '-t', connectionString(conninfo)], options);
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#lines.push(line));
    if (this.#child.stderr !== null)
      createInterface({ input: this.#child.stderr }).on('line', (line) => this.#lines.push(line));
  }

  /**
   * Sends a statement; returns the lines of its answer. A marker follows it on each of psql's two outputs, since nothing
   * orders what comes on one by what comes on the other.
   */
  async ask(statement: string): Promise<readonly string[]> {
    const from = this.#lines.items.length;
    const markers = [`-- ${from} out --`, `-- ${from} err --`];
    this.#child.stdin.write(`${statement}\n\\echo '${markers[0]}'\n\\warn '${markers[1]}'\n`);
    for (const marker of markers) {
      await this.#lines.next(
        (line) => line === marker,
        () => `psql to answer ${statement}`,
        { from },
      );
    }
    return this.#lines.items.slice(from).filter((line) => !markers.includes(line));
  }

  /** Sends without waiting. */
  send(text: string): void {
    this.#child.stdin.write(`${text}\n`);
  }

  /** Ctrl-C. */
  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  /** Waits for a line that fits. */
  async line(pattern: RegExp): Promise<string> {
    return await within(
      this.#lines.next(
        (line) => pattern.test(line),
        () => `psql to print ${pattern}`,
      ),
      `psql to print ${pattern}`,
    );
  }

  /** Waits until so many lines fit. */
  async lines(count: number, pattern: RegExp): Promise<void> {
    for (let from = 0; count > 0; count--) {
      const found = await this.#lines.next(
        (line) => pattern.test(line),
        () => `psql to print ${pattern} again`,
        { from },
      );
      from = this.#lines.items.indexOf(found, from) + 1;
    }
  }
}
