// docs/passwords.md: the function for auth_query is made as it stands there, on PostgreSQL 10, 15 and 18. A gate with the
// settings of the page lets in whom it answers for, and neither a superuser nor a user whose password has expired.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { needs } from '../support/run/tools.ts';
import { psql } from '../support/peers/psql.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { certificateOf } from '../catalog/catalog-gate.ts';
import { conninfo } from '../session/clients.ts';

const page = readFileSync(new URL('../../docs/passwords.md', import.meta.url), 'utf8');
const section = page.slice(
  page.indexOf('\n## Users who are not in the file\n'),
  page.indexOf('\n## Roles, '),
);
const [settings = '', statements = ''] = ['yaml', 'sql'].map(
  (language) => new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(section)?.[1] ?? '',
);

for (const version of [10, 15, 18] as const) {
  await test(`PostgreSQL ${version}`, needs('psql'), async (t) => {
    const method = version === 10 ? 'md5' : 'scram-sha-256';
    await using server = await startPostgres({
      version,
      hba: `host all gatehouse 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 ${method}\n`,
    });
    for (const user of ['alice', 'late', 'root'])
      await server.createUser(user, {
        password: 'known-password',
        encryption: method,
        superuser: user === 'root',
      });
    await server.query("ALTER ROLE late VALID UNTIL '2020-01-01'");
    await server.query(statements);
    const config = Object.fromEntries(
      [...settings.matchAll(/^(\w+): (.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
    );
    t.strictSame(Object.keys(config), ['auth_user', 'auth_dbname', 'auth_query']);
    const gate = await startGate(t, { hba: `hostssl all all all ${method}\n`, upstream: server, config });
    const credentials = certificateOf(gate, 'nobody');
    for (const [user, isLetIn] of [
      ['alice', true],
      ['late', false],
      ['root', false],
    ] as const) {
      const { code, stderr } = await psql(conninfo(gate, credentials, { user }), ['-c', 'select 1'], {
        env: { PGPASSWORD: 'known-password' },
      });
      t.equal(code === 0, isLetIn, `${user}: ${stderr}`);
      if (!isLetIn) t.match(stderr, `password authentication failed for user "${user}"`);
    }
  });
}
