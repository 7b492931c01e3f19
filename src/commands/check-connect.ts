// `pg-gatehouse check --connect`: asks the upstream whether it answers, what it asks a user for, and whether that satisfies
// the lines that may decide about this user (contract §17). With auth_user it asks the catalogue as well. The console's
// database is none of the upstream's: there the console decides.

import { SaltedPasswords } from '../auth/scram-keys.ts';
import type { Secret } from '../auth/secret.ts';
import { fromText, toText, type ByteString } from '../base/bytestring.ts';
import type { Code } from '../base/codes.ts';
import { GatehouseError, messageOf } from '../base/errors.ts';
import type { Problem } from '../base/problems.ts';
import type { Passwords } from '../config/secrets.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { AuthenticationMessage } from '../protocol/authentication.ts';
import { encodeMessage } from '../protocol/message.ts';
import { linesFor } from '../rules/lines-for.ts';
import type { CatalogRoles, HbaRecord } from '../rules/types.ts';
import { isForConsole } from '../session/console-access.ts';
import { Dialer } from '../session/dial.ts';
import { logInAsGate } from '../session/own-login.ts';
import { upstreamAnswers } from '../session/probe.ts';
import { ruleBook } from '../session/rules-step.ts';
import { UpstreamAnswers } from '../session/upstream-answers.ts';
import type { UpstreamCatalog } from '../session/upstream-catalog.ts';
import { judgeAtConsole, judgeLogin, nameOf, type LoginFinding } from './check-login.ts';
import { passwordsFor, withCatalog } from './with-catalog.ts';

/** Whose login is tried. */
export interface ConnectOptions {
  readonly user: string | undefined;
  /** As a client's: the user's name where it is not given. */
  readonly database: string | undefined;
}

/** What the upstream has said. */
export interface UpstreamFindings {
  readonly errors: readonly Problem[];
  /** For people, in order. */
  readonly lines: readonly string[];
  readonly json: UpstreamJson;
}

interface UpstreamJson {
  readonly answers: boolean;
  /** Null = no login was possible. */
  readonly version: string | null;
  /** What it asks the user for; null = nobody was named, it refused the login, or the console answers. */
  readonly asks: string | null;
  readonly logins: readonly LoginFinding[];
}

/** Longest wait for the catalogue, in milliseconds. */
const CATALOG_MS = 15_000;

/** Asks the upstream that a configuration names. Never throws for what the upstream does. */
export async function askUpstream(snapshot: Snapshot, options: ConnectOptions): Promise<UpstreamFindings> {
  return await withCatalog(snapshot, async (catalog) => {
    const questions = new Questions(snapshot, catalog);
    await questions.ask(options);
    return questions.findings();
  });
}

/** The questions of one run, and what they have brought. */
class Questions {
  readonly #snapshot: Snapshot;
  readonly #catalog: UpstreamCatalog;
  readonly #dialer = new Dialer(() => []);
  readonly #errors: Problem[] = [];
  readonly #lines: string[] = [];
  #answers = false;
  #version: string | null = null;
  #asks: string | null = null;
  #logins: readonly LoginFinding[] = [];

  constructor(snapshot: Snapshot, catalog: UpstreamCatalog) {
    this.#snapshot = snapshot;
    this.#catalog = catalog;
  }

  findings(): UpstreamFindings {
    const [answers, version, asks, logins] = [this.#answers, this.#version, this.#asks, this.#logins];
    return { errors: this.#errors, lines: this.#lines, json: { answers, version, asks, logins } };
  }

  async ask({ user, database }: ConnectOptions): Promise<void> {
    const { settings } = this.#snapshot;
    this.#answers = await this.#isUp();
    if (!this.#answers) return;
    const roles = settings.auth_user === '' ? null : await this.#askCatalog();
    if (settings.auth_query !== '' && user === undefined) await this.#tryQuery(fromText(settings.auth_user));
    if (user !== undefined) await this.#askFor(fromText(user), fromText(database ?? user), roles);
    else if (settings.auth_user !== '')
      await this.#logIn(fromText(settings.auth_user), fromText(settings.auth_dbname));
    this.#lines.unshift(
      `the upstream server answers${this.#version === null ? '' : `: PostgreSQL ${this.#version}`}`,
    );
  }

  async #isUp(): Promise<boolean> {
    const { settings } = this.#snapshot;
    const { connect_timeout: timeoutMs } = settings.upstream;
    try {
      if (await upstreamAnswers(this.#dialer, settings, timeoutMs)) return true;
      this.#fail(
        'upstream.host',
        'what listens at upstream.host and upstream.port is not a PostgreSQL server',
      );
    } catch (error) {
      this.#fail('upstream.host', `the upstream server does not answer: ${wordsOf(error)}`, hintOf(error));
    }
    return false;
  }

  async #askCatalog(): Promise<CatalogRoles | null> {
    try {
      const roles = await this.#catalog.memberships(this.#snapshot, AbortSignal.timeout(CATALOG_MS));
      this.#lines.push(
        `the catalogue answers "${this.#snapshot.settings.auth_user}": ${roles.size} members of roles`,
      );
      return roles;
    } catch (error) {
      this.#fail('auth_user', wordsOf(error), hintOf(error));
      return null;
    }
  }

  /** Whether auth_query can be carried out, whatever it has of this user. */
  async #tryQuery(user: ByteString): Promise<void> {
    try {
      await this.#catalog.secretOf(user, '', this.#snapshot, AbortSignal.timeout(CATALOG_MS));
      this.#lines.push('the upstream server answers auth_query');
    } catch (error) {
      this.#fail('auth_query', wordsOf(error), hintOf(error));
    }
  }

  /** What the upstream asks a user for, and what each line makes of it that may decide about the user. */
  async #askFor(user: ByteString, database: ByteString, roles: CatalogRoles | null): Promise<void> {
    const { rules, settings } = this.#snapshot;
    let passwords: Passwords | null = null;
    try {
      passwords = await passwordsFor(this.#snapshot, user, this.#catalog, AbortSignal.timeout(CATALOG_MS));
    } catch (error) {
      this.#fail('auth_query', wordsOf(error), hintOf(error));
      return;
    }
    const whose = `user "${toText(user)}" in database "${toText(database)}"`;
    let judge: (record: HbaRecord) => LoginFinding;
    if (isForConsole(settings, { database, replication: 'none' })) {
      this.#lines.push(`the console answers ${whose}`);
      judge = (record) => judgeAtConsole(record, user, { settings, passwords });
    } else {
      const login = await this.#logIn(user, database, passwords?.secrets.get(user) ?? null);
      if (login === null) return;
      this.#lines.push(`the upstream server asks ${whose} for ${login.asks}`);
      judge = (record) => judgeLogin(record, { user, passwords, ...login });
    }
    const lines = linesFor(ruleBook(this.#snapshot, roles), { user, database });
    if (lines.length === 0) this.#failAt(rules.file, null, `no line of pg_hba.conf can admit ${whose}`);
    this.#logins = lines.map(judge);
    for (const { file, line, method, words, satisfied } of this.#logins) {
      if (satisfied) this.#lines.push(`${file}:${line}: ${method}: ${words}`);
      else this.#failAt(file, line, `${method}: ${words}`);
    }
  }

  /**
   * Tries a login, as far as the secret goes.
   *
   * @returns null = the upstream has refused it without asking, which is an error
   */
  async #logIn(
    user: ByteString,
    database: ByteString,
    known?: Secret | null,
  ): Promise<{ readonly asks: string; readonly refusal: string | null } | null> {
    const { settings, passwords } = this.#snapshot;
    const secret = known === undefined ? (passwords?.secrets.get(user) ?? null) : known;
    const answers = new UpstreamAnswers(
      { user, secret, shownPassword: null, shownKey: null },
      new SaltedPasswords(),
    );
    let asks = 'nothing';
    const onAsked = (message: AuthenticationMessage): void => {
      if (asks === 'nothing') asks = nameOf(message);
    };
    try {
      const options = { user, database, applicationName: 'pg-gatehouse check', answers, onAsked };
      const { socket, serverVersion } = await logInAsGate(this.#dialer, settings, options);
      socket.end(encodeMessage('X'));
      socket.resume();
      this.#version ??= serverVersion;
      return this.#note({ asks, refusal: null });
    } catch (error) {
      // It has asked, and there is nothing to answer with: what was to be found out is known.
      if (isCode(error, 'upstream-login-impossible')) return this.#note({ asks, refusal: null });
      if (isCode(error, 'upstream-login-refused')) return this.#note({ asks, refusal: wordsOf(error) });
      this.#fail('upstream.host', `user "${toText(user)}": ${wordsOf(error)}`, hintOf(error));
      return null;
    }
  }

  #note<T extends { readonly asks: string }>(login: T): T {
    this.#asks = login.asks;
    return login;
  }

  #fail(setting: string, message: string, hint?: string): void {
    const { file, line } = this.#snapshot.settings.placeOf(setting);
    this.#failAt(file, line, message, hint);
  }

  #failAt(file: string, line: number | null, message: string, hint?: string): void {
    this.#errors.push({ file, line, message, ...(hint === undefined ? {} : { hint }) });
  }
}

function isCode(error: unknown, code: Code): boolean {
  return error instanceof GatehouseError && error.code === code;
}

/** Texts of the upstream and of the gate are bytes; those of other errors are texts. */
function wordsOf(error: unknown): string {
  return error instanceof GatehouseError ? toText(error.message) : messageOf(error);
}

function hintOf(error: unknown): string | undefined {
  return (error instanceof GatehouseError ? error.hint : null) ?? undefined;
}
