// `pg-gatehouse migrate` as it is typed: what it writes, what it says, and when it writes nothing.

import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { migrate } from '../support/run/migrate.ts';
import { runProgram } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';

await test('lines stay in their order, and what cannot work is a comment with its reason', async (t) => {
  const { code, said, read } = await migrate(t, {
    'pg_hba.conf': [
      '# who comes from where',
      'local   all  all                peer',
      'hostssl app  "a b" 10.0.0.0/8   cert map=m   # the app',
      'hostgssenc all all all gss',
      'host    all  bob  10.1.0.0 255.255.0.0 md5',
      'hostssl all  eve  10.2.0.0/16   md5 clientcert=1',
      'hostssl all  zoe  10.3.0.0/16   cert clientcert=1',
      'hostssl cert cert 10.6.0.0/16   md5 clientcert=1',
      'hostssl all  kim  10.7.0.0 255.255.0.0 cert clientcert=1',
      'host    all  ida  10.4.0.0/16   ident',
      'host    all  lea  10.5.0.0/16   ldap ldapserver=x ldapbasedn="dc=x,dc=y"',
      'host    all  all  all           reject',
      '',
    ].join('\n'),
    'pg_ident.conf': 'm alice@x "a b"\nbroken\n',
    'postgresql.conf':
      "port = 5444 # before\nssl = on\nssl_ca_file = 'root.crt'\nlisten_addresses='*'\nshared_buffers = 1GB\nmax_connections 50\nssl_min_protocol_version = 'TLSv9'\n",
  });
  t.strictSame(read('pg_hba.conf'), [
    '# who comes from where',
    '# pg-gatehouse: local   all  all                peer  (clients reach the gate over TCP, so a local line cannot match)',
    'hostssl app  "a b" 10.0.0.0/8   cert map=m   # the app',
    '# pg-gatehouse: hostgssenc all all all gss  (the gate has no GSSAPI encryption, so the line cannot match)',
    'host    all  bob  10.1.0.0 255.255.0.0 md5',
    '# pg-gatehouse: hostssl all  eve  10.2.0.0/16   md5 clientcert=1  (clientcert=1 is clientcert=verify-ca since PostgreSQL 12)',
    'hostssl all  eve  10.2.0.0/16   md5 clientcert=verify-ca',
    '# pg-gatehouse: hostssl all  zoe  10.3.0.0/16   cert clientcert=1  (cert asks for the certificate without clientcert=1)',
    'hostssl all  zoe  10.3.0.0/16   cert',
    '# pg-gatehouse: hostssl cert cert 10.6.0.0/16   md5 clientcert=1  (clientcert=1 is clientcert=verify-ca since PostgreSQL 12)',
    'hostssl cert cert 10.6.0.0/16   md5 clientcert=verify-ca',
    '# pg-gatehouse: hostssl all  kim  10.7.0.0 255.255.0.0 cert clientcert=1  (cert asks for the certificate without clientcert=1)',
    'hostssl all  kim  10.7.0.0 255.255.0.0 cert',
    '# pg-gatehouse: host    all  ida  10.4.0.0/16   ident  (the gate cannot carry out method ident; write cert or a password method in its place)',
    'host    all  lea  10.5.0.0/16   ldap ldapserver=x ldapbasedn="dc=x,dc=y"',
    'host    all  all  all           reject',
  ]);
  t.strictSame(
    read('upstream-pg_hba.conf').filter((line) => !line.startsWith('#')),
    [
      'host\tapp\t"a b"\t127.0.0.1/32\ttrust',
      'host\tall\tbob\t127.0.0.1/32\tmd5',
      'host\tall\teve\t127.0.0.1/32\tmd5',
      'host\tall\tzoe\t127.0.0.1/32\ttrust',
      'host\tcert\tcert\t127.0.0.1/32\tmd5',
      'host\tall\tkim\t127.0.0.1/32\ttrust',
      'host\tall\tlea\t127.0.0.1/32\tldap ldapserver=x "ldapbasedn=dc=x,dc=y"',
    ],
  );
  t.strictSame(read('gatehouse.yaml'), [
    'port: 5444',
    'ssl: on',
    "ssl_ca_file: 'root.crt'",
    "listen_addresses: '*'",
    "max_connections: '50'",
    'hba_file: pg_hba.conf',
    'ident_file: pg_ident.conf',
    'upstream:',
    '  host: 127.0.0.1',
    '  port: 5445',
  ]);
  t.strictSame(read('pg_ident.conf'), [
    'm alice@x "a b"',
    '# pg-gatehouse: broken  (missing entry at end of line)',
  ]);
  t.strictSame(
    said.map((line) => line.slice(0, line.indexOf(': '))),
    [
      'postgresql.conf:7',
      'pg_hba.conf:2',
      'pg_hba.conf:4',
      'pg_hba.conf:6',
      'pg_hba.conf:7',
      'pg_hba.conf:8',
      'pg_hba.conf:9',
      'pg_hba.conf:10',
      'pg_ident.conf:2',
    ],
  );
  t.equal(code, 0, 'what was dropped only keeps people out');
});

await test('what could change who gets in exits with 1 and writes nothing without --force', async (t) => {
  const table: [hba: string, reason: RegExp][] = [
    [
      'host all all 10.0.0.0/8 ident\nhost all all all md5\n',
      /^pg_hba\.conf:1: line 2 would now admit its clients$/,
    ],
    [
      'host all +ops all reject\nhost all all all md5\n',
      /^pg_hba\.conf:1: the gate cannot look up members of roles/,
    ],
    [
      'host all +ops all cert\nhost all all all md5\n',
      /^pg_hba\.conf:1: cert authentication is only supported/,
    ],
    [
      'hostssl all +ops all cert\nhost all all all md5\n',
      /^pg_hba\.conf:1: line 2 would now admit its clients$/,
    ],
    [
      'local all bob reject\nhost all eve all md5\nhost all all 10.0.0.0/8 md5\n',
      /^pg_hba\.conf:1: line 3 would now admit its clients$/,
    ],
    [
      'hostgssenc all all 10.0.0.0/8 reject\nhostssl all all all cert\n',
      /^pg_hba\.conf:1: line 2 would now admit its clients$/,
    ],
    [
      'hostssl all +ops all md5 clientcert=1\nhost all all all trust\n',
      /^pg_hba\.conf:1: line 2 would now admit its clients$/,
    ],
    [
      'host all all all krb5\nhost all all all reject\n',
      /^pg_hba\.conf:1: invalid authentication method "krb5"$/,
    ],
    [
      'include nowhere\nhost all all all reject\n',
      /^pg_hba\.conf:1: what it names could not be read: No such file or directory$/,
    ],
    [
      'include_if_exists directory\nhost all all all reject\n',
      /^pg_hba\.conf:1: what it names could not be read: Is a directory$/,
    ],
  ];
  for (const [hba, reason] of table) {
    const { code, said, out, run } = await migrate(t, { 'pg_hba.conf': hba, 'directory/file': '' });
    t.equal(code, 1, hba);
    t.ok(
      said.some((line) => reason.test(line)),
      said.join('\n'),
    );
    t.notOk(existsSync(out), 'nothing is written');
    const forced = await run('--force');
    t.equal(forced.code, 1, 'it still could');
    t.strictSame(readdirSync(out).toSorted(), [
      'gatehouse.yaml',
      'pg_hba.conf',
      'pg_ident.conf',
      'upstream-pg_hba.conf',
    ]);
  }
});

await test('a reject that is dropped and leaves its clients to no other line changes nothing', async (t) => {
  const hba =
    'local all bob reject\nhostgssenc all all 10.0.0.0/8 reject\nhost all eve 192.168.0.0/16 md5\nhost all all all reject\n';
  t.equal((await migrate(t, { 'pg_hba.conf': hba })).code, 0);
});

await test('ssl = off is not taken over, and hostssl lines would match from now on', async (t) => {
  const off = { 'postgresql.conf': 'ssl = off\n' };
  const plain = await migrate(t, { ...off, 'pg_hba.conf': 'host all all all md5\n' });
  t.equal(plain.code, 0);
  t.match(plain.said, [/^postgresql\.conf:1: ssl = off is not taken over/]);
  t.notOk(plain.read('gatehouse.yaml').some((line) => line.startsWith('ssl:')));
  t.equal((await migrate(t, { ...off, 'pg_hba.conf': 'hostssl all all all md5\n' })).code, 1);
});

await test('with ssl = off a hostnossl line has met the clients that use TLS from now on', async (t) => {
  const table: [hba: string, code: number][] = [
    ['hostnossl all bob all reject\nhost all all all md5\n', 1],
    ['hostnossl all bob all md5\nhostnogssenc all bob all trust\n', 1],
    ['hostnossl all bob all reject\nhost all alice all md5\n', 0],
    ['hostnossl all bob all reject\nhostnossl all all all md5\n', 0],
    ['hostnossl all bob all reject\nhost all all all reject\n', 0],
  ];
  for (const [hba, expected] of table) {
    const { code, said } = await migrate(t, { 'postgresql.conf': 'ssl = off\n', 'pg_hba.conf': hba });
    t.equal(code, expected, hba);
    t.equal(
      said.includes(
        'pg_hba.conf:1: the server has ssl = off, so this line has matched every client; line 2 would now admit those that use TLS',
      ),
      expected === 1,
      said.join('\n'),
    );
  }
  const on = await migrate(t, { 'postgresql.conf': 'ssl = on\n', 'pg_hba.conf': table[0]?.[0] ?? '' });
  t.equal(on.code, 0, 'with TLS on it means the same at the server');
});

await test('a missing ssl is off, as in PostgreSQL, and is listed', async (t) => {
  const hostssl = { 'pg_hba.conf': 'hostssl all all all md5\n' };
  const missing = await migrate(t, { ...hostssl, 'postgresql.conf': '#ssl = on\nport = 5432\n' });
  t.match(missing.said, [
    /^postgresql\.conf: ssl is not set, so the server has it off/,
    /^pg_hba\.conf:1: .*never matched/,
  ]);
  t.equal(missing.code, 1, 'a hostssl line never matched there and would from now on');
  const unknown = await migrate(t, hostssl);
  t.equal(unknown.code, 0, 'without postgresql.conf nobody knows');
  t.strictSame(unknown.said, []);
});

await test('what postgresql.conf includes counts as for the server: where it stands, the last value wins', async (t) => {
  const { code, read, said } = await migrate(t, {
    'pg_hba.conf': 'hostssl all all all md5\n',
    'postgresql.conf': [
      'ssl = off',
      'port = 5001',
      "include 'more/tls.conf'",
      "include_if_exists = 'nowhere.conf'",
      "Include_Dir 'conf.d'",
      'max_connections = 70',
    ].join('\n'),
    'more/tls.conf': "ssl = on\nssl_ca_file = 'a.crt'\ninclude 'deeper.conf'\n",
    'more/deeper.conf': "ssl_ca_file = 'b.crt' # relative to the file that includes it\n",
    'conf.d/10-port.conf': 'port = 5010\nmax_connections = 10\n',
    'conf.d/9-port.conf': "port = 5009\nssl_min_protocol_version = 'TLSv9'\n",
    'conf.d/.hidden.conf': 'port = 5099\n',
    'conf.d/port.conf.bak': 'port = 5098\n',
    'conf.d/sub.conf/x.conf': 'port = 5097\n',
    'postgresql.auto.conf': "ssl_ciphers = 'HIGH'\n",
  });
  t.equal(code, 0);
  t.match(
    said,
    [/^conf\.d\/9-port\.conf:2: ssl_min_protocol_version is not taken over/],
    'told at its own place',
  );
  t.strictSame(read('gatehouse.yaml').slice(0, 5), [
    'port: 5009',
    'ssl: on',
    "ssl_ca_file: 'b.crt'",
    "max_connections: '70'",
    "ssl_ciphers: 'HIGH'",
  ]);
});

await test("PostgreSQL 19's ssl_sni is taken over, and its file is named", async (t) => {
  const { code, read, said } = await migrate(t, {
    'pg_hba.conf': 'hostssl all all all md5\n',
    'postgresql.conf': "ssl = on\nssl_sni = on\nhosts_file = '/etc/hosts.conf'\n",
  });
  t.equal(code, 0);
  t.match(said, [
    /^postgresql\.conf:2: copy \/etc\/hosts\.conf here as pg_hosts\.conf: its paths count from there/,
  ]);
  t.ok(read('gatehouse.yaml').includes("ssl_sni: 'on'"));
});

await test('an include that cannot be read is said with its place, as the server would', async (t) => {
  const hba = { 'pg_hba.conf': 'hostssl all all all md5\n' };
  const table: [conf: string, message: RegExp][] = [
    [
      "include 'nowhere.conf'",
      /postgresql\.conf:1: could not open configuration file ".*nowhere\.conf": No such file or/,
    ],
    [
      "\ninclude_dir 'nowhere'",
      /postgresql\.conf:2: could not open configuration directory ".*": No such file or/,
    ],
    ["include 'postgresql.conf'", /could not open configuration file ".*": maximum nesting depth exceeded/],
  ];
  for (const [conf, message] of table) {
    const { code, stderr, out } = await migrate(t, { ...hba, 'postgresql.conf': conf });
    t.equal(code, 1);
    t.match(stderr, message);
    t.notOk(existsSync(out));
  }
});

await test('a file in which nothing works through the gate refuses everybody', async (t) => {
  const { code, read } = await migrate(t, {
    'pg_hba.conf': 'local all all peer\nhost all all 127.0.0.1/32 ident\n',
  });
  t.equal(code, 0);
  t.equal(read('pg_hba.conf').at(-1), 'host all all all reject');
  t.equal(read('upstream-pg_hba.conf').at(-1), 'host\tall\tall\t127.0.0.1/32\treject');
});

await test('a folder that is not empty, ports, and wrong usage', async (t) => {
  const { run, out } = await migrate(
    t,
    { 'pg_hba.conf': 'hostssl all all all cert\n' },
    '--upstream-port',
    '7777',
  );
  t.ok(readFileSync(join(out, 'gatehouse.yaml'), 'utf8').includes('port: 5432\n'));
  t.ok(readFileSync(join(out, 'gatehouse.yaml'), 'utf8').includes('  port: 7777\n'));
  const again = await run();
  t.equal(again.code, 1);
  t.match(again.stderr, /is not empty/);
  t.equal((await run('--force')).code, 0);
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'out'));
  t.equal((await runProgram(['migrate', '--out', join(directory, 'out')], { via: 'dist' })).code, 2);
  t.equal((await run('--upstream-port', 'x')).code, 2);
});

await test('the server cannot move to where the gate listens', async (t) => {
  const hba = { 'pg_hba.conf': 'host all all all md5\n' };
  const { code, stderr, out, run } = await migrate(t, hba, '--upstream-port', '5432');
  t.equal(code, 2);
  t.match(stderr, /the gate itself listens on port 5432: say with --upstream-port on which other port/);
  t.notOk(existsSync(out));
  t.equal((await run('--upstream-port', '5433')).code, 0);
  const elsewhere = { ...hba, 'postgresql.conf': "listen_addresses = '192.0.2.1'\n" };
  const beside = await migrate(t, elsewhere, '--upstream-port', '5432');
  t.equal(beside.code, 0, 'on another address it can');
  t.equal((await beside.check()).code, 0);
});

await test('of the two names of one setting the last one counts', async (t) => {
  const { read, check } = await migrate(t, {
    'pg_hba.conf': 'host all all all md5\n',
    'postgresql.conf': "ssl_ecdh_curve = 'prime256v1'\n",
    'postgresql.auto.conf': "ssl_groups = 'X25519'\nssl_ecdh_curve = 'secp384r1'\n",
  });
  t.ok(read('gatehouse.yaml').includes("ssl_groups: 'secp384r1'"));
  t.notOk(read('gatehouse.yaml').some((line) => line.startsWith('ssl_ecdh_curve')));
  t.equal((await check()).code, 0);
});

await test('what is to be copied is named, also where the server takes it unasked', async (t) => {
  const hba = { 'pg_hba.conf': 'host all all all md5\n' };
  const table: [conf: string, copied: string | undefined][] = [
    ['ssl = on\n', 'server.crt, server.key'],
    ["ssl = on\nssl_cert_file = '/etc/a.crt'\nssl_crl_dir = 'lists'\n", 'server.key, lists'],
    ["ssl = on\nssl_cert_file = 'a.crt'\nssl_key_file = 'a.key'\n", 'a.crt, a.key'],
    ['ssl = off\n', undefined],
  ];
  for (const [conf, copied] of table) {
    const { stdout, out } = await migrate(t, { ...hba, 'postgresql.conf': conf });
    const lines = stdout.split('\n').filter((line) => line.startsWith('Copy to'));
    t.strictSame(lines, copied === undefined ? [] : [`Copy to ${out}: ${copied}`], conf);
  }
});

await test('the server gets a line for each kept one, also where an earlier one leaves it nothing', async (t) => {
  const { code, said, read } = await migrate(t, {
    'pg_hba.conf':
      'hostssl all all 10.0.0.0/8 cert\nhostssl all all 10.1.0.0/16 cert\nhost all all 192.168.0.0/16 scram-sha-256\n',
  });
  t.equal(code, 0);
  t.strictSame(
    read('upstream-pg_hba.conf').filter((line) => !line.startsWith('#')),
    [
      'host\tall\tall\t127.0.0.1/32\ttrust',
      'host\tall\tall\t127.0.0.1/32\ttrust',
      'host\tall\tall\t127.0.0.1/32\tscram-sha-256',
    ],
  );
  t.strictSame(said, [
    'pg_hba.conf:3: at the server line 1 comes first for the same database and user, with trust',
  ]);
});

await test('a line is named that takes clients from a later one at the server, with another method', async (t) => {
  const table: [hba: string, notes: string[]][] = [
    [
      'hostssl all app 10.0.0.0/8 cert\nhost all all 127.0.0.1/32 scram-sha-256\n',
      [
        'pg_hba.conf:2: at the server line 1 comes first for databases and users that both lines name, with trust',
      ],
    ],
    ['hostssl all app 10.0.0.0/8 cert\nhost all eve 127.0.0.1/32 scram-sha-256\n', []],
    ['hostssl app all 10.0.0.0/8 cert\nhost replication all 127.0.0.1/32 md5\n', []],
    [
      'host all all 10.0.0.0/8 md5\nhostssl all app 10.1.0.0/16 cert\nhost all all 127.0.0.1/32 md5\n',
      [
        'pg_hba.conf:2: at the server line 1 comes first for databases and users that both lines name, with md5',
      ],
    ],
  ];
  for (const [hba, notes] of table) {
    const { code, said } = await migrate(t, { 'pg_hba.conf': hba });
    t.equal(code, 0);
    t.strictSame(said, notes, hba);
  }
});

await test('a server on the last port has no next one', async (t) => {
  const files = {
    'pg_hba.conf': 'hostssl all all all cert\n',
    'postgresql.conf': 'port = 65535\nssl = on\n',
  };
  const { code, stderr, run } = await migrate(t, files);
  t.equal(code, 2);
  t.match(stderr, /no port comes after 65535: say with --upstream-port where the server is to listen/);
  t.equal((await run('--upstream-port', '5432')).code, 0);
});
