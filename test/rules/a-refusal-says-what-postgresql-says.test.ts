// What a refusal tells the client and the log (semantics §6): SQLSTATE, message, DETAIL, further log lines and the
// identity, byte for byte; and what an admission hands on.

import { test } from 'tap';
import { fromText } from '../../src/base/bytestring.ts';
import { decide } from '../../src/rules/decide.ts';
import { authenticatedMessage } from '../../src/rules/texts.ts';
import type { Admission, Refusal } from '../../src/rules/types.ts';
import { bookOf, factsOf, HBA_FILE, IDENT_FILE } from '../support/oracles/rules.ts';
import type { BookOptions, Connection } from '../support/oracles/rules.ts';

function refusal(hba: string, connection: Connection, options?: BookOptions): Refusal {
  const verdict = decide(bookOf(hba, options), factsOf(connection));
  if (verdict.kind !== 'refuse') throw new Error(`expected a refusal, not ${verdict.kind}`);
  return verdict;
}

function admission(hba: string, connection: Connection, options?: BookOptions): Admission {
  const verdict = decide(bookOf(hba, options), factsOf(connection));
  if (verdict.kind !== 'admit') throw new Error(`expected an admission, not ${verdict.kind}`);
  return verdict;
}

const matched = (line: number, raw: string) => `Connection matched file "${HBA_FILE}" line ${line}: "${raw}"`;
const alice = { cn: 'alice', dn: 'CN=alice,O=Example' };

await test('no entry', (t) => {
  t.same(refusal('host x all all trust', {}), {
    kind: 'refuse',
    code: 'hba-no-entry',
    record: null,
    sqlstate: '28000',
    message: 'no pg_hba.conf entry for host "10.0.0.1", user "alice", database "app", no encryption',
    detail: null,
    notes: [],
    identity: null,
  });
  t.equal(
    refusal('host x all all trust', { replication: 'physical', tls: true, address: '::1' }).message,
    'no pg_hba.conf entry for replication connection from host "::1", user "alice", SSL encryption',
  );
  const user = fromText('é"x');
  t.equal(
    refusal('host x all all trust', { user }).message,
    `no pg_hba.conf entry for host "10.0.0.1", user "${user}", database "app", no encryption`,
    'names go back as the bytes they came as',
  );
  t.end();
});

await test('reject', (t) => {
  const raw = '  host all all all reject # nobody';
  t.match(refusal(`# x\n${raw}`, {}), {
    code: 'hba-reject',
    record: { line: 2, method: 'reject' },
    sqlstate: '28000',
    message:
      'pg_hba.conf rejects connection for host "10.0.0.1", user "alice", database "app", no encryption',
    detail: matched(2, raw),
    notes: [],
  });
  t.equal(
    refusal('host replication all all reject', { replication: 'physical' }).message,
    'pg_hba.conf rejects replication connection for host "10.0.0.1", user "alice", no encryption',
  );
  t.end();
});

await test('a certificate that is not there, or cannot be checked', (t) => {
  const raw = 'hostssl all all all cert';
  t.match(refusal(raw, { tls: true }), {
    code: 'client-cert-required',
    sqlstate: '28000',
    message: 'connection requires a valid client certificate',
    detail: matched(1, raw),
  });
  t.match(refusal(raw, { tls: true, hasRootCertificates: false }), {
    code: 'client-cert-no-root',
    sqlstate: 'F0000',
    message: 'client certificates can only be checked if a root certificate store is available',
  });
  const reject = 'hostssl all all all reject clientcert=verify-ca';
  t.equal(refusal(reject, { tls: true }).code, 'client-cert-required', 'the certificate comes before reject');
  t.equal(refusal(reject, { tls: true, hasRootCertificates: false }).code, 'client-cert-no-root');
  t.equal(refusal(reject, { certificate: alice }).code, 'hba-reject');
  t.end();
});

await test('a name that is not the user', (t) => {
  t.match(refusal('hostssl all all all cert', { certificate: { cn: 'bob', dn: 'CN=bob' } }), {
    code: 'client-cert-name-mismatch',
    sqlstate: '28000',
    message: 'certificate authentication failed for user "alice"',
    detail: matched(1, 'hostssl all all all cert'),
    notes: ['provided user name (alice) and authenticated user name (bob) do not match'],
    identity: 'CN=bob',
  });
  t.match(refusal('hostssl all all all trust clientcert=verify-full clientname=DN', { certificate: alice }), {
    sqlstate: '28000',
    message: '"trust" authentication failed for user "alice"',
    notes: [
      'provided user name (alice) and authenticated user name (CN=alice,O=Example) do not match',
      'certificate validation (clientcert=verify-full) failed for user "alice": DN mismatch',
    ],
    identity: null,
  });
  for (const method of ['password', 'md5', 'scram-sha-256']) {
    t.match(refusal(`hostssl all all all ${method} clientcert=verify-full`, { certificate: { cn: 'bob' } }), {
      code: 'client-cert-name-mismatch',
      sqlstate: '28P01',
      message: 'password authentication failed for user "alice"',
      notes: [
        'provided user name (alice) and authenticated user name (bob) do not match',
        'certificate validation (clientcert=verify-full) failed for user "alice": CN mismatch',
      ],
    });
  }
  t.end();
});

await test('a certificate without a name of the kind', (t) => {
  for (const certificate of [{ dn: 'O=Example' }, { cn: '', dn: 'CN=' }]) {
    t.match(refusal('hostssl all all all cert', { certificate }), {
      code: 'client-cert-no-name',
      message: 'certificate authentication failed for user "alice"',
      notes: ['certificate authentication failed for user "alice": client certificate contains no user name'],
      identity: null,
    });
  }
  t.equal(
    refusal('hostssl all all all cert clientname=URI', { certificate: { ...alice, uri: [''] } }).code,
    'client-cert-no-name',
  );
  t.end();
});

await test('maps', (t) => {
  const hba = 'hostssl all all all cert map=m';
  t.match(refusal(hba, { certificate: alice }, { ident: 'm bob alice\nother alice alice' }), {
    code: 'client-cert-name-mismatch',
    notes: ['no match in usermap "m" for user "alice" authenticated as "alice"'],
    identity: 'CN=alice,O=Example',
  });
  t.match(
    refusal(hba, { certificate: alice }, { ident: 'm /^alice$ x\\1\nm alice alice' }),
    {
      notes: ['regular expression "^alice$" has no subexpressions as requested by backreference in "x\\1"'],
    },
    'a back-reference to nothing ends the search',
  );
  t.match(
    refusal(hba, { certificate: { cn: 'ab' } }, { ident: 'm /^a(x)?b$ \\1\nm ab alice' }).notes,
    [/has no subexpressions/],
    'so does one to a group that took no part',
  );
  t.match(admission(hba, { certificate: alice }, { ident: '# m\nm bob alice\nm /^(al).*$ \\1ice' }), {
    identity: 'CN=alice,O=Example',
    mapRecord: { file: IDENT_FILE, line: 3 },
  });
  t.end();
});

await test('several names of one kind: one must match, and each is told', (t) => {
  const hba = 'hostssl all all all cert clientname=DNS';
  const dns = ['a.example', 'b.example'];
  t.match(refusal(hba, { certificate: { ...alice, dns } }), {
    notes: [
      'provided user name (alice) and authenticated user name (a.example) do not match',
      'provided user name (alice) and authenticated user name (b.example) do not match',
    ],
  });
  const many = Array.from({ length: 5000 }, (_, i) => `n${i}`);
  t.equal(refusal(hba, { certificate: { ...alice, dns: many } }).notes.length, 8, 'but not without end');
  t.match(admission(hba, { user: 'b.example', certificate: { dns } }), { identity: 'a.example' });
  t.match(
    refusal('hostssl all all all scram-sha-256 clientcert=verify-full clientname=URI', {
      certificate: { uri: ['urn:x'] },
    }).notes,
    [/authenticated user name \(urn:x\)/, /for user "alice": URI mismatch$/],
  );
  t.end();
});

await test('an admission says who it is and what the upstream must ask for', (t) => {
  const cases: [string, Connection, Partial<Admission>, string][] = [
    ['host all all all trust', {}, { demand: 'none', identity: null }, 'user="alice" method=trust'],
    [
      'hostssl all all all trust clientcert=verify-full',
      { certificate: alice },
      { demand: 'none', identity: null },
      'user="alice" method=trust',
    ],
    [
      'hostssl all all all cert',
      { certificate: alice },
      { demand: 'none', identity: 'CN=alice,O=Example' },
      'identity="CN=alice,O=Example" method=cert',
    ],
    [
      'host all all all password',
      {},
      { demand: 'password', identity: 'alice' },
      'identity="alice" method=password',
    ],
    ['host all all all md5', {}, { demand: 'md5', identity: 'alice' }, 'identity="alice" method=md5'],
    [
      'hostssl all all all scram-sha-256 clientcert=verify-full',
      { certificate: alice },
      { demand: 'scram-sha-256', identity: 'alice', mapRecord: null },
      'identity="alice" method=scram-sha-256',
    ],
  ];
  for (const [hba, connection, expected, logged] of cases) {
    const verdict = admission(hba, connection);
    t.match(verdict, expected, hba);
    t.equal(
      authenticatedMessage(verdict.record, verdict.identity, 'alice'),
      `connection authenticated: ${logged} (${HBA_FILE}:1)`,
    );
  }
  t.end();
});
