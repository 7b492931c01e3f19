// Warnings of a rule file that loads: certain ones only.

import { test } from 'tap';
import { bookOf } from '../support/rules.ts';
import type { BookOptions } from '../support/rules.ts';

function warningsOf(hba: string, options?: BookOptions): string[] {
  const { hba: rules, ident } = bookOf(hba, options);
  return [...rules.warnings, ...ident.warnings].map(({ line, message }) => `${line}: ${message}`);
}

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
    '1: samerole matches nobody because "roles" lists no role',
    `2: database "${long}" matches nobody because names are cut to 63 bytes`,
    `2: user "${long}" matches nobody because names are cut to 63 bytes`,
  ]);
  const roles = { ops: ['alice'] };
  t.same(warningsOf('host samerole all all trust\nhost all +ops,+alice,+dba,"+x" all trust', { roles }), [
    '2: "+dba" matches nobody because "roles" does not list the role "dba"',
  ]);
  t.same(warningsOf('host all all all trust', { roles, ident: `m a +ops\nm a +dba\nm /(x) ${long}\\1` }), [
    '2: "+dba" matches nobody because "roles" does not list the role "dba"',
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
