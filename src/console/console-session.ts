// One console: the server's side of the simple and the extended query protocol over an Executor. An error ends a
// statement, never the session.

import { fromText, toText } from '../base/bytestring.ts';
import { decodeBind, formatAt, BIND_COMPLETE, type Format } from '../protocol/query/bind.ts';
import { CLOSE_COMPLETE, decodeTarget } from '../protocol/query/describe.ts';
import { decodeExecute, PORTAL_SUSPENDED } from '../protocol/query/execute.ts';
import { decodeParse, PARSE_COMPLETE } from '../protocol/query/parse.ts';
import { decodeQuery, EMPTY_QUERY_RESPONSE } from '../protocol/query/query.ts';
import { encodeReport } from '../protocol/error-response.ts';
import {
  encodeCommandComplete,
  encodeDataRow,
  encodeParameterDescription,
  encodeRowDescription,
  NO_DATA,
} from '../protocol/query/rows.ts';
import { encodeReadyForQuery, type TransactionStatus } from '../protocol/ready-for-query.ts';
import { MessageFormatError } from '../protocol/message-reader.ts';
import type { BackendStatus } from '../protocol/message-boundary.ts';
import { ConsoleError } from './console-error.ts';
import { copyRows } from './copy.ts';
import { Executor, type ConsoleContext, type Outcome } from './executor.ts';
import {
  decodeParameter,
  encodeValue,
  ParameterError,
  pgTypes,
  typeOfOid,
  type PgType,
  type SqlValue,
} from './pg-types.ts';
import { noParameter, parameterTypes, type ResultColumn } from './result-types.ts';
import { inOneForm } from './standard-forms.ts';
import { classify, type Statement } from './statement.ts';
import { splitStatements, SqlSyntaxError } from './sql-tokens.ts';

/** Prepared statements and portals that one console may hold. */
const MAX_NAMED = 1_000;

/** Rows that are written at one go. */
const ROWS_AT_ONCE = 256;

interface Prepared {
  /** Null = an empty query. */
  readonly statement: Statement | null;
  readonly parameterTypes: readonly PgType[];
  /** Known once it has been described. */
  columns: readonly ResultColumn[] | null | undefined;
}

interface Portal {
  readonly prepared: Prepared;
  readonly parameters: readonly SqlValue[];
  readonly formats: readonly Format[];
  /** Once it runs. */
  outcome: Outcome | null;
  sent: number;
}

/** Who gets the answers. */
export interface ConsoleClient {
  /** Sends one message. */
  readonly write: (message: Buffer) => void;
  /** Resolves when others have had their turn and the client has taken what was written, or has gone. */
  readonly drained: () => Promise<void>;
}

export class ConsoleSession {
  readonly #executor: Executor;
  readonly #write: (message: Buffer) => void;
  readonly #drained: () => Promise<void>;
  readonly #statements = new Map<string, Prepared>();
  readonly #portals = new Map<string, Portal>();
  #status: TransactionStatus = 'I';
  /** After an error in the extended protocol everything up to Sync is passed over. */
  #skipsToSync = false;

  /** @param client what is sent to, in order */
  constructor(context: ConsoleContext, client: ConsoleClient) {
    this.#executor = new Executor(context);
    this.#write = client.write;
    this.#drained = client.drained;
  }

  /** What it is between two messages. */
  get status(): BackendStatus {
    switch (this.#status) {
      case 'T':
        return 'idle in transaction';
      case 'E':
        return 'idle in transaction (aborted)';
      case 'I':
        return 'idle';
      default:
        return this.#status satisfies never;
    }
  }

  /** A cancel request with this console's key. */
  cancel(): void {
    this.#executor.cancel();
  }

  close(): void {
    this.#executor.close();
  }

  /**
   * Carries out one frontend message. Messages must be handed over one after another.
   *
   * @returns false = the client has said goodbye
   */
  async receive(type: string, body: Buffer): Promise<boolean> {
    if (type === 'X') return false;
    if (type === 'S') {
      this.#skipsToSync = false;
      if (this.#status === 'I') this.#portals.clear();
      this.#ready();
      return true;
    }
    if (this.#skipsToSync && type !== 'Q') return true;
    try {
      await this.#carryOut(type, body);
    } catch (error) {
      this.#fail(error);
      if (type !== 'Q') this.#skipsToSync = true;
    }
    if (type === 'Q') {
      this.#skipsToSync = false;
      this.#ready();
    }
    return true;
  }

  async #carryOut(type: string, body: Buffer): Promise<void> {
    switch (type) {
      case 'Q':
        return await this.#simpleQuery(toText(decodeQuery(body)));
      case 'P':
        return this.#parse(body);
      case 'B':
        return this.#bind(body);
      case 'D':
        return await this.#describe(body);
      case 'E':
        return await this.#execute(body);
      case 'C':
        return this.#close(body);
      case 'H':
        return; // Flush: everything is sent at once.
      case 'd':
      case 'c':
      case 'f':
        return; // What is left of a COPY that nobody began is passed over, as PostgreSQL does.
      default:
        throw new ConsoleError('08P01', `invalid frontend message type ${type.charCodeAt(0)}`);
    }
  }

  async #simpleQuery(sql: string): Promise<void> {
    this.#statements.delete('');
    const statements = splitStatements(sql).map(inOneForm);
    if (statements.length === 0) this.#write(EMPTY_QUERY_RESPONSE);
    for (const tokens of statements) {
      const parameter = tokens.find(({ kind }) => kind === 'parameter');
      if (parameter !== undefined) throw noParameter(parameter);
      const statement = classify(tokens);
      const outcome = await this.#run(statement, []);
      if (statement.kind === 'copy') {
        await this.#sendAll(copyRows(outcome, statement.format));
      } else if (outcome.columns !== null) {
        this.#write(rowDescription(outcome.columns, []));
        await this.#sendRows(outcome, outcome.columns, [], outcome.rows);
      }
      this.#complete(statement, outcome, outcome.rows.length);
      await this.#drained();
    }
  }

  #parse(body: Buffer): void {
    this.#executor.demandAny();
    const { name, query, parameterTypes: oids } = decodeParse(body);
    const statements = splitStatements(toText(query)).map(inOneForm);
    if (statements.length > 1) {
      throw new ConsoleError('42601', 'cannot insert multiple commands into a prepared statement');
    }
    if (name !== '' && this.#statements.has(name)) {
      throw new ConsoleError('42P05', `prepared statement "${toText(name)}" already exists`);
    }
    this.#demandRoom(this.#statements, name);
    const [tokens] = statements;
    this.#statements.set(name, {
      statement: tokens === undefined ? null : classify(tokens),
      parameterTypes: tokens === undefined ? [] : parameterTypes(tokens, oids.map(typeOfParameter)),
      columns: undefined,
    });
    this.#write(PARSE_COMPLETE);
  }

  #bind(body: Buffer): void {
    const message = decodeBind(body);
    const prepared = this.#prepared(message.statement);
    const wanted = prepared.parameterTypes.length;
    if (message.parameters.length !== wanted) {
      throw new ConsoleError(
        '08P01',
        `bind message supplies ${message.parameters.length} parameters, but prepared statement "${toText(message.statement)}" requires ${wanted}`,
      );
    }
    const parameters = message.parameters.map((bytes, index) =>
      decodeParameter(
        bytes,
        prepared.parameterTypes[index] ?? 'text',
        formatAt(message.parameterFormats, index),
      ),
    );
    this.#demandRoom(this.#portals, message.portal);
    this.#portals.set(message.portal, {
      prepared,
      parameters,
      formats: message.resultFormats,
      outcome: null,
      sent: 0,
    });
    this.#write(BIND_COMPLETE);
  }

  async #describe(body: Buffer): Promise<void> {
    const { kind, name } = decodeTarget(body);
    const portal = kind === 'portal' ? this.#portal(name) : null;
    const prepared = portal?.prepared ?? this.#prepared(name);
    if (kind === 'statement') {
      this.#write(encodeParameterDescription(prepared.parameterTypes.map((type) => pgTypes[type].oid)));
    }
    const columns = await this.#columnsOf(prepared);
    this.#write(columns === null ? NO_DATA : rowDescription(columns, portal?.formats ?? []));
  }

  async #columnsOf(prepared: Prepared): Promise<readonly ResultColumn[] | null> {
    prepared.columns ??=
      prepared.statement === null
        ? null
        : await this.#executor.describe(prepared.statement, prepared.parameterTypes);
    return prepared.columns;
  }

  async #execute(body: Buffer): Promise<void> {
    const { portal: name, maxRows } = decodeExecute(body);
    const portal = this.#portal(name);
    const { statement } = portal.prepared;
    if (statement === null) {
      this.#write(EMPTY_QUERY_RESPONSE);
      return;
    }
    if (statement.kind === 'copy')
      throw new ConsoleError('0A000', 'COPY works in the simple query protocol only');
    const isFirst = portal.outcome === null;
    const outcome = (portal.outcome ??= await this.#run(statement, portal.parameters));
    const { columns } = outcome;
    const end = maxRows === 0 ? outcome.rows.length : portal.sent + maxRows;
    const rows = outcome.rows.slice(portal.sent, end);
    // What a Describe has promised stands, whatever this run's rows would say.
    if (columns !== null)
      await this.#sendRows(outcome, portal.prepared.columns ?? columns, portal.formats, rows);
    portal.sent += rows.length;
    if (portal.sent < outcome.rows.length) this.#write(PORTAL_SUSPENDED);
    else this.#complete(statement, outcome, isFirst ? outcome.rows.length : rows.length);
  }

  #close(body: Buffer): void {
    const { kind, name } = decodeTarget(body);
    if (kind === 'portal') this.#portals.delete(name);
    else this.#statements.delete(name);
    this.#write(CLOSE_COMPLETE);
  }

  async #run(statement: Statement, parameters: readonly SqlValue[]): Promise<Outcome> {
    const isEnd = ['commit', 'rollback', 'rollback-to'].includes(statement.kind);
    if (this.#status === 'E' && !isEnd) {
      throw new ConsoleError(
        '25P02',
        'current transaction is aborted, commands ignored until end of transaction block',
      );
    }
    const outcome = await this.#executor.run(statement, parameters);
    if (statement.kind === 'deallocate') this.#deallocate(statement.name);
    return outcome;
  }

  /** Null = all, and the unnamed one stays, as in PostgreSQL. */
  #deallocate(name: string | null): void {
    if (name !== null) this.#prepared(fromText(name));
    const dropped =
      name === null ? [...this.#statements.keys()].filter((each) => each !== '') : [fromText(name)];
    for (const each of dropped) this.#statements.delete(each);
  }

  async #sendRows(
    { notices }: Outcome,
    columns: readonly ResultColumn[],
    formats: readonly Format[],
    rows: readonly (readonly SqlValue[])[],
  ): Promise<void> {
    for (const notice of notices) this.#write(encodeReport(notice));
    await this.#sendAll(dataRows(columns, formats, rows));
  }

  /** A hundred thousand rows hold no session up: others have their turn after every few hundred of them. */
  async #sendAll(messages: Iterable<Buffer>): Promise<void> {
    let count = 0;
    for (const message of messages) {
      this.#write(message);
      if (++count % ROWS_AT_ONCE === 0) await this.#drained();
    }
  }

  #complete(statement: Statement, outcome: Outcome, count: number): void {
    if (outcome.columns === null) for (const notice of outcome.notices) this.#write(encodeReport(notice));
    const wasFailed = this.#status === 'E';
    if (statement.kind === 'begin') this.#status = 'T';
    if (statement.kind === 'commit' || statement.kind === 'rollback') this.#status = 'I';
    if (statement.kind === 'rollback-to' && wasFailed) this.#status = 'T';
    const tag = wasFailed && statement.kind === 'commit' ? 'ROLLBACK' : outcome.tag;
    const counted = statement.kind === 'copy' ? `COPY ${count}` : tag === 'SELECT' ? `SELECT ${count}` : tag;
    this.#write(encodeCommandComplete(counted));
    outcome.afterwards?.();
  }

  #ready(): void {
    this.#write(encodeReadyForQuery(this.#status));
  }

  #fail(error: unknown): void {
    const { sqlstate, message, detail, hint } = reportable(error);
    this.#write(encodeReport({ severity: 'ERROR', sqlstate, message, detail, hint }));
    if (this.#status === 'T') this.#status = 'E';
  }

  #prepared(name: string): Prepared {
    const prepared = this.#statements.get(name);
    if (prepared === undefined) {
      const which = name === '' ? 'unnamed prepared statement' : `prepared statement "${toText(name)}"`;
      throw new ConsoleError('26000', `${which} does not exist`);
    }
    return prepared;
  }

  #portal(name: string): Portal {
    const portal = this.#portals.get(name);
    if (portal === undefined) throw new ConsoleError('34000', `portal "${toText(name)}" does not exist`);
    return portal;
  }

  #demandRoom(held: ReadonlyMap<string, unknown>, name: string): void {
    if (held.size >= MAX_NAMED && !held.has(name)) {
      throw new ConsoleError('53400', `a console holds at most ${MAX_NAMED} prepared statements and portals`);
    }
  }
}

function* dataRows(
  columns: readonly ResultColumn[],
  formats: readonly Format[],
  rows: readonly (readonly SqlValue[])[],
): Generator<Buffer> {
  for (const row of rows) {
    yield encodeDataRow(
      columns.map(({ type }, index) => encodeValue(row[index] ?? null, type, formatAt(formats, index))),
    );
  }
}

function rowDescription(columns: readonly ResultColumn[], formats: readonly Format[]): Buffer {
  return encodeRowDescription(
    columns.map(({ name, type }, index) => ({
      name,
      type: pgTypes[type].oid,
      size: pgTypes[type].size,
      format: formatAt(formats, index),
    })),
  );
}

/** 0 = the client leaves the type to the server. */
function typeOfParameter(oid: number): PgType | null {
  return oid === 0 || oid === 705 ? null : (typeOfOid(oid) ?? 'text');
}

function reportable(error: unknown): {
  sqlstate: string;
  message: string;
  detail?: string | undefined;
  hint?: string | undefined;
} {
  if (error instanceof ConsoleError) return error;
  if (error instanceof ParameterError) return error;
  if (error instanceof SqlSyntaxError) return { sqlstate: '42601', message: error.message };
  if (error instanceof MessageFormatError) return { sqlstate: '08P01', message: error.message };
  return { sqlstate: 'XX000', message: 'the console could not carry out the statement' };
}
