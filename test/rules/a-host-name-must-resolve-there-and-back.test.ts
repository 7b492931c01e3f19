// Rules that name a host (semantics §5.5): what is looked up and when, what counts as a match, and the DETAIL that the
// log gets when no rule matches (§6.3).

import { test } from 'tap';
import { parseNumericAddress } from '../../src/rules/address.ts';
import { decide } from '../../src/rules/decide.ts';
import type { Forward, HostName } from '../../src/rules/types.ts';
import { bookOf, factsOf } from '../support/oracles/rules.ts';

const unknown = { state: 'unknown' } as const;
const forwardTo = (...addresses: string[]): Forward => ({
  state: 'resolved',
  addresses: addresses.map((text) => parseNumericAddress(text)!),
});
const named = (name: string, forward: Forward): HostName => ({ state: 'resolved', name, forward });
const there = forwardTo('::1', '10.0.0.2', '10.0.0.1');

function verdictOf(hba: string, hostName: HostName, address = '10.0.0.1'): string {
  const verdict = decide(bookOf(hba), factsOf({ hostName, address }));
  if (verdict.kind === 'look-up') return verdict.want;
  return verdict.record === null ? 'no entry' : `line ${verdict.record.line}`;
}

await test('a look-up is asked for when a rule needs it, and not before', (t) => {
  const hba = 'host all all 192.0.2.0/24 trust\nhost all all web.example trust\nhost all all all trust';
  t.equal(verdictOf(hba, unknown, '192.0.2.1'), 'line 1', 'the first line decides without');
  t.equal(verdictOf(hba, unknown), 'reverse');
  t.equal(verdictOf(hba, named('web.example', unknown)), 'forward');
  t.equal(verdictOf(hba, named('other.example', unknown)), 'line 3', 'no forward look-up of another name');
  t.equal(verdictOf('hostssl all all web.example trust', unknown), 'no entry', 'the type comes first');
  t.equal(verdictOf('host x x web.example trust', unknown), 'reverse', 'database and user come later');
  t.end();
});

await test('what matches', (t) => {
  const table: [rule: string, hostName: HostName, expected: string][] = [
    ['web.example', named('web.example', there), 'line 1'],
    ['WEB.Example', named('web.eXAMPLE', there), 'line 1'],
    ['web.example', named('www.web.example', there), 'no entry'],
    ['.example', named('web.example', there), 'line 1'],
    ['.EXAMPLE', named('a.b.example', there), 'line 1'],
    ['.web.example', named('web.example', there), 'no entry'],
    ['.example', named('badexample', there), 'no entry'],
    ['web.example', named('web.example', forwardTo('10.0.0.2')), 'no entry'],
    ['web.example', named('web.example', forwardTo()), 'no entry'],
    ['web.example', named('web.example', forwardTo('::ffff:10.0.0.1')), 'no entry'],
    ['web.example', named('web.example', { state: 'failed', reason: 'x' }), 'no entry'],
    ['web.example', { state: 'unresolvable', reason: 'x' }, 'no entry'],
    ['256.0.0.1', named('256.0.0.1', there), 'line 1'],
  ];
  for (const [rule, hostName, expected] of table) {
    t.equal(
      verdictOf(`host all all ${rule} trust`, hostName),
      expected,
      `${rule} ${JSON.stringify(hostName)}`,
    );
  }
  t.end();
});

function detailOf(hostName: HostName): string | null {
  const verdict = decide(bookOf('host all all 192.0.2.1/32 trust'), factsOf({ hostName }));
  if (verdict.kind !== 'refuse') throw new Error(`expected a refusal, not ${verdict.kind}`);
  return verdict.detail;
}

await test('the DETAIL of no entry', (t) => {
  t.equal(detailOf(unknown), null);
  t.equal(
    detailOf({ state: 'unresolvable', reason: 'Name or service not known' }),
    'Could not resolve client IP address to a host name: Name or service not known.',
  );
  t.equal(
    detailOf(named('web.example', unknown)),
    'Client IP address resolved to "web.example", forward lookup not checked.',
  );
  t.equal(
    detailOf(named('web.example', there)),
    'Client IP address resolved to "web.example", forward lookup matches.',
  );
  t.equal(
    detailOf(named('web.example', forwardTo('10.0.0.9'))),
    'Client IP address resolved to "web.example", forward lookup does not match.',
  );
  t.equal(
    detailOf(named('web.example', { state: 'failed', reason: 'Name or service not known' })),
    'Could not translate client host name "web.example" to IP address: Name or service not known.',
  );
  t.end();
});

await test('samehost and samenet', (t) => {
  const book = bookOf('host a all samehost trust\nhost b all samenet trust');
  const interfaces = [
    { address: parseNumericAddress('192.168.7.5')!, mask: parseNumericAddress('255.255.255.0')!.bytes },
    {
      address: parseNumericAddress('2001:db8::5')!,
      mask: parseNumericAddress('ffff:ffff:ffff:ffff::')!.bytes,
    },
  ];
  const line = (database: string, address: string) => {
    const verdict = decide(book, factsOf({ database, address, interfaces }));
    return verdict.kind === 'look-up' ? verdict : (verdict.record?.line ?? null);
  };
  t.equal(line('a', '192.168.7.5'), 1);
  t.equal(line('a', '192.168.7.6'), null);
  t.equal(line('b', '192.168.7.6'), 2);
  t.equal(line('b', '192.168.8.6'), null);
  t.equal(line('a', '2001:db8::5'), 1);
  t.equal(line('b', '2001:db8::9'), 2);
  t.equal(line('b', '2001:db8:0:1::9'), null);
  t.end();
});
