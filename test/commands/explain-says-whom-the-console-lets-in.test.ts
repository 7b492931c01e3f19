// `explain` about the console's database: after the line its lists decide, and no upstream has a part in it. Each client
// then comes, and gets what was said.

import { test } from 'tap';
import { psql } from '../support/peers/psql.ts';
import { startGate } from '../support/run/gate.ts';
import { runProgram } from '../support/run/program.ts';
import { needs } from '../support/run/tools.ts';

const HBA = `host gatehouse trusted,watching,nobody 127.0.0.1/32 trust
host gatehouse known,stranger,keyless      127.0.0.1/32 scram-sha-256
host gatehouse directory                   127.0.0.1/32 ldap ldapserver=x ldapprefix=y
host all       all                         127.0.0.1/32 trust
`;
const LISTS = { admin_users: 'trusted,known,keyless,directory', stats_users: 'watching' };
const SECRETS = '"known" "right"\n"stranger" "right"\n';

const DENIED = { sqlstate: '42501', message: 'permission denied for the console' };
const IMPOSSIBLE = { sqlstate: '28000', message: 'the console cannot check passwords without auth_file' };
const ADMIN = { kind: 'console', role: 'admin' };

/** The line, and what `explain` says: the client's error or its login. */
type Said = readonly [line: number, said: { readonly reply: object } | { readonly login: object }];

const WITHOUT: Readonly<Record<string, Said>> = {
  trusted: [1, { login: ADMIN }],
  watching: [1, { login: { kind: 'console', role: 'stats' } }],
  nobody: [1, { reply: DENIED }],
  known: [2, { reply: IMPOSSIBLE }],
  directory: [3, { reply: IMPOSSIBLE }],
};
const WITH: Readonly<Record<string, Said>> = {
  trusted: [1, { login: ADMIN }],
  known: [2, { login: ADMIN }],
  stranger: [2, { reply: DENIED }],
  keyless: [2, { login: { kind: 'refused' } }],
  directory: [3, { reply: IMPOSSIBLE }],
};

for (const [name, table] of Object.entries({ WITHOUT, WITH })) {
  await test(`${name} auth_file`, needs('psql'), async (t) => {
    const secrets = name === 'WITH' ? { auth_file: 'users.key' } : {};
    const gate = await startGate(t, {
      hba: HBA,
      upstream: { host: '127.0.0.1', port: 1 },
      config: { ...LISTS, ...secrets },
      files: { 'users.key': SECRETS },
    });
    const explain = async (user: string, database: string, ...more: readonly string[]): Promise<string> => {
      const asked = ['--user', user, '--database', database, '--address', '127.0.0.1', '--no-tls'];
      const command = ['explain', '--config', gate.path('gatehouse.yaml'), ...asked, ...more];
      const { stdout, stderr } = await runProgram(command);
      return stdout + stderr;
    };
    for (const [user, [line, said]] of Object.entries(table)) {
      const { verdict, line: decides, reply, login } = JSON.parse(await explain(user, 'gatehouse', '--json'));
      t.strictSame({ verdict, line: decides }, { verdict: 'reply' in said ? 'reject' : 'admit', line }, user);
      t.strictSame(reply === null ? { login } : { reply }, said, user);

      const conninfo = { host: '127.0.0.1', port: gate.port, dbname: 'gatehouse', sslmode: 'disable' };
      const came = await psql({ ...conninfo, user, password: 'right' }, ['-c', 'SHOW ssl']);
      if (reply !== null) t.match(came.stderr, `FATAL:  ${reply.message}`, user);
      else if (login.kind === 'refused') t.match(came.stderr, 'password authentication failed', user);
      else t.equal(came.stdout, 'on\n', `${user}: ${came.stderr}`);
    }
    const { login, reply } = JSON.parse(await explain('nobody', 'postgres', '--json'));
    t.strictSame([login?.kind, reply], [name === 'WITH' ? 'relayed' : undefined, null], 'another database');
    const logical = JSON.parse(await explain('nobody', 'gatehouse', '--replication', 'database', '--json'));
    t.equal(logical.verdict, 'admit', 'the console replicates nothing, so this goes to the upstream');
    const denied = await explain('nobody', 'gatehouse');
    t.match(denied, 'pg_hba.conf:1: decides: ');
    t.match(denied, '\nrejected: FATAL 42501: permission denied for the console\n');
    t.match(
      await explain('watching', 'gatehouse'),
      'decided here by method trust: the console lets in "watching", who is in stats_users\n',
    );
  });
}
