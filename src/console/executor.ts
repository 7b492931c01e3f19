// Carries out one statement of a console and says what it answers with. Knows nothing of messages.

import { setImmediate } from 'node:timers/promises';
import type { ConsoleSession, ConsoleView } from './console-view.ts';
import { ConsoleError } from './console-error.ts';
import { ACTIONS, type EngineRequest, type EngineResponse } from './engine-messages.ts';
import { Engine } from './engine.ts';
import { SAMPLES, type PgType, type SqlValue } from './pg-types.ts';
import { resultColumns, type ResultColumn } from './result-types.ts';
import { HELP, isPoolerTopic, isShowTopic, show, shownText } from './show.ts';
import { SERVER_SETTINGS, serverVersion } from './server-settings.ts';
import { toEngineSql } from './sql-dialect.ts';
import type { SqlToken } from './sql-tokens.ts';
import type { Statement } from './statement.ts';
import { loadTable, tableNames } from './tables.ts';

/** Who sits at a console, and what it can see. */
export interface ConsoleContext {
  readonly view: ConsoleView;
  readonly user: string;
  /** By the lists in force: `stats` may only look, `none` may nothing any more. */
  readonly role: () => 'admin' | 'stats' | 'none';
  readonly database: string;
  /** Its own number, which no session has. */
  readonly pid: number;
  /** A line in the log for what changes something. */
  readonly onAction: (what: string) => void;
}

/** What a statement answers with; `columns` null = no rows, only the tag. */
export interface Outcome {
  readonly columns: readonly ResultColumn[] | null;
  readonly rows: readonly (readonly SqlValue[])[];
  /** Without the number of rows, which SELECT adds. */
  readonly tag: string;
  readonly notices: readonly Notice[];
  /** Done once the client has been answered: it may end the console. */
  readonly afterwards?: () => void;
}

export interface Notice {
  readonly severity: 'NOTICE' | 'WARNING';
  readonly sqlstate: string;
  readonly message: string;
  readonly detail?: string;
}

/** More rounds than this of calls that lead to further calls are a defect of the statement. */
const MAX_ROUNDS = 3;

export class Executor {
  readonly #context: ConsoleContext;
  readonly #engine = new Engine();
  #isClosed = false;

  constructor(context: ConsoleContext) {
    this.#context = context;
  }

  /** Ends the statement that runs with 57014. */
  cancel(): void {
    this.#engine.cancel();
  }

  /** Nothing is carried out any more: neither the rest of a message nor the rest of a statement. */
  close(): void {
    this.#isClosed = true;
    this.#engine.close();
  }

  /** @throws ConsoleError */
  async run(statement: Statement, parameters: readonly SqlValue[]): Promise<Outcome> {
    this.demandAny();
    switch (statement.kind) {
      case 'select':
      case 'copy':
        return await this.#select(statement.tokens, parameters, { perform: true });
      case 'show':
        return await this.#show(statement.name);
      case 'begin':
        return tagOnly(statement.tag);
      case 'commit':
        return tagOnly('COMMIT');
      case 'rollback':
      case 'rollback-to':
        return tagOnly('ROLLBACK');
      case 'deallocate':
      case 'tag':
        return tagOnly(statement.tag);
      case 'reload':
        this.#demandAdmin('RELOAD');
        await this.#reload();
        return tagOnly('RELOAD');
      case 'kill-client':
        return await this.#killClient(statement.id);
      case 'shutdown':
        this.#demandAdmin('SHUTDOWN');
        this.#context.onAction('SHUTDOWN WAIT_FOR_CLIENTS');
        return {
          ...tagOnly('SHUTDOWN'),
          afterwards: () => void this.#context.view.drain().catch(() => undefined),
        };
      case 'refused':
        this.#demandAdmin(statement.what);
        throw statement.error;
      default:
        return statement satisfies never;
    }
  }

  /** The columns that a statement will answer with; null = none. Nothing is changed. */
  async describe(statement: Statement, types: readonly PgType[]): Promise<readonly ResultColumn[] | null> {
    this.demandAny();
    if (statement.kind === 'show') return (await this.#show(statement.name)).columns;
    if (statement.kind !== 'select') return null;
    const samples = types.map((type) => SAMPLES[type]);
    return (await this.#select(statement.tokens, samples, { perform: false })).columns;
  }

  async #select(
    tokens: readonly SqlToken[],
    parameters: readonly SqlValue[],
    { perform }: { readonly perform: boolean },
  ): Promise<Outcome> {
    const notices: Notice[] = [];
    const done: Record<string, number> = {};
    // Loaded once: a session that the first round has ended is still the row that its answer stands in.
    const state = await this.#stateFor(tokens);
    for (let round = 0; ; round++) {
      const response = await this.#ask(tokens, parameters, { ...state, done, describes: !perform });
      if (response.kind === 'error') {
        const isRelation = response.sqlstate === '42P01' || response.sqlstate === '42883';
        throw new ConsoleError(
          response.sqlstate,
          response.message,
          isRelation ? { hint: 'SHOW TABLES lists what there is.' } : {},
        );
      }
      if (!perform || response.calls.length === 0) {
        const columns = resultColumns(response.columns, tokens, response.rows);
        return { columns, rows: response.rows, tag: 'SELECT', notices };
      }
      if (round === MAX_ROUNDS) throw new ConsoleError('54001', 'the statement calls itself too often');
      for (const call of response.calls) {
        done[call] = Number(await this.#perform(call, notices));
        // Each looks through all sessions. Thousands of them in one turn would hold up those that are to stay.
        await setImmediate();
        this.demandAny();
      }
    }
  }

  /** What the statement may read, as it is now. */
  async #stateFor(tokens: readonly SqlToken[]): Promise<Pick<EngineRequest, 'tables' | 'settings'>> {
    const named = new Set(tokens.map(({ word, text }) => (text.startsWith('"') ? text.slice(1, -1) : word)));
    const wanted = tableNames.filter((name) => named.has(name));
    const { view } = this.#context;
    const tables = await Promise.all(wanted.map(async (name) => await loadTable(name, view)));
    return { tables, settings: named.has('current_setting') ? await this.#settings() : {} };
  }

  async #ask(
    tokens: readonly SqlToken[],
    parameters: readonly SqlValue[],
    { done, describes, tables, settings }: Pick<EngineRequest, 'done' | 'describes' | 'tables' | 'settings'>,
  ): Promise<EngineResponse> {
    const { view, user, database, pid } = this.#context;
    return await this.#engine.run({
      sql: toEngineSql(tokens),
      describes,
      parameters,
      tables,
      constants: {
        version: versionText(view.version),
        pg_backend_pid: pid,
        current_user: user,
        session_user: user,
        current_role: user,
        user,
        current_database: database,
        current_catalog: database,
        current_schema: 'pg_catalog',
        pg_is_in_recovery: 0,
        pg_advisory_unlock_all: null,
        txid_current: 0,
      },
      settings,
      done,
    });
  }

  async #settings(): Promise<Record<string, string>> {
    const own = (await this.#context.view.settings()).map(
      (setting) => [setting.name.toLowerCase(), shownText(setting)] as const,
    );
    return {
      ...SERVER_SETTINGS,
      server_version: serverVersion(this.#context.view.version),
      ...Object.fromEntries(own),
    };
  }

  /** A call of a function that changes something; returns what it returns. */
  async #perform(call: string, notices: Notice[]): Promise<boolean> {
    const [, name = '', argument = ''] = /^(\w+)\((.*)\)$/s.exec(call) ?? [];
    const action = ACTIONS.find((each) => each === name);
    this.#demandAdmin(`function ${name}`);
    if (action === 'pg_reload_conf') {
      await this.#reload();
      return true;
    }
    const { view, onAction } = this.#context;
    // A second argument is how long to wait for the end: a session is gone as soon as it is told.
    const pid = Number(argument.split(',')[0]);
    const session = await this.#sessionOf(pid);
    const isDone =
      session !== undefined &&
      (action === 'pg_terminate_backend' ? await view.terminate(session.id) : await view.cancel(session.id));
    if (isDone) onAction(`${name}(${argument})`);
    else {
      notices.push({
        severity: 'WARNING',
        sqlstate: '01000',
        message: `PID ${pid} is not a PostgreSQL backend process`,
      });
    }
    return isDone;
  }

  /** SECURITY: an upstream may give one number to several sessions, as poolers do. None of them is ended for another. */
  async #sessionOf(pid: number): Promise<ConsoleSession | undefined> {
    const [session, ...others] = (await this.#context.view.sessions()).filter((each) => each.pid === pid);
    if (others.length === 0) return session;
    throw new ConsoleError('21000', `${1 + others.length} sessions have PID ${pid}`, {
      hint: 'End one by its id: KILL_CLIENT id.',
    });
  }

  async #reload(): Promise<void> {
    this.#context.onAction('reload');
    const problems = await this.#context.view.reload();
    if (problems === null) return;
    throw new ConsoleError('F0000', 'the configuration was not reloaded whole', {
      detail: problems.join('\n'),
    });
  }

  async #killClient(id: string): Promise<Outcome> {
    this.#demandAdmin('KILL_CLIENT');
    const { view, onAction } = this.#context;
    if (!(await view.terminate(id))) throw new ConsoleError('42704', 'client not found');
    onAction(`KILL_CLIENT ${id}`);
    return tagOnly('KILL_CLIENT');
  }

  async #show(name: string): Promise<Outcome> {
    const { view, database } = this.#context;
    if (name === 'help') {
      const notice: Notice = {
        severity: 'NOTICE',
        sqlstate: '00000',
        message: 'Console usage',
        detail: `\n\t${HELP}`,
      };
      return { columns: null, rows: [], tag: 'SHOW', notices: [notice] };
    }
    if (isShowTopic(name)) return { ...(await show(name, { view, database })), tag: 'SHOW', notices: [] };
    if (isPoolerTopic(name)) {
      throw new ConsoleError('0A000', `SHOW ${name.toUpperCase()} is not supported: the gate has no pool`, {
        hint: 'SHOW HELP lists what there is.',
      });
    }
    const value = new Map(Object.entries(await this.#settings())).get(name);
    if (value === undefined) {
      throw new ConsoleError('42704', `unrecognized configuration parameter "${name}"`, {
        hint: 'SHOW CONFIG lists the settings.',
      });
    }
    return { columns: [{ name, type: 'text' }], rows: [[value]], tag: 'SHOW', notices: [] };
  }

  /**
   * SECURITY: a reload that takes the user off both lists ends what the console may show, too.
   *
   * @throws ConsoleError
   */
  demandAny(): void {
    if (this.#isClosed) throw new ConsoleError('57P01', 'the console has ended');
    if (this.#context.role() === 'none') {
      throw new ConsoleError('42501', 'permission denied: the user is in neither list any more');
    }
  }

  /** SECURITY: anyone who may only look changes nothing, by whatever words (CVE-2026-6667). */
  #demandAdmin(what: string): void {
    if (this.#context.role() !== 'admin') throw new ConsoleError('42501', `permission denied for ${what}`);
  }
}

/** What `select version()` says; drivers look for the number after the first word. */
function versionText(version: string): string {
  return `PostgreSQL ${serverVersion(version)}`;
}

function tagOnly(tag: string): Outcome {
  return { columns: null, rows: [], tag, notices: [] };
}
