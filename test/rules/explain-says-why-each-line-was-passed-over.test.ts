// The reason for each record above the deciding one: its first field that does not match, in PostgreSQL's order.

import { test } from 'tap';
import { fromBytes } from '../../src/base/bytestring.ts';
import { explain, explainMismatch } from '../../src/rules/explain.ts';
import { ruleText } from '../../src/rules/hba.ts';
import { bookOf, factsOf, HBA_FILE } from '../support/oracles/rules.ts';
import type { Connection } from '../support/oracles/rules.ts';

const named = (name: string, addresses: []) =>
  ({ state: 'resolved', name, forward: { state: 'resolved', addresses } }) as const;

const table: readonly [rule: string, connection: Connection, why: string][] = [
  ['local all all trust', {}, 'type "local" needs a Unix-domain socket'],
  ['hostssl x x 1.1.1.1/32 trust', {}, 'type "hostssl" needs TLS'],
  ['hostnossl x x 1.1.1.1/32 trust', { tls: true }, 'type "hostnossl" needs a connection without TLS'],
  ['hostgssenc all all all trust', {}, 'type "hostgssenc" needs GSSAPI encryption'],
  ['host x x 192.168.0.0/24 trust', {}, 'address 10.0.0.1 is not in 192.168.0.0/24'],
  ['host x x 10.1.0.0 255.1.0.255 trust', {}, 'address 10.0.0.1 is not in 10.1.0.0 255.1.0.255'],
  ['host all all ::/0 trust', {}, 'address 10.0.0.1 is not in ::/0'],
  ['host all all 2001:DB8:0:0:1::/65 trust', { address: '::1' }, 'address ::1 is not in 2001:db8:0:0:1::/65'],
  ['host all all ::1.2.3.4/97 trust', {}, 'address 10.0.0.1 is not in ::1.2.3.4/97'],
  ['host all all samehost trust', {}, 'address 10.0.0.1 is not an address of this host'],
  ['host all all samenet trust', {}, 'address 10.0.0.1 is in no subnet of this host'],
  ['host all all web trust', { hostName: named('db', []) }, 'host name "db" is not "web"'],
  [
    'host all all .x trust',
    { hostName: named('a.X', []) },
    'host name "a.X" does not resolve back to 10.0.0.1',
  ],
  [
    'host all all web trust',
    { hostName: { state: 'unresolvable', reason: 'no' } },
    'address 10.0.0.1 resolves to no host name, so not to "web"',
  ],
  ['host x x all trust', {}, 'database "app" is not "x"'],
  ['host "all" x all trust', {}, 'database "app" is not "all"'],
  ['host sameuser x all trust', {}, 'database "app" is not named like user "alice"'],
  ['host samerole x all trust', {}, 'user "alice" is not a member of role "app"'],
  ['host replication x all trust', {}, 'keyword replication needs a physical replication connection'],
  ['host all all all trust', { replication: 'physical' }, 'database field lacks the keyword replication'],
  ['host x,/^y,sameuser x all trust', {}, 'database "app" is none of "x", "/^y", sameuser'],
  ['host all bob all trust', {}, 'user "alice" is not "bob"'],
  ['host all +ops all trust', {}, 'user "alice" is not a member of role "ops"'],
  ['host all /^b all trust', {}, 'user "alice" does not match "/^b"'],
  ['host all b,+ops,/^c all trust', {}, 'user "alice" is none of "b", +ops, "/^c"'],
  [
    'host all a,b,c,d,e,f,g,h,i,j all trust',
    {},
    'user "alice" is none of "a", "b", "c", "d", "e", "f", "g", "h" and 2 more',
  ],
  ['host all é all trust', { user: fromBytes(Buffer.from([0xff])) }, 'user "\\xff" is not "é"'],
];

await test('the first field that differs', (t) => {
  for (const [rule, connection, why] of table) {
    const book = bookOf(rule);
    t.equal(explainMismatch(book.hba.records[0]!, factsOf(connection), book), why, rule);
  }
  t.end();
});

await test('lines are explained up to the one that decides', (t) => {
  const book = bookOf(
    'hostssl all all all trust\nhost all bob all trust\nhost all all all reject\nhost a a all trust',
  );
  const { verdict, considered } = explain(book, factsOf());
  t.match(verdict, { kind: 'refuse', record: { line: 3 } });
  t.same(considered, [
    { file: HBA_FILE, line: 1, why: 'type "hostssl" needs TLS' },
    { file: HBA_FILE, line: 2, why: 'user "alice" is not "bob"' },
  ]);
  t.equal(
    explain(bookOf('host x all all trust'), factsOf()).considered.length,
    1,
    'all of them for no entry',
  );
  t.match(explain(bookOf('host x all 1.1.1.1/32 trust\nhost x all web trust'), factsOf()), {
    verdict: { kind: 'look-up', want: 'reverse' },
    considered: [{ line: 1 }],
  });
  t.end();
});

await test('a rule is shown as the line it was written as', (t) => {
  t.equal(
    ruleText(bookOf('  host all \\\n all all trust # é \r\n').hba.records[0]!),
    'host all  all all trust # é',
  );
  t.end();
});
