// `/etc/link/../more.conf` is not /etc/more.conf where `link` leads to another directory. PostgreSQL leaves an absolute path
// to the system, and so does the gate: both read the same lines, and the same root certificates.

import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { check } from '../support/run/check.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';

await test('which of two files is read', async (t) => {
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o755); // the server has an account of its own
  mkdirSync(join(directory, 'other/deep'), { recursive: true });
  mkdirSync(join(directory, 'here'));
  symlinkSync(join(directory, 'other/deep'), join(directory, 'here/link'));
  const path = (name: string): string => `${directory}/here/link/../${name}`;
  writeFileSync(join(directory, 'other/more.conf'), 'hostssl theirs all all cert\n');
  writeFileSync(join(directory, 'here/more.conf'), 'this is no line\n');
  const include = `include ${path('more.conf')}`;

  await using server = await startPostgres({ version: 18, hba: `${include}\n` });
  const rows = await server.query(`select database from pg_hba_file_rules where type = 'hostssl'`);
  t.same(rows, [{ database: ['theirs'] }], 'what PostgreSQL reads');

  const { lines, code } = await check(t, ({ cert }) => {
    writeFileSync(join(directory, 'other/ca.crt'), cert);
    return { hba: include, config: { ssl_ca_file: path('ca.crt') } };
  });
  t.equal(lines.at(-1), '1 of 1 line of pg_hba.conf can admit anybody');
  t.equal(code, 0);
});
