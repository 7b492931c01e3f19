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
import { bytesOf, PreparedStatements, type Prepared } from './prepared.ts';
import { noParameter, parameterTypes, type ResultColumn } from './result-types.ts';
import { inOneForm } from './standard-forms.ts';
import { classify, type Statement } from './statement.ts';
import { splitStatements, SqlSyntaxError, type SqlToken } from './sql-tokens.ts';

/** Rows that are written at one go. */
const ROWS_AT_ONCE = 256;

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
  readonly #held = new PreparedStatements();
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
    this.#held.dropStatement('');
    this.#held.dropPortal('');
    const statements = statementsOf(sql);
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
    const sql = toText(query);
    const statements = statementsOf(sql);
    if (statements.length > 1) {
      throw new ConsoleError('42601', 'cannot insert multiple commands into a prepared statement');
    }
    const [tokens] = statements;
    // What the console does not do is an error here, not at the Execute.
    if (tokens !== undefined) classify(tokens);
    const types = tokens === undefined ? [] : parameterTypes(tokens, oids.map(typeOfParameter));
    this.#held.addStatement(name, { sql, parameterTypes: types, columns: undefined });
    this.#write(PARSE_COMPLETE);
  }

  #bind(body: Buffer): void {
    const message = decodeBind(body);
    const prepared = this.#held.statement(message.statement);
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
    const portal = { prepared, parameters, formats: message.resultFormats, outcome: null, sent: 0 };
    this.#held.addPortal(message.portal, portal, body.length);
    this.#write(BIND_COMPLETE);
  }

  async #describe(body: Buffer): Promise<void> {
    const { kind, name } = decodeTarget(body);
    const portal = kind === 'portal' ? this.#held.portal(name) : null;
    const prepared = portal?.prepared ?? this.#held.statement(name);
    if (kind === 'statement') {
      this.#write(encodeParameterDescription(prepared.parameterTypes.map((type) => pgTypes[type].oid)));
    }
    const columns = await this.#columnsOf(prepared);
    this.#write(columns === null ? NO_DATA : rowDescription(columns, portal?.formats ?? []));
  }

  async #columnsOf(prepared: Prepared): Promise<readonly ResultColumn[] | null> {
    if (prepared.columns === undefined) {
      const statement = statementOf(prepared);
      prepared.columns =
        statement === null ? null : await this.#executor.describe(statement, prepared.parameterTypes);
    }
    return prepared.columns;
  }

  async #execute(body: Buffer): Promise<void> {
    const { portal: name, maxRows } = decodeExecute(body);
    const portal = this.#held.portal(name);
    const statement = statementOf(portal.prepared);
    if (statement === null) {
      this.#write(EMPTY_QUERY_RESPONSE);
      return;
    }
    if (statement.kind === 'copy')
      throw new ConsoleError('0A000', 'COPY works in the simple query protocol only');
    const isFirst = portal.outcome === null;
    const outcome = portal.outcome ?? (await this.#run(statement, portal.parameters));
    const { columns } = outcome;
    const end = maxRows === 0 ? outcome.rows.length : portal.sent + maxRows;
    const rows = outcome.rows.slice(portal.sent, end);
    const isSuspended = end < outcome.rows.length;
    if (isFirst && isSuspended) this.#held.keepRows(name, bytesOf(outcome.rows));
    // Notices, and what follows the answer, come once. The rows are needed no longer once all of them have been sent.
    portal.outcome = { columns, rows: isSuspended ? outcome.rows : [], tag: outcome.tag, notices: [] };
    portal.sent = isSuspended ? end : 0;
    // What a Describe has promised stands, whatever this run's rows would say.
    if (columns !== null)
      await this.#sendRows(outcome, portal.prepared.columns ?? columns, portal.formats, rows);
    if (isSuspended) this.#write(PORTAL_SUSPENDED);
    else this.#complete(statement, outcome, isFirst ? outcome.rows.length : rows.length);
  }

  #close(body: Buffer): void {
    const { kind, name } = decodeTarget(body);
    if (kind === 'portal') this.#held.dropPortal(name);
    else this.#held.dropStatement(name);
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
    if (statement.kind === 'deallocate')
      this.#held.deallocate(statement.name === null ? null : fromText(statement.name));
    return outcome;
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
    if (statement.kind === 'commit' || statement.kind === 'rollback') {
      this.#status = 'I';
      this.#held.dropPortals();
    }
    if (statement.kind === 'rollback-to' && wasFailed) this.#status = 'T';
    const tag = wasFailed && statement.kind === 'commit' ? 'ROLLBACK' : outcome.tag;
    const counted = statement.kind === 'copy' ? `COPY ${count}` : tag === 'SELECT' ? `SELECT ${count}` : tag;
    this.#write(encodeCommandComplete(counted));
    outcome.afterwards?.();
  }

  #ready(): void {
    // A portal lives as long as its transaction.
    if (this.#status === 'I') this.#held.dropPortals();
    this.#write(encodeReadyForQuery(this.#status));
  }

  #fail(error: unknown): void {
    const { sqlstate, message, detail, hint } = reportable(error);
    this.#write(encodeReport({ severity: 'ERROR', sqlstate, message, detail, hint }));
    if (this.#status === 'T') this.#status = 'E';
  }
}

/** The statements of a text, as the console reads them. */
function statementsOf(sql: string): (readonly SqlToken[])[] {
  return splitStatements(sql).map(inOneForm);
}

/** Null = an empty query. */
function statementOf({ sql }: Prepared): Statement | null {
  const [tokens] = statementsOf(sql);
  return tokens === undefined ? null : classify(tokens);
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
