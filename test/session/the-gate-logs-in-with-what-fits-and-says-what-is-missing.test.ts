// Each kind of secret in auth_file, for each line, before each method of an upstream (contract §12): who gets in, and
// what the log says where nothing fits. Real servers and psql.

import { test } from 'tap';
import type { Credentials } from '../support/certificates/certificates.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { HBA, startPostgres, type PostgresServer } from '../support/servers/postgres.ts';
import { psql } from '../support/peers/psql.ts';
import { needs } from '../support/run/tools.ts';
import { conninfo } from './clients.ts';

const METHODS = ['trust', 'password', 'md5', 'scram-sha-256'] as const;
type Method = (typeof METHODS)[number];

/**
 * By the secret and the line: whether the client gets in where the upstream asks for nothing, a password in clear, md5 or
 * SCRAM. `no` = the gate itself refuses the password, `missing` = nothing fits what the upstream asks for, `ask` = the
 * upstream's question reaches the client.
 */
const TABLE = `
secret  line           trust    password  md5      scram-sha-256
plain   cert           in       in        in       in
plain   trust          in       in        in       in
plain   password       in       in        in       in
plain   md5            in       in        in       in
plain   scram-sha-256  in       in        in       in
md5     cert           in       missing   in       missing
md5     trust          in       missing   in       missing
md5     password       in       in        in       in
md5     md5            in       missing   in       missing
md5     scram-sha-256  no       no        no       no
scram   cert           in       missing   missing  missing
scram   trust          in       missing   missing  missing
scram   password       in       in        in       in
scram   md5            in       missing   missing  in
scram   scram-sha-256  in       missing   missing  in
empty   cert           in       ask       ask      ask
empty   scram-sha-256  no       no        no       no
nobody  cert           in       ask       ask      ask
nobody  trust          in       ask       ask      ask
nobody  password       no       no        no       no
nobody  md5            no       no        no       no
nobody  scram-sha-256  no       no        no       no
`;

const ROWS = TABLE.trim()
  .split('\n')
  .slice(1)
  .map((row) => row.split(/ +/))
  .map(([secret = '', line = '', ...outcomes]) => ({ secret, line, outcomes }));

const USERS = ['plain', 'md5', 'scram', 'empty', 'nobody'] as const;

const PASSWORD = 'correct-horse';

/** What the log says of each secret that does not fit. */
const HELD: Readonly<Record<string, RegExp>> = {
  md5: /^the upstream server asks for (a cleartext password|scram-sha-256), the secret of "md5" is an MD5 hash$/,
  scram:
    /^the upstream server asks for (a cleartext password|md5|scram-sha-256), the secret of "scram" is a SCRAM secret(, and the client has not shown its SCRAM keys)?$/,
};

for (const version of [10, 18] as const) {
  await test(`PostgreSQL ${version}`, needs('psql'), async (t) => {
    await using server = await startPostgres({ version });
    const stored = await createUsers(server);
    for (const { line } of ROWS) await server.query(`create database "${line}"`).catch(() => undefined);
    const hba = [...new Set(ROWS.map(({ line }) => line))]
      .map((line) => `hostssl "${line}" all all ${line}\n`)
      .join('');
    const gate = await startGate(t, {
      hba,
      upstream: server,
      config: { auth_file: 'userlist.txt' },
      files: {
        'userlist.txt': `"plain" "${PASSWORD}"\n"md5" "${stored.md5}"\n"scram" "${stored.scram}"\n"empty" ""\n`,
      },
    });
    const credentials = new Map(USERS.map((user) => [user as string, gate.authority.client(user)]));
    for (const [i, method] of METHODS.entries()) {
      await serve(server, method, stored);
      await Promise.all(
        ROWS.map(async ({ secret, line, outcomes }) => {
          const name = `secret ${secret}, line ${line}, upstream ${method}`;
          const client = { gate, credentials: credentials.get(secret)!, user: secret, dbname: line };
          const outcome = await attempt(client);
          t.equal(outcome.kind, outcomes[i] === 'ask' ? 'in' : outcomes[i], `${name}: ${outcome.stderr}`);
          if (outcomes[i] !== 'ask') return;
          // With a password that only the upstream can have refused.
          const wrong = await attempt(client, 'guess');
          t.match(wrong.stderr, /password authentication failed for user/, name);
        }),
      );
    }
    for (const line of gate.log.filter(({ code }) => code === 'upstream-login-impossible')) {
      t.match(line.msg, HELD[String(line['user'])], 'the log says what is missing');
      t.match(line, { sqlstate: '28000', rule: /pg_hba\.conf:\d+$/ });
    }
    t.notOk(/correct-horse|SCRAM-SHA-256\$|md5[0-9a-f]{32}/.test(gate.stdout), 'no secret in the log');
  });
}

/** The roles, and what the server stores of their password under either encryption. */
async function createUsers(server: PostgresServer): Promise<{ md5: string; scram: string }> {
  for (const user of USERS) await server.createUser(user, { password: PASSWORD, encryption: 'md5' });
  const md5 = await storedOf(server, 'md5');
  await server.query(`set password_encryption = 'scram-sha-256'; alter role scram password '${PASSWORD}'`);
  return { md5, scram: await storedOf(server, 'scram') };
}

async function storedOf(server: PostgresServer, user: string): Promise<string> {
  const [row] = await server.query(`select rolpassword from pg_authid where rolname = '${user}'`);
  return String(row?.['rolpassword']);
}

/** Has the server ask everybody by `method`, each role with a secret that this method can use. */
async function serve(server: PostgresServer, method: Method, stored: { scram: string }): Promise<void> {
  const encryption = method === 'md5' ? 'md5' : 'scram-sha-256';
  const changes = USERS.map((user) => `alter role "${user}" password '${PASSWORD}';`).join('');
  await server.query(`set password_encryption = '${encryption}'; ${changes}`);
  // The very secret that the gate has, salt and all.
  if (method === 'scram-sha-256') await server.query(`alter role scram password '${stored.scram}'`);
  await server.setRules(HBA[method]);
}

interface Client {
  readonly gate: Gate;
  readonly credentials: Credentials;
  readonly user: string;
  readonly dbname: string;
}

async function attempt(
  { gate, credentials, user, dbname }: Client,
  password = PASSWORD,
): Promise<{ readonly kind: string; readonly stderr: string }> {
  const { stdout, stderr } = await psql(
    conninfo(gate, credentials, { user, dbname }),
    ['-c', 'select current_user'],
    { env: { PGPASSWORD: password } },
  );
  if (stdout === `${user}\n`) return { kind: 'in', stderr };
  if (stderr.includes('FATAL:  could not log in to the upstream server')) return { kind: 'missing', stderr };
  const isRefused = stderr.includes(`FATAL:  password authentication failed for user "${user}"`);
  return { kind: isRefused ? 'no' : 'other', stderr };
}
