// What a real PostgreSQL 18 makes of a regular expression, in a database of encoding SQL_ASCII, as pg_hba.conf's
// are compiled and matched: regexp_match() runs the same compiler and the same matcher.

import { Client } from 'pg';
import { startPostgres } from '../servers/postgres.ts';
import type { ByteString } from '../../../src/base/bytestring.ts';

export interface RegexpQuestion {
  readonly pattern: ByteString;
  readonly subject: ByteString;
}

/** `groups` is regexp_match()'s: the captures, or the whole match where there are no groups. */
export type RegexpAnswer =
  | { readonly kind: 'error'; readonly message: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'match'; readonly groups: readonly (ByteString | null)[] };

const JUDGE = `
  create function judge(subject text, pattern text) returns text language plpgsql as $$
  declare
    groups text[];
  begin
    groups := regexp_match(subject collate "C", pattern);
    if groups is null then
      return 'none';
    end if;
    return 'match ' || (select string_agg(coalesce(encode(convert_to(g, 'SQL_ASCII'), 'hex'), 'null'), ',' order by n)
                        from unnest(groups) with ordinality as u (g, n));
  exception when invalid_regular_expression then
    return 'error ' || sqlerrm;
  end $$`;

const ASK = `
  select judge(convert_from(decode(s, 'hex'), 'SQL_ASCII'), convert_from(decode(p, 'hex'), 'SQL_ASCII')) as answer
  from unnest($1::text[], $2::text[]) with ordinality as u (s, p, n) order by n`;

/** A server that is asked; dispose of it. */
export class RegexpOracle implements AsyncDisposable {
  readonly #client: Client;
  readonly #server: AsyncDisposable;

  private constructor(server: AsyncDisposable, client: Client) {
    this.#server = server;
    this.#client = client;
  }

  static async start(): Promise<RegexpOracle> {
    const server = await startPostgres({ version: 18, initdbArgs: ['--encoding=SQL_ASCII', '--locale=C'] });
    const client = new Client({
      host: server.socketDir,
      port: server.port,
      user: 'postgres',
      database: 'postgres',
    });
    await client.connect();
    await client.query(JUDGE);
    return new RegexpOracle(server, client);
  }

  /** Answers in the order of the questions. */
  async ask(questions: readonly RegexpQuestion[]): Promise<RegexpAnswer[]> {
    const subjects = questions.map(({ subject }) => toHex(subject));
    const patterns = questions.map(({ pattern }) => toHex(pattern));
    const { rows } = await this.#client.query<{ answer: string }>(ASK, [subjects, patterns]);
    return rows.map(({ answer }) => readAnswer(answer));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
    await this.#server[Symbol.asyncDispose]();
  }
}

function toHex(bytes: ByteString): string {
  return Buffer.from(bytes, 'latin1').toString('hex');
}

function readAnswer(answer: string): RegexpAnswer {
  const [kind, rest = ''] = answer.split(/ (.*)/s);
  if (kind === 'none') return { kind: 'none' };
  if (kind === 'error') return { kind: 'error', message: rest.replace('invalid regular expression: ', '') };
  const groups = rest
    .split(',')
    .map((hex) => (hex === 'null' ? null : Buffer.from(hex, 'hex').toString('latin1')));
  return { kind: 'match', groups };
}
