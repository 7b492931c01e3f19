// Where a line of the server's file would read differently in the gate's: through a backslash at its end, through a
// character of a reason that is no byte, or through a value that is not UTF-8.

import { test } from 'tap';
import { migrateHba } from '../../src/migrate/hba.ts';
import { upstreamHba } from '../../src/migrate/upstream.ts';
import { HBA_FILE, memoryFiles } from '../support/oracles/rules.ts';
import { migrate } from '../support/run/migrate.ts';

await test('a comment that ends with a backslash does not take in the line that rejects', async (t) => {
  const lines = ['# a share: \\\\server\\\\', '', 'host all bob all reject', 'host all all all md5'];
  const { code, read } = await migrate(t, { 'pg_hba.conf': `${lines.join('\n')}\n` });
  t.equal(code, 0);
  t.strictSame(read('pg_hba.conf'), lines);
});

await test('a reason with a character whose last byte ends a line stays in its comment', async (t) => {
  const { code, read } = await migrate(
    t,
    { 'pg_hba.conf': 'host all all all "Ċhost all all all trust"\nhost all all all reject\n' },
    '--force',
  );
  t.equal(code, 1);
  t.strictSame(read('pg_hba.conf'), [
    '# pg-gatehouse: host all all all "Ċhost all all all trust"  (invalid authentication method "Ċhost all all all trust")',
    'host all all all reject',
  ]);
});

await test('a value that is not UTF-8 is left out, and the gate takes the rest', async (t) => {
  const { code, said, read, check } = await migrate(t, {
    'pg_hba.conf': 'host all all all md5\n',
    'postgresql.conf': Buffer.from("ssl_passphrase_command = 'echo \xfc'\nssl_ciphers = 'HIGH'\n", 'latin1'),
  });
  t.equal(code, 0);
  t.match(said, [
    /^postgresql\.conf: ssl is not set/,
    /^postgresql\.conf:1: ssl_passphrase_command is not taken over: its value is not UTF-8$/,
  ]);
  t.ok(read('gatehouse.yaml').includes("ssl_ciphers: 'HIGH'"));
  t.match(await check(), { code: 0 });
});

await test("the server's line means what the gate's means", (t) => {
  const { kept } = migrateHba(
    HBA_FILE,
    memoryFiles({
      [HBA_FILE]:
        'host all +"our ops",+dba,"+b c" 10.0.0.0/8 ldap ldapserver=x ldapprefix="A\\"\nhost all zoe all md5\n',
    }),
  );
  t.strictSame(upstreamHba(kept).text.split('\n').slice(2), [
    'host\tall\t+"our ops",+dba,"+b c"\t127.0.0.1/32\tldap ldapserver=x "ldapprefix=A\\"',
    'host\tall\tzoe\t127.0.0.1/32\tmd5',
    '',
  ]);
  t.end();
});
