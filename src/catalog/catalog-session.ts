// The gate's own session at the upstream: logged in by the gate, asked through node-postgres, one question at a time. Nothing
// of any client is in it but the name that auth_query is asked for, as a parameter.

import type { Client } from 'pg';
import type { SaltedPasswords } from '../auth/scram-keys.ts';
import { fromText, toText } from '../base/bytestring.ts';
import { GatehouseError, messageOf } from '../base/errors.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { Dialer } from '../session/dial.ts';
import { destroyOnAbort } from '../session/end-signal.ts';
import { logInAsGate, type OwnLogin } from '../session/own-login.ts';
import { UpstreamAnswers } from '../session/upstream-answers.ts';
import { LoginStream } from './login-stream.ts';

/** The server ends a statement of this session after this long, in milliseconds. */
const STATEMENT_MS = 5_000;

/** After this long without an answer the session is given up, in milliseconds: the server's own limit has not helped. */
const ANSWER_MS = 7_000;

/** What the first statements and each error may take, in bytes. */
const SMALL_ANSWER = 65_536;

/** A question to the upstream. */
export interface Question {
  readonly text: string;
  /** Text where it is UTF-8, else bytes; sent as a parameter and never as a part of the query. */
  readonly values: readonly (string | Buffer)[];
  /** The longest answer that is taken, in bytes. */
  readonly maxBytes: number;
}

/** A row's columns as text, null for NULL. */
export type Row = readonly (string | null)[];

/** The upstream has refused a question. The session goes on. */
export class QuestionRefused extends Error {
  readonly sqlstate: string;

  /** @param message never with a secret in it */
  constructor(sqlstate: string, message: string) {
    super(message);
    this.name = 'QuestionRefused';
    this.sqlstate = sqlstate;
  }
}

/** How to reach the catalogue. */
export interface CatalogAccess {
  readonly dialer: Dialer;
  readonly salted: SaltedPasswords;
}

/** One session of auth_user. */
export class CatalogSession {
  /** Resolves when the session is over, however it ended. */
  readonly over: Promise<void>;
  /** The server's IP address; empty where it is reached over a Unix socket. */
  readonly address: string;
  readonly #client: Client;
  readonly #stream: LoginStream;
  #last: Promise<unknown> = Promise.resolve();
  #isRetired = false;

  /**
   * Logs in and fixes what a search_path or a setting of the role could change about the questions.
   *
   * @param signal ends the attempt
   * @throws GatehouseError as logInAsGate, QuestionRefused, Error
   */
  static async open(
    { dialer, salted }: CatalogAccess,
    { settings, passwords }: Snapshot,
    signal: AbortSignal,
  ): Promise<CatalogSession> {
    const user = fromText(settings.auth_user);
    const secret = passwords?.secrets.get(user) ?? null;
    const login = await logInAsGate(dialer, settings, {
      user,
      database: fromText(settings.auth_dbname),
      applicationName: 'pg-gatehouse',
      answers: new UpstreamAnswers({ user, secret, shownPassword: null, shownKey: null }, salted),
      signal,
    });
    // Only here: a gate without auth_user does not load the library.
    const { default: pg } = await import('pg');
    const stream = new LoginStream(login.socket, SMALL_ANSWER);
    const client = new pg.Client({ stream: () => stream, ssl: false, user: 'unused', database: 'unused' });
    const session = new CatalogSession(client, stream, login.socket.remoteAddress ?? '');
    const stopWatching = destroyOnAbort(login.socket, signal);
    try {
      await client.connect();
      await session.ask({ text: firstStatements(login), values: [], maxBytes: SMALL_ANSWER });
      return session;
    } catch (error) {
      session.close();
      throw error;
    } finally {
      stopWatching();
    }
  }

  private constructor(client: Client, stream: LoginStream, address: string) {
    this.#client = client;
    this.#stream = stream;
    this.address = address;
    this.over = new Promise((resolve) => void stream.once('close', resolve));
    // A failure rejects the question that is being asked. Between two questions `over` reports it.
    client.on('error', () => stream.destroy());
  }

  /**
   * Asks a question after those that were asked before.
   *
   * @throws QuestionRefused; Error where the session has not answered, and is over
   */
  async ask(question: Question): Promise<readonly Row[]> {
    const answer = this.#last.then(() => this.#ask(question));
    this.#last = answer.catch(() => undefined);
    return await answer;
  }

  /** Another session has taken its place. */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** Ends the session once it has answered what it was asked. Whoever was given it in this turn has yet to ask. */
  retire(): void {
    this.#isRetired = true;
    setImmediate(() => void this.#last.then(() => this.close()));
  }

  /** Ends the session, and what it is being asked. */
  close(): void {
    this.#stream.end();
    this.#stream.destroy();
  }

  async #ask({ text, values, maxBytes }: Question): Promise<readonly Row[]> {
    if (this.#stream.destroyed) throw new Error('the session has ended');
    this.#stream.allow(maxBytes);
    const late = setTimeout(
      () => this.#stream.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)),
      ANSWER_MS,
    );
    try {
      const { rows } = await this.#client.query<(string | null)[]>({
        text,
        ...(values.length > 0 ? { values: [...values] } : {}),
        rowMode: 'array',
        types: { getTypeParser: () => (value: string) => value },
      });
      return rows;
    } catch (error) {
      throw asFailure(error);
    } finally {
      clearTimeout(late);
    }
  }
}

/** SECURITY: an operator, table or function that someone has put into a schema of the search_path is never used. */
function firstStatements({ serverVersion }: OwnLogin): string {
  const major = Number.parseInt(serverVersion ?? '', 10);
  const statements = [
    "SET search_path TO ''",
    'SET ROLE NONE',
    'SET standard_conforming_strings TO on',
    `SET statement_timeout TO ${STATEMENT_MS}`,
    ...(major >= 14 ? ['SET idle_session_timeout TO 0'] : []),
  ];
  return statements.join('; ');
}

function asFailure(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const sqlstate = 'code' in error && 'severity' in error ? error.code : null;
  if (typeof sqlstate !== 'string') return error;
  const refused = new QuestionRefused(sqlstate, wordsOf(sqlstate, error.message));
  return refused;
}

/** Classes of SQLSTATE whose messages name objects and rights, and no value of a row. */
const SAFE_CLASSES = ['08', '0A', '28', '3D', '3F', '42', '53', '54', '55', '57', '58'];

/** SECURITY: other messages may quote a value, and the value may be a secret (`invalid input syntax: "SCRAM-…"`). */
function wordsOf(sqlstate: string, message: string): string {
  const isSafe = SAFE_CLASSES.includes(sqlstate.slice(0, 2));
  return isSafe
    ? `${toText(fromText(message)).slice(0, 500)} (SQLSTATE ${sqlstate})`
    : `SQLSTATE ${sqlstate}`;
}

/** Why the catalogue has not answered, in words for the log. */
export function reasonFor(error: unknown): string {
  return error instanceof GatehouseError ? toText(error.message) : messageOf(error);
}
