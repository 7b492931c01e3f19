// Properties of the rules, over generated files and connections.

import * as fc from 'fast-check';
import { test } from 'tap';
import { fromBytes } from '../../src/base/bytestring.ts';
import { LoadError } from '../../src/base/problems.ts';
import { clientAddress, formatAddress, parseNumericAddress } from '../../src/rules/address.ts';
import { decide } from '../../src/rules/decide.ts';
import { loadHba } from '../../src/rules/hba.ts';
import { loadIdent } from '../../src/rules/ident.ts';
import type { Facts, FileSystem, RuleBook, Verdict } from '../../src/rules/types.ts';
import { bookOf, factsOf, HBA_FILE, IDENT_FILE, problemsOf } from '../support/oracles/rules.ts';

const RUNS = { numRuns: 500, seed: 20260101 } as const;

/** A file system in which every file that another one names holds the same bytes. */
function filesOf(file: Uint8Array, named: Uint8Array): FileSystem {
  return {
    readFile: (path) => fromBytes(path === HBA_FILE || path === IDENT_FILE ? file : named),
    listFiles: () => ['a.conf', 'b.conf'],
    resolve: (_, relative) => `/etc/gate/${relative}`,
  };
}

const names = ['alice', 'bob', 'app', 'db1', 'all', 'replication', ''] as const;
const name = fc.constantFrom(...names);
const address = fc.constantFrom(
  '10.0.0.1',
  '10.1.2.3',
  '192.168.0.9',
  '::1',
  '2001:db8::7',
  '::ffff:10.0.0.1',
);

const quoted = fc.oneof(
  fc.constant('all'),
  name,
  name.map((text) => `"${text}"`),
  fc.constantFrom('sameuser', 'samerole', '+ops', '/^a', '"/b.?$"'),
);
const list = fc
  .array(quoted, { minLength: 1, maxLength: 3 })
  .map((tokens) => tokens.map((text) => text || '""').join(','));
const range = fc.constantFrom(
  'all',
  '10.0.0.0/8',
  '10.0.0.0/16',
  '0.0.0.0/0',
  '::/0',
  '::1/128',
  '10.0.0.1 255.0.255.255',
  'web',
);
const rule = fc
  .record({
    type: fc.constantFrom('host', 'hostssl', 'hostnossl', 'hostnogssenc', 'hostgssenc'),
    database: list,
    user: list,
    range,
    method: fc.constantFrom('trust', 'reject', 'md5', 'scram-sha-256'),
  })
  .map(({ type, database, user, range: where, method }) => `${type} ${database} ${user} ${where} ${method}`);
const certRule = fc
  .record({
    database: list,
    range,
    options: fc.constantFrom('', 'map=m', 'clientname=DN', 'clientname=URI map=m'),
  })
  .map(({ database, range: where, options }) => `hostssl ${database} all ${where} cert ${options}`);
const rules = fc.array(fc.oneof(rule, certRule), { minLength: 1, maxLength: 12 });

const certificate = fc.option(
  fc.record({ cn: name, dn: name.map((cn) => `CN=${cn}`), uri: fc.array(name, { maxLength: 3 }) }),
);
const connection: fc.Arbitrary<Facts> = fc
  .record({
    user: name,
    database: name,
    address,
    tls: fc.boolean(),
    certificate,
    replication: fc.constantFrom('none', 'physical', 'database'),
    hasRootCertificates: fc.boolean(),
    hostName: fc.constantFrom({ state: 'unknown' } as const, { state: 'unresolvable', reason: 'x' } as const),
  })
  .map((facts) => factsOf({ ...facts, certificate: facts.tls ? facts.certificate : null }));

const ident = 'm /^(a.*)$ \\1\nm bob all\nm /^b(x)?$ \\1\n';
const roles = { ops: ['bob'] };
const load = (lines: readonly string[]): RuleBook => bookOf(lines.join('\n'), { ident, roles });
const decidedBy = (verdict: Verdict) =>
  verdict.kind === 'look-up' ? verdict.want : (verdict.record?.line ?? null);

await test('any bytes load or are refused with a LoadError', (t) => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .constantFrom(
        'host ',
        'all ',
        ',',
        '"',
        '\\\n',
        '\n',
        '@x',
        'include x\n',
        'include_dir x\n',
        '#',
        '/(',
        '10/8 ',
        'trust',
        '=',
        '+',
      )
      .map((text) => Buffer.from(text)),
  );
  const content = fc.array(piece, { maxLength: 30 }).map((pieces) => Buffer.concat(pieces));
  let refused = 0;
  fc.assert(
    fc.property(content, fc.uint8Array({ maxLength: 40 }), (bytes, named) => {
      const fs = filesOf(bytes, named);
      for (const read of [
        () => loadHba(HBA_FILE, fs, { ssl: true, roles: new Map() }),
        () => loadIdent(IDENT_FILE, fs),
      ]) {
        try {
          read();
        } catch (error) {
          if (!(error instanceof LoadError) || error.problems.length === 0) throw error;
          refused += 1;
        }
      }
    }),
    RUNS,
  );
  t.ok(refused > 0 && refused < 2 * RUNS.numRuns, 'both outcomes came up');
  t.end();
});

await test('a later rule never changes an earlier match', (t) => {
  let matches = 0;
  fc.assert(
    fc.property(rules, rules, connection, (earlier, later, facts) => {
      const before = decide(load(earlier), facts);
      if (decidedBy(before) === null) return;
      matches += 1;
      const after = decide(load([...earlier, ...later]), facts);
      t.same(decidedBy(after), decidedBy(before));
      t.equal(after.kind, before.kind);
    }),
    RUNS,
  );
  t.ok(matches > 100, 'matches came up');
  t.end();
});

await test('everyone who gets in was let in by a record that says so', (t) => {
  let admitted = 0;
  fc.assert(
    fc.property(rules, connection, (lines, facts) => {
      const verdict = decide(load(lines), facts);
      if (verdict.kind !== 'admit') return;
      admitted += 1;
      const { record, demand } = verdict;
      if (record.method === 'reject' || record.method === 'peer') throw new Error('an admission by reject');
      if (record.clientCert !== 'off' && (facts.certificate === null || !facts.hasRootCertificates)) {
        throw new Error('an admission without the certificate that the record demands');
      }
      if ((record.method === 'trust' || record.method === 'cert') !== (demand === 'none')) {
        throw new Error('a password method that demands no password');
      }
    }),
    RUNS,
  );
  t.ok(admitted > 20, `${admitted} admissions came up`);
  t.end();
});

await test('no rule admits by being broken: a file with one bad line is refused whole', (t) => {
  const bad = fc.constantFrom(
    'host',
    'host all',
    'hst all all all trust',
    'host all all all trust x',
    'host all all 1/99 trust',
    'host all /( all trust',
  );
  fc.assert(
    fc.property(rules, bad, fc.nat(), (lines, line, where) => {
      const at = where % (lines.length + 1);
      const problems = problemsOf(() => load(lines.toSpliced(at, 0, line)));
      t.match(problems, [{ file: HBA_FILE, line: at + 1 }]);
    }),
    { ...RUNS, numRuns: 100 },
  );
  t.end();
});

await test('a warning of a shadowed line is certain: without the line, every decision is the same', (t) => {
  let warned = 0;
  fc.assert(
    fc.property(rules, fc.array(connection, { minLength: 5, maxLength: 5 }), (lines, connections) => {
      const book = load(lines);
      const shadowed = book.hba.warnings
        .filter(({ message }) => message.includes('matches everything'))
        .map(({ line }) => line);
      if (shadowed.length === 0) return;
      warned += 1;
      for (const facts of connections) {
        const line = decidedBy(decide(book, facts));
        if (shadowed.includes(typeof line === 'number' ? line : -1)) throw new Error(`line ${line} decided`);
      }
    }),
    RUNS,
  );
  t.ok(warned > 50, 'warnings came up');
  t.end();
});

await test('addresses are printed as they are read', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const parsed = parseNumericAddress(text);
      if (parsed === null) throw new Error(`not read: ${text}`);
      t.same(parseNumericAddress(formatAddress(parsed)), parsed);
    }),
    RUNS,
  );
  fc.assert(
    fc.property(fc.ipV4(), (text) => t.equal(clientAddress(`::ffff:${text}`)?.text, text)),
    RUNS,
  );
  t.equal(clientAddress('localhost'), null);
  t.end();
});
