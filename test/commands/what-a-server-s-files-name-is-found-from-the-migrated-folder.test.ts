// Files that pg_hba.conf and pg_ident.conf include or name with `@`: the gate's files lie in another folder than the
// server's, and `check` finds there all that they name.

import { test } from 'tap';
import { migrate } from '../support/run/migrate.ts';

await test('of pg_hba.conf', async (t) => {
  const { code, said, read, check } = await migrate(t, {
    'pg_hba.conf': [
      'hostssl all @admins all md5 clientcert=1',
      'host a@b,@b "c # @b",@b all md5 # @b',
      'include more/hba.conf',
      'include_if_exists nowhere.conf',
      'host all @"with a space" @nets md5',
    ].join('\n'),
    admins: 'alice\n',
    b: 'bob\n',
    nets: '10.0.0.0/8\n',
    'with a space': 'carol\n',
    'more/hba.conf': 'host all @names all md5\n',
    'more/names': 'eve\n',
  });
  t.equal(code, 0);
  t.strictSame(read('pg_hba.conf'), [
    '# pg-gatehouse: hostssl all @admins all md5 clientcert=1  (clientcert=1 is clientcert=verify-ca since PostgreSQL 12)',
    'hostssl all @"admins" all md5 clientcert=verify-ca',
    'host a@b,@"b" "c # @b",@"b" all md5 # @b',
    '# pg-gatehouse: include more/hba.conf  (what it names follows)',
    'host all @"more/names" all md5',
    '# pg-gatehouse: include_if_exists nowhere.conf  (what it names follows)',
    'host all @"with a space" @"nets" md5',
  ]);
  t.strictSame(said, [
    'pg_hba.conf:1: clientcert=1 is clientcert=verify-ca since PostgreSQL 12; it is now: hostssl all @"admins" all md5 clientcert=verify-ca',
  ]);
  t.match(await check(), { code: 0 });
});

await test('of pg_ident.conf', async (t) => {
  const { code, said, read, check } = await migrate(t, {
    'pg_hba.conf': 'hostssl all all all cert map=m\n',
    'pg_ident.conf': 'include more/ident.conf\nm @names bob\ninclude nowhere.conf\nm carol carol\n',
    names: 'robert\n',
    'more/ident.conf': 'm @names eve # of its own folder\n',
    'more/names': 'eve\n',
  });
  t.equal(code, 0, 'a line that is not there keeps people out');
  t.strictSame(read('pg_ident.conf'), [
    '# pg-gatehouse: include more/ident.conf  (what it names follows)',
    'm @"more/names" eve # of its own folder',
    'm @"names" bob',
    '# pg-gatehouse: include nowhere.conf  (what it names could not be read: No such file or directory)',
    'm carol carol',
  ]);
  t.strictSame(said, ['pg_ident.conf:3: what it names could not be read: No such file or directory']);
  t.match(await check(), { code: 0 });
});

await test('by names beyond ASCII', async (t) => {
  const { code, read, stdout, check } = await migrate(t, {
    'postgresql.conf': [
      'ssl = on',
      "data_directory = 'größe'",
      "hba_file = 'größe/pg_hba.conf'",
      "ident_file = 'größe/pg_ident.conf'",
      'include voilà.conf',
      '',
    ].join('\n'),
    'voilà.conf': "ssl_ca_file = 'wurzel-ö.crt'\n",
    'größe/postgresql.auto.conf': 'port = 5444\n',
    'größe/pg_hba.conf': 'include voilà/more.conf\nhostssl all @große all cert\n',
    'größe/große': 'alice\n',
    'größe/voilà/more.conf': 'hostssl all @große all cert\n',
    'größe/voilà/große': 'bob\n',
    'größe/pg_ident.conf': 'm @große alice\n',
  });
  t.equal(code, 0);
  t.strictSame(read('gatehouse.yaml').slice(0, 3), ['port: 5444', 'ssl: on', "ssl_ca_file: 'wurzel-ö.crt'"]);
  t.match(stdout, /^Copy to .*, wurzel-ö\.crt$/m);
  t.strictSame(read('pg_hba.conf'), [
    '# pg-gatehouse: include voilà/more.conf  (what it names follows)',
    'hostssl all @"größe/voilà/große" all cert',
    'hostssl all @"größe/große" all cert',
  ]);
  t.strictSame(read('pg_ident.conf'), ['m @"größe/große" alice']);
  t.match(await check(), { code: 0 });
});
