// The drivers that people have, with a password that the gate checks, before a PostgreSQL 10 that asks for md5 and has no
// TLS: by each kind of line, and with a wrong password. node-postgres and libpq also with channel binding.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test, type Test } from 'tap';
import { Client } from 'pg';
import { startGate, type Gate } from '../support/run/gate.ts';
import { runToEnd } from '../support/run/program.ts';
import { atEnd } from '../support/run/scope.ts';
import { needs, toolPath, type Tool } from '../support/run/tools.ts';
import { startPostgres } from '../support/servers/postgres.ts';

/** A database for each kind of line. */
const LINES = ['scram', 'plain', 'md5'] as const;
const METHODS = { scram: 'scram-sha-256', plain: 'password', md5: 'md5' } as const;

const PASSWORD = 'correct horse & battery';
const IN = LINES.map(() => 'alice');
const OUT = LINES.map(() => 'password authentication failed for user "alice"');

const JDBC: Tool = '/usr/share/java/postgresql.jar';

async function startBoth(t: Test): Promise<Gate> {
  const server = await startPostgres({
    version: 10,
    password_encryption: 'md5',
    hba: 'host all all 127.0.0.1/32 md5\n',
  });
  atEnd(t, async () => await server.stop());
  await server.createUser('alice', { password: PASSWORD });
  for (const line of LINES) await server.createDatabase(line);
  return await startGate(t, {
    hba: LINES.map((line) => `hostssl ${line} all all ${METHODS[line]}\n`).join(''),
    upstream: server,
    config: { auth_file: 'userlist.txt' },
    files: { 'userlist.txt': `"alice" "${PASSWORD}"\n` },
  });
}

function environment(gate: Gate, password: string): Record<string, string> {
  return {
    PGHOST: 'localhost',
    PGHOSTADDR: '127.0.0.1',
    PGPORT: String(gate.port),
    PGUSER: 'alice',
    PGPASSWORD: password,
    PGSSLMODE: 'verify-full',
    PGSSLROOTCERT: gate.authority.caFile,
  };
}

async function linesOf(command: readonly string[], env: Record<string, string>): Promise<readonly string[]> {
  const [program = '', ...args] = command;
  const { stdout, stderr } = await runToEnd(program, args, { env });
  return stdout === '' ? [stderr] : stdout.trimEnd().split('\n');
}

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/clients/${name}`, import.meta.url));

/** One login of node-postgres; who is in, or why not. */
async function logIn(
  gate: Gate,
  database: string,
  password: string,
  options: { readonly enableChannelBinding?: boolean } = {},
): Promise<unknown> {
  const client = new Client({
    host: 'localhost',
    port: gate.port,
    user: 'alice',
    database,
    password,
    ssl: { ca: gate.authority.cert, servername: 'localhost' },
    ...options,
  });
  try {
    await client.connect();
    return (await client.query<{ current_user: string }>('select current_user')).rows[0]?.current_user;
  } catch (error) {
    return error instanceof Error ? error.message : error;
  } finally {
    await client.end();
  }
}

function jdbcUrl(gate: Gate, database: string, password: string): string {
  return (
    `jdbc:postgresql://localhost:${gate.port}/${database}?user=alice&password=${encodeURIComponent(password)}` +
    `&sslmode=verify-full&sslrootcert=${gate.authority.caFile}`
  );
}

await test('drivers', async (t) => {
  const gate = await startBoth(t);

  await t.test('node-postgres', async (t2) => {
    for (const line of LINES) {
      t2.equal(await logIn(gate, line, PASSWORD), 'alice', line);
      t2.equal(await logIn(gate, line, 'wrong'), OUT[0], line);
    }
    t2.equal(
      await logIn(gate, 'scram', PASSWORD, { enableChannelBinding: true }),
      'alice',
      'with channel binding',
    );
  });

  await t.test('psycopg 3', needs('/usr/lib/python3/dist-packages/psycopg/__init__.py'), async (t2) => {
    const command = ['/usr/bin/python3', fixture('login-with-psycopg.py')];
    t2.same(await linesOf([...command, ...LINES], environment(gate, PASSWORD)), IN);
    t2.same(await linesOf([...command, ...LINES], environment(gate, 'wrong')), OUT);
    const bound = { ...environment(gate, PASSWORD), PGCHANNELBINDING: 'require' };
    t2.same(await linesOf([...command, 'scram'], bound), ['alice'], 'with channel binding');
  });

  await t.test('asyncpg', needs('/usr/lib/python3/dist-packages/asyncpg/__init__.py'), async (t2) => {
    const command = ['/usr/bin/python3', fixture('login-with-asyncpg.py'), ...LINES];
    t2.same(await linesOf(command, environment(gate, PASSWORD)), IN);
    t2.same(await linesOf(command, environment(gate, 'wrong')), OUT);
  });

  await t.test('pgJDBC', needs(JDBC, 'javac'), async (t2) => {
    const urls = [
      ...LINES.map((line) => jdbcUrl(gate, line, PASSWORD)),
      ...LINES.map((line) => jdbcUrl(gate, line, 'wrong')),
    ];
    const java = join(toolPath('javac'), '..', 'java');
    t2.same(await linesOf([java, '-cp', JDBC, fixture('LoginWithJdbc.java'), ...urls], {}), [...IN, ...OUT]);
  });

  t.notMatch(gate.stdout, /correct horse/);
});
