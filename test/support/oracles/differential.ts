// Asks a real PostgreSQL 18 and the gate's own rules the same question, and puts both answers into one form: which
// line decided, what the client is told, and what the log says on the way.

import type { CertificateNames } from '../../../src/x509/types.ts';
import { join } from 'node:path';
import { chownSync, mkdirSync } from 'node:fs';
import { Client } from 'pg';
import { fromText, MAX_NAME_BYTES, toText } from '../../../src/base/bytestring.ts';
import { LoadError } from '../../../src/base/problems.ts';
import { clientAddress } from '../../../src/rules/address.ts';
import { decide } from '../../../src/rules/decide.ts';
import { loadHba } from '../../../src/rules/hba.ts';
import { loadIdent } from '../../../src/rules/ident.ts';
import { authenticatedMessage } from '../../../src/rules/texts.ts';
import type { Facts, RuleBook, Verdict } from '../../../src/rules/types.ts';
import { interfaceAddresses, lookUpHostName } from '../../../src/session/host-names.ts';
import { verifiedIdentity } from '../../../src/x509/identity.ts';
import { testAuthority } from '../certificates/certificates.ts';
import type { Credentials } from '../certificates/certificates.ts';
import { diskFiles } from '../run/disk-files.ts';
import { serverAccount } from '../servers/postgres-binaries.ts';
import { startPostgres } from '../servers/postgres.ts';
import type { PostgresServer } from '../servers/postgres.ts';
import { COMMON_NAMES, PASSWORD, ROLES, USERS } from './random-rules.ts';
import type { RandomConnection, RandomRound } from './random-rules.ts';
import {
  connectRaw,
  decodeAuthentication,
  decodeErrorResponse,
  passwordMessage,
  startupMessage,
} from '../peers/raw-client.ts';
import { rolesOf } from './rules.ts';
import type { Scope } from '../run/scope.ts';
import { PATIENCE_MS } from '../run/waiting.ts';

/** One side's answer. */
export interface Answer {
  /** `admit`, `password` where one is asked for, or the refusal's SQLSTATE and text. */
  readonly outcome: string;
  /** `connection authenticated: …`, which names the line. */
  readonly authenticated: string | null;
  /** The refusal's DETAIL in the log, which names the line too. */
  readonly detail: string | null;
  /** What else the log says of the certificate's name. */
  readonly notes: readonly string[];
}

/** Errors of a rule file, `file:line: message`. */
export type Errors = readonly string[];

const SUPERUSER_LINE = 'local all postgres trust\n';
/** The server's log lines about a name. */
const NOTE =
  /^(?:provided user name|no match in usermap|regular expression "|certificate (?:authentication|validation))/;
/** Its DETAIL about a rule or a look-up; others come from what follows the authentication. */
const DETAIL = /^DETAIL: {2}(?:Connection matched|Client IP address|Could not)/;
/** With these the server asks for a password; the gate leaves that to its upstream. */
const PASSWORD_METHODS: ReadonlySet<string> = new Set(['password', 'md5', 'scram-sha-256']);

/** A server with TLS and the roles of random-rules.ts, and certificates for its clients. */
export class Differential {
  readonly server: PostgresServer;
  readonly #clients: readonly Credentials[];
  readonly #names: readonly CertificateNames[];
  /** One session for all our own questions: a new one for each would cost more than the connections do. */
  readonly #superuser: Client;
  #sentinel = 0;

  private constructor(server: PostgresServer, superuser: Client, clients: readonly Credentials[]) {
    this.server = server;
    this.#superuser = superuser;
    this.#clients = clients;
    this.#names = clients.map(({ der }) => verifiedIdentity(der).names);
  }

  static async start(t: Scope): Promise<Differential> {
    const authority = testAuthority(t);
    const { cert, key } = authority.server();
    const server = await startPostgres({
      version: 18,
      ssl: { cert, key, ca: authority.cert },
      settings: {
        listen_addresses: '127.0.0.1, ::1',
        log_connections: 'on',
        log_line_prefix: '%r|',
        // Clients leave without waiting for their backends, which end some rounds later on a busy machine.
        max_connections: '300',
        max_wal_senders: '100',
      },
    });
    t.after(() => server.stop());
    for (const name of Object.keys(ROLES)) await server.createUser(name, { password: PASSWORD });
    for (const name of USERS.filter((user) => !Object.hasOwn(ROLES, user))) {
      await server.query(`create role "${name.slice(0, MAX_NAME_BYTES)}" login`);
    }
    for (const [role, members] of Object.entries(ROLES)) {
      for (const member of members) await server.query(`grant "${role}" to "${member}"`);
    }
    for (const directory of ['lists', 'more']) {
      mkdirSync(join(server.dataDir, directory));
      chownSync(join(server.dataDir, directory), serverAccount().uid, serverAccount().gid);
    }
    const clients = COMMON_NAMES.map((cn) =>
      authority.client(cn, { dn: [{ O: 'Example' }, ...(cn === '' ? [] : [{ CN: cn }])] }),
    );
    const superuser = new Client({
      host: server.socketDir,
      port: server.port,
      user: 'postgres',
      database: 'postgres',
    });
    await superuser.connect();
    t.after(() => superuser.end());
    return new Differential(server, superuser, clients);
  }

  /** Writes a round's files and asks both sides whether they load. Good ones are in force afterwards. */
  async load(round: RandomRound): Promise<{ ours: RuleBook | Errors; theirs: Errors }> {
    const { server } = this;
    for (const [name, content] of Object.entries(round.files)) server.writeDataFile(name, content);
    server.writeDataFile('pg_hba.conf', `${round.hba}${SUPERUSER_LINE}`);
    server.writeDataFile('pg_ident.conf', round.ident);
    const ours = this.#loadOurs();
    const { rows: errors } = await this.#superuser.query<{ error: string }>(
      `select file_name || ':' || line_number || ': ' || error as error from (
         select file_name, line_number, error from pg_hba_file_rules
         union all select file_name, line_number, error from pg_ident_file_mappings) as lines
       where error is not null order by 1`,
    );
    const theirs = errors.map(({ error }) => error);
    if (!Array.isArray(ours) && theirs.length === 0) await server.reload();
    return { ours, theirs };
  }

  #loadOurs(): RuleBook | Errors {
    const roles = rolesOf(ROLES);
    const errors: string[] = [];
    const attempt = <T>(load: () => T): T | null => {
      try {
        return load();
      } catch (error) {
        if (!(error instanceof LoadError)) throw error;
        errors.push(...error.problems.map(({ file, line, message }) => `${file}:${line}: ${message}`));
        return null;
      }
    };
    const file = (name: string) => join(this.server.dataDir, name);
    const hba = attempt(() => loadHba(file('pg_hba.conf'), diskFiles, { ssl: true, roles }));
    const ident = attempt(() => loadIdent(file('pg_ident.conf'), diskFiles));
    return hba === null || ident === null ? errors.toSorted() : { hba, ident, roles };
  }

  /** The gate's decision, and the method of the record that took it. */
  async ours(
    book: RuleBook,
    connection: RandomConnection,
  ): Promise<{ answer: Answer; method: string | null }> {
    let facts = this.#factsOf(connection);
    let verdict = decide(book, facts);
    for (let asked = 0; verdict.kind === 'look-up' && verdict.want !== 'roles' && asked < 2; asked += 1) {
      const hostName = await lookUpHostName(facts, verdict.want, AbortSignal.timeout(PATIENCE_MS));
      facts = { ...facts, hostName };
      verdict = decide(book, facts);
    }
    const answer = answerOf(verdict, facts);
    return { answer, method: verdict.kind === 'look-up' ? null : (verdict.record?.method ?? null) };
  }

  #factsOf({ user, database, source, tls, certificate, replication }: RandomConnection): Facts {
    const client = clientAddress(source)!;
    return {
      user: fromText(user).slice(0, MAX_NAME_BYTES),
      database: replication === 'physical' ? '' : fromText(database).slice(0, MAX_NAME_BYTES),
      replication,
      tls,
      address: client.address,
      addressText: client.text,
      hostName: { state: 'unknown' },
      interfaces: interfaceAddresses,
      certificate: certificate === null ? null : this.#names[certificate]!,
      hasRootCertificates: true,
    };
  }

  /** The server's decisions: all connections at once, then the log up to a line of our own. */
  async theirs(t: Scope, connections: readonly RandomConnection[]): Promise<Answer[]> {
    const from = this.server.logLength();
    const replies = await Promise.all(connections.map((connection) => this.#connect(t, connection)));
    this.#sentinel += 1;
    const sentinel = `sentinel ${this.#sentinel}`;
    await this.#superuser.query(`do $$ begin raise log '${sentinel}'; end $$`);
    await this.server.waitForLog(new RegExp(`${sentinel}$`), { from });
    const log = this.server.log().split('\n').slice(from);
    return replies.map(({ outcome, prefix }) => {
      const lines = log.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
      const texts = lines.map((line) => line.replace(/^\w+:  /, ''));
      const detail = lines.find((line) => DETAIL.test(line));
      return {
        outcome,
        authenticated: texts.find((text) => text.startsWith('connection authenticated: ')) ?? null,
        detail: detail?.slice('DETAIL:  '.length) ?? null,
        notes: lines
          .filter((line) => line.startsWith('LOG:  ') && NOTE.test(line.slice(6)))
          .map((line) => line.slice(6)),
      };
    });
  }

  async #connect(t: Scope, connection: RandomConnection): Promise<{ outcome: string; prefix: string }> {
    const { source, certificate, replication } = connection;
    const client = await connectRaw(t, {
      host: source.includes(':') ? '::1' : '127.0.0.1',
      port: this.server.port,
      localAddress: source,
    });
    const prefix = `${source}(${client.raw.localPort})|`;
    try {
      if (connection.tls) {
        const { cert, key } = certificate === null ? {} : this.#clients[certificate]!;
        await client.openTls(cert === undefined || key === undefined ? {} : { cert, key });
      }
      const parameters = { user: connection.user, database: connection.database };
      await client.send(
        startupMessage(
          replication === 'none'
            ? parameters
            : { ...parameters, replication: replication === 'physical' ? 'true' : 'database' },
        ),
      );
      for (;;) {
        const message = await client.readMessage();
        if (message.type === 'E') {
          const { C: sqlstate, M: text } = decodeErrorResponse(message);
          return { outcome: `${sqlstate} ${text}`, prefix };
        }
        const { code } = decodeAuthentication(message);
        if (code === 0) return { outcome: 'admit', prefix };
        // Only a clear-text password of an existing role leads on to the check of the certificate's name.
        if (code !== 3 || !Object.hasOwn(ROLES, connection.user)) return { outcome: 'password', prefix };
        await client.send(passwordMessage(PASSWORD));
      }
    } finally {
      client.reset();
    }
  }
}

/** Our verdict in the words of the server's log. */
function answerOf(verdict: Verdict, facts: Facts): Answer {
  if (verdict.kind === 'look-up') throw new Error('a third look-up');
  const { record, identity } = verdict;
  const authenticated =
    record === null || (verdict.kind === 'refuse' && identity === null)
      ? null
      : toText(authenticatedMessage(record, identity, facts.user));
  if (verdict.kind === 'admit') return { outcome: 'admit', authenticated, detail: null, notes: [] };
  return {
    outcome: `${verdict.sqlstate} ${toText(verdict.message)}`,
    authenticated,
    // What reads the server's log takes a carriage return for the end of a line.
    detail: verdict.detail === null ? null : toText(verdict.detail).replace(/\r.*/s, ''),
    notes: verdict.notes.map(toText),
  };
}

/**
 * The part of both answers that must be equal. The server prints no DETAIL where it refuses before or by the method;
 * it asks for passwords itself, and checks the name after them: there less can be compared.
 */
export function comparable(
  ours: Answer,
  theirs: Answer,
  method: string | null,
): [ours: Answer, theirs: Answer] {
  const silent = theirs.detail === null && theirs.outcome.startsWith('28000');
  const ourPart = silent ? { ...ours, detail: null } : ours;
  if (method === null || !PASSWORD_METHODS.has(method)) return [ourPart, theirs];
  // Asked for a password that it does not get, the server never comes to the name, which we check first.
  if (theirs.outcome === 'password' && !ours.outcome.startsWith('28000')) return [theirs, theirs];
  // Who has proved a password is known to the server alone.
  return [
    { ...ourPart, authenticated: null },
    { ...theirs, authenticated: null },
  ];
}
