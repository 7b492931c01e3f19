// Warnings of a rule file that loads: certain ones only.

import { test } from 'tap';
import { bookOf } from '../support/oracles/rules.ts';
import type { BookOptions } from '../support/oracles/rules.ts';

function warningsOf(hba: string, options?: BookOptions): string[] {
  const { hba: rules, ident } = bookOf(hba, options);
  return [...rules.warnings, ...ident.warnings].map(({ line, message }) => `${line}: ${message}`);
}

/** That many lines of one kind. */
const locals = (count: number): string =>
  Array.from({ length: count }, () => 'local all all peer').join('\n');

await test('types that no connection has', (t) => {
  t.same(
    warningsOf(
      'local all all peer\nhostgssenc all all all trust\nhostssl a all all cert\nhost b all all trust',
      { ssl: false },
    ),
    [
      '1: local record cannot match because there is no Unix-domain socket to listen on',
      '2: hostgssenc record cannot match because GSSAPI is not supported by this build',
      '3: hostssl record cannot match because SSL is disabled',
    ],
  );
  t.same(warningsOf('hostssl a all all cert'), []);
  t.end();
});

await test('roles that nothing is known of, names that are too long', (t) => {
  const long = 'x'.repeat(64);
  t.same(warningsOf(`host samerole all all trust\nhost ${long} ${long} all trust`), [
    `1: samerole matches nobody but a user of the database's name because "roles" lists no role`,
    `2: database "${long}" matches nobody because names are cut to 63 bytes`,
    `2: user "${long}" matches nobody because names are cut to 63 bytes`,
  ]);
  const roles = { ops: ['alice'] };
  t.same(warningsOf('host samerole all all trust\nhost all +ops,+alice,+dba,"+x" all trust', { roles }), [
    '2: "+dba" matches nobody but a user of that name because "roles" does not list the role "dba"',
  ]);
  t.same(warningsOf('host all all all trust', { roles, ident: `m a +ops\nm a +dba\nm /(x) ${long}\\1` }), [
    '2: "+dba" matches nobody but a user of that name because "roles" does not list the role "dba"',
  ]);
  t.end();
});

await test('lines that an earlier one shadows', (t) => {
  const shadowed: [earlier: string, later: string][] = [
    ['host all all all reject', 'hostssl app alice 10.0.0.0/8 cert'],
    ['host all all 10.0.0.0/8 trust', 'host all all 10.1.0.0/16 trust'],
    ['host all all 10.9.9.9/8 trust', 'host all all 10.1.0.0 255.255.0.255 trust'],
    ['host all all 0.0.0.0/0 trust', 'hostnossl app alice 10.0.0.1/32 trust'],
    ['hostssl a,b,c all all trust', 'hostssl c,a u 10.0.0.0/8 cert'],
    ['host all alice,bob ::/0 trust', 'host x bob 2001:db8::/32 trust'],
    ['host all /^a ::/0 trust', 'host x /^a ::1/128 trust'],
    ['host all +ops all trust', 'host x +ops samenet trust'],
    ['host sameuser all .example trust', 'host sameuser u .example trust'],
    ['hostnogssenc all all all trust', 'host all all all trust'],
    ['host all,replication all all trust', 'host replication all all trust'],
    ['host all all all trust', 'host all all all trust'],
  ];
  for (const [earlier, later] of shadowed) {
    t.same(
      warningsOf(`${earlier}\n${later}`, { roles: { ops: ['x'] } }),
      ['2: record cannot match because line 1 matches everything that it does'],
      `${earlier} / ${later}`,
    );
  }
  const reachable: [earlier: string, later: string][] = [
    ['hostssl all all all trust', 'host all all all trust'],
    ['hostnossl all all all trust', 'hostssl all all all trust'],
    ['host all all 10.1.0.0/16 trust', 'host all all 10.0.0.0/8 trust'],
    ['host all all 10.0.0.0/8 trust', 'host all all 11.1.0.0/16 trust'],
    ['host all all 0.0.0.0/0 trust', 'host all all all trust'],
    ['host all all 0.0.0.0/0 trust', 'host all all ::/0 trust'],
    ['host all all ::/0 trust', 'host all all 10.0.0.1/32 trust'],
    ['host all all 10.0.0.0 255.0.255.0 trust', 'host all all 10.0.0.0/8 trust'],
    ['host all all all trust', 'host replication all all trust'],
    ['host all all all trust', 'host a,replication all all trust'],
    ['host sameuser all all trust', 'host alice alice all trust'],
    ['host a,b all all trust', 'host a,c all all trust'],
    ['host "all" all all trust', 'host x all all trust'],
    ['host all alice all trust', 'host all all all trust'],
    ['host all all web trust', 'host all all 10.0.0.1/32 trust'],
    ['host all all 0.0.0.0/0 trust', 'host all all web trust'],
    ['local all all trust', 'host all all all trust'],
  ];
  for (const [earlier, later] of reachable) {
    const warnings = warningsOf(`${earlier}\n${later}`).filter((warning) => warning.startsWith('2:'));
    t.same(warnings, [], `${earlier} / ${later}`);
  }
  t.same(warningsOf('host all all all trust', { files: {} }), []);
  t.match(
    warningsOf('include more\nhost x all all trust', {
      files: { '/etc/gate/more': 'host all all all trust' },
    }),
    ['2: record cannot match because line 1 of file "/etc/gate/more" matches everything that it does'],
  );
  t.end();
});

await test('methods that mean something else here', (t) => {
  const lines = [
    'host all all 10.0.0.0/8 ldap ldapbasedn=dc=x',
    'host all all 10.1.0.0/16 ident',
    'local all all ident',
    'local all bob gss',
    'host all all 10.2.0.0/16 ident',
  ];
  t.same(
    warningsOf(lines.join('\n')).filter((warning) => !warning.includes('matches everything')),
    [
      '1: ldap record means password here: the upstream server must ask its clients for a password',
      '2: ident record refuses every client that it matches because pg-gatehouse does not support this method (also line 5)',
      '3: local record cannot match because there is no Unix-domain socket to listen on (also line 4)',
    ],
  );
  t.end();
});

await test('warnings of one kind are one, and name the lines', (t) => {
  const text = 'local record cannot match because there is no Unix-domain socket to listen on';
  t.same(warningsOf(locals(1)), [`1: ${text}`]);
  t.same(warningsOf(locals(3)), [`1: ${text} (also lines 2, 3)`]);
  t.same(warningsOf(locals(12)), [`1: ${text} (also lines 2, 3, 4, 5, 6, 7, 8, 9 and 3 more)`]);
  t.end();
});
