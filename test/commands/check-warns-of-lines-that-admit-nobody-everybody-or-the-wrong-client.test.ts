// What `check` says of a configuration that loads: each kind has its table of lines, through the real command.

import { test } from 'tap';
import { check, warningsIn, type Checked } from '../support/run/check.ts';

/** A line that admits clients and is warned of by nothing. */
const GOOD = 'hostssl all all 10.0.0.0/8 cert';
/** Whom the other lines leave. */
const rules = (lines: readonly string[]): Checked => ({ hba: lines.join('\n') });

await test('no line can admit anybody', async (t) => {
  const nobody = 'pg_hba.conf no line of "pg_hba.conf" can admit anybody';
  const table: [given: Checked, hint: string | null][] = [
    [
      rules(['local all all peer', 'local all all trust']),
      '  HINT: All lines are local, and clients reach the gate over TCP: write hostssl lines.',
    ],
    [
      { ...rules(['hostssl all all all cert']), config: { ssl: 'off', ssl_ca_file: null } },
      '  HINT: All host lines are hostssl, and TLS is off: set "ssl" to "on".',
    ],
    [rules(['host all all all reject', 'hostssl all all all cert']), null],
    [rules(['hostssl all all all gss', 'host all all all ident']), null],
    [rules([`hostssl all ${'x'.repeat(64)} all cert`]), null],
    [rules(['hostssl all 10.0.0.0/8 all cert']), null],
    [rules(['hostssl ALL ALL ALL cert']), null],
    [rules(['hostssl * * * cert']), null],
    [rules([`hostssl all ALL,${'x'.repeat(64)} all cert`]), null],
    [{ ...rules(['hostssl all all all cert']), config: { ssl_ca_file: null } }, null],
  ];
  const found = await Promise.all(table.map(async ([given]) => await check(t, given)));
  for (const [index, [given, hint]] of table.entries()) {
    const { lines, code } = found[index]!;
    t.ok(warningsIn(lines).includes(nobody), `${given.hba}\n${lines.join('\n')}`);
    if (hint !== null) t.ok(lines.includes(hint), lines.join('\n'));
    t.match(lines.at(-1), /^0 of [12] lines? of pg_hba\.conf can admit anybody$/);
    t.equal(code, 0, 'a warning is not an error');
  }
});

await test('what is right has no warning, and the last line counts', async (t) => {
  const { lines, code } = await check(
    t,
    rules([GOOD, 'hostssl all bob all scram-sha-256', 'host all all all reject']),
    '--strict',
  );
  t.strictSame(lines.slice(1), ['2 of 3 lines of pg_hba.conf can admit anybody']);
  t.equal(code, 0);
});

await test('--strict makes a warning exit with 1', async (t) => {
  const given = rules([GOOD, 'local all all peer']);
  t.equal((await check(t, given)).code, 0);
  const strict = await check(t, given, '--strict');
  t.equal(strict.code, 1);
  t.notOk(strict.lines.some((line) => line.endsWith(': ok')));
});

await test('columns that say something else than they look', async (t) => {
  const table: [line: string, ...said: string[]][] = [
    ['hostssl all 10.0.0.0/8 all cert', '"10.0.0.0/8" in the user column looks like an address'],
    ['hostssl 192.0.2.1 bob all cert', '"192.0.2.1" in the database column looks like an address'],
    ['hostssl all samenet all cert', '"samenet" in the user column looks like an address'],
    ['hostssl ALL bob 10.0.0.1/32 cert', '"ALL" in the database column means a database of that name'],
    ['hostssl all ALL 10.0.0.2/32 cert', '"ALL" in the user column means a user of that name'],
    ['hostssl app bob ALL cert', '"ALL" in the address column is read as a host name'],
    ['hostssl * bob 10.0.0.3/32 cert', '"*" in the database column means a database of that name'],
    ['hostssl all * 10.0.0.4/32 cert', '"*" in the user column means a user of that name'],
    ['hostssl app eve * cert', '"*" in the address column is read as a host name'],
    ['hostssl app bob same_net cert', '"same_net" in the address column is read as a host name'],
    ['hostssl app bob 256.0.0.1 cert', '"256.0.0.1" in the address column is read as a host name'],
    ['hostssl app bob [::1] cert', '"[::1]" in the address column is read as a host name'],
    ['hostssl app amy 192.0.2/24 cert', '"192.0.2/24" is read as 192.0.0.2/24'],
    ['hostssl app amy 010.0.0.1/32 cert', '"010.0.0.1/32" is read as 8.0.0.1/32'],
    ['hostssl app joe 127.0.0.1/0 cert', '"127.0.0.1/0" matches every IPv4 address'],
    ['hostssl app joe ::1/0 cert', '"::1/0" matches every IPv6 address'],
    ['hostssl "replication" "all" 10.9.0.0/16 cert'],
    ['hostssl "ALL" "*" 10.10.0.0/16 cert'],
    ['hostssl app bob db.example.com cert'],
    ['hostssl app bob localhost cert'],
    ['hostssl app zoe 10.0.0.5 255.255.255.255 cert'],
  ];
  const { lines } = await check(t, rules(table.map(([line]) => line)));
  const due = table.flatMap(([, ...said], index) => said.map((text) => `pg_hba.conf:${index + 1} ${text}`));
  t.strictSame(warningsIn(lines), due);
  t.ok(lines.includes('  HINT: Perhaps you meant samenet.'));
  t.ok(lines.includes('  HINT: Write 127.0.0.1/32 for that one address, or 0.0.0.0/0 for all.'));
});

const ofThatName = (column: string, name: string): string =>
  `"${name}" in the ${column} column means a ${column} of that name`;

await test('of a list one good name admits', async (t) => {
  const clear = 'host record admits clients without TLS';
  const table: [line: string, ...said: string[]][] = [
    ['hostssl all ALL,bob all cert', ofThatName('user', 'ALL')],
    ['hostssl app,ALL all all cert', ofThatName('database', 'ALL')],
    [
      'host all,REPLICATION all all trust',
      ofThatName('database', 'REPLICATION'),
      'trust record admits everybody as any user, with neither certificate nor password',
      clear,
    ],
    ['host all "ALL" all md5', clear],
  ];
  const found = await Promise.all(table.map(async ([line]) => await check(t, rules([line]))));
  for (const [index, [line, ...due]] of table.entries()) {
    const { lines } = found[index]!;
    t.strictSame(
      warningsIn(lines),
      due.map((text) => `pg_hba.conf:1 ${text}`),
      line,
    );
    t.equal(lines.at(-1), '1 of 1 line of pg_hba.conf can admit anybody');
  }
});

await test('certificates that cannot be checked, and maps that are not there', async (t) => {
  const noRoots = await check(t, {
    hba: 'hostssl all all 10.0.0.0/8 cert\nhostssl all all all scram-sha-256 clientcert=verify-ca\nhostssl all all ::/0 scram-sha-256',
    config: { ssl_ca_file: null },
  });
  t.strictSame(warningsIn(noRoots.lines).toSorted(), [
    'pg_hba.conf no line of "pg_hba.conf" can admit anybody',
    'pg_hba.conf:1 cert record admits nobody because "ssl_ca_file" is not set',
    'pg_hba.conf:2 scram-sha-256 record with clientcert admits nobody because "ssl_ca_file" is not set',
    'pg_hba.conf:3 record cannot match because line 2 matches everything that it does',
  ]);
  const noMap = await check(t, { hba: `${GOOD}\nhostssl all all all cert map=svc`, ident: 'svcs a b\n' });
  t.strictSame(warningsIn(noMap.lines), [
    'pg_hba.conf:2 cert record admits nobody because "pg_ident.conf" has no line of the map "svc"',
  ]);
  t.ok(noMap.lines.includes('  HINT: Perhaps you meant "svcs".'));
});

await test('lines of pg_ident.conf', async (t) => {
  const table: [line: string, ...said: string[]][] = [
    [
      String.raw`m /^a.*$ \1`,
      String.raw`"/^a.*$" has no parentheses for \1, so whom it matches is refused, whatever later lines say`,
    ],
    [
      String.raw`m bob \1`,
      String.raw`\1 stands for itself in the database user, so this line matches nobody`,
    ],
    [
      String.raw`m /^(.*)-(.*)$ \2`,
      String.raw`\2 stands for itself in the database user, so this line matches nobody`,
    ],
    [
      String.raw`m /^(.*)@example\.com \1`,
      String.raw`"/^(.*)@example\.com" matches anywhere in a name, so longer names match too`,
    ],
    [String.raw`m /(.*)@x$ \1`, String.raw`"/(.*)@x$" matches anywhere in a name, so longer names match too`],
    [String.raw`m /^x\$ bob`, String.raw`"/^x\$" matches anywhere in a name, so longer names match too`],
    [
      String.raw`m /^alice|bob$ carol`,
      '"/^alice|bob$" matches anywhere in a name, so longer names match too',
    ],
    ['m /(?n)^eve$ eve', '"/(?n)^eve$" matches anywhere in a name, so longer names match too'],
    ['m /***=^eve$ eve', '"/***=^eve$" matches anywhere in a name, so longer names match too'],
    [String.raw`m /^(.*)@example\.com$ \1`],
    [String.raw`m /(?i)^(.*)@example\.com$ \1`],
    [String.raw`m /***:(?i)^(.*)@example\.com$ \1`],
    [String.raw`m /\A(.*)@example\.com\Z \1`],
    ['m /^amy$|^(?:ann|joe)$ eve'],
    ['m carol dave'],
  ];
  const ident = `${table.map(([line]) => line).join('\n')}\n`;
  const { lines } = await check(t, { hba: 'hostssl all all all cert map=m', ident });
  const due = table.flatMap(([, ...said], index) => said.map((text) => `pg_ident.conf:${index + 1} ${text}`));
  t.strictSame(warningsIn(lines), due);
  t.ok(lines.includes('  HINT: Write ^(?:…)$ around the alternatives to match whole names only.'));
});

await test('lines that admit everybody, anyone as any user, or clients without TLS', async (t) => {
  const everybody = 'trust record admits everybody as any user, with neither certificate nor password';
  const table: [line: string, ...said: string[]][] = [
    ['hostssl all all all trust', everybody],
    ['hostssl all all 0.0.0.0/0 trust', everybody],
    ['hostssl all all ::/0 trust', everybody],
    ['hostssl all bob all trust'],
    ['hostssl all all 10.0.0.0/8 trust'],
    [
      'hostssl all all all trust clientcert=verify-ca',
      'trust record with clientcert=verify-ca admits the holder of any certificate as any user',
    ],
    ['hostssl all all all trust clientcert=verify-full'],
    ['host all all 10.0.0.0/8 scram-sha-256', 'host record admits clients without TLS'],
    ['hostnossl all all 10.0.0.0/8 md5', 'hostnossl record admits clients without TLS'],
    ['host all all all reject'],
    ['host all all 127.0.0.1/32 scram-sha-256'],
    ['host all all ::1/128 scram-sha-256'],
    ['host all all 127.0.0.0/7 scram-sha-256', 'host record admits clients without TLS'],
    ['host all all samehost scram-sha-256'],
  ];
  const found = await Promise.all(table.map(async ([line]) => await check(t, rules([line]))));
  for (const [index, [line, ...said]] of table.entries()) {
    const { lines } = found[index]!;
    t.strictSame(
      warningsIn(lines).filter((text) => !text.includes('no line of')),
      said.map((text) => `pg_hba.conf:1 ${text}`),
      line,
    );
  }
});

await test('warnings of one kind are summed up', async (t) => {
  const { lines } = await check(
    t,
    rules([
      GOOD,
      'local all all peer',
      'local all all md5',
      'host all amy 10.1.0.0/16 md5',
      'host all bob 10.1.0.0/16 md5',
    ]),
  );
  t.strictSame(warningsIn(lines), [
    'pg_hba.conf:2 local record cannot match because there is no Unix-domain socket to listen on (also line 3)',
    'pg_hba.conf:4 host record admits clients without TLS (also line 5)',
  ]);
});

await test('upstream.host that names a socket', async (t) => {
  const { lines } = await check(t, {
    hba: GOOD,
    config: { upstream: { host: '/run/postgresql/.s.PGSQL.5433' } },
  });
  t.match(warningsIn(lines), [
    /^gatehouse\.yaml:\d+ upstream\.host names the socket itself, and must name the directory/,
  ]);
  t.ok(
    lines.includes('  HINT: Write host: /run/postgresql and port: 5433 beneath "upstream:".'),
    lines.join('\n'),
  );
});
