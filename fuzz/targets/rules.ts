// pg_hba.conf and pg_ident.conf: every text loads whole or is refused whole with its reasons, and rules that load admit
// nobody but by a line that may.

import { fromBytes } from '../../src/base/bytestring.ts';
import { LoadError } from '../../src/base/problems.ts';
import { decide } from '../../src/rules/decide.ts';
import { loadHba } from '../../src/rules/hba.ts';
import { loadIdent } from '../../src/rules/ident.ts';
import type {
  Admission,
  Facts,
  FileSystem,
  HbaRecord,
  HbaRules,
  IdentMaps,
  Verdict,
} from '../../src/rules/types.ts';
import { factsOf, HBA_FILE, IDENT_FILE, memoryFiles, rolesOf } from '../../test/support/oracles/rules.ts';
import { invariant, tokens, type Target } from '../target.ts';

const ROLES = rolesOf({ app: ['alice', 'ops'], ops: ['bob'] });
const FILES = [HBA_FILE, '/etc/gate/extra.conf', '/etc/gate/more/one.conf', '/etc/gate/lists/users'] as const;
/** Between the files of one input. */
export const NEXT_FILE = '\x1c';

const CERTIFICATE = {
  cn: 'alice',
  dn: 'CN=alice,O=Example',
  uri: ['spiffe://prod/a'],
  dns: ['a.example'],
  email: ['a@b'],
};

const CONNECTIONS: readonly Facts[] = [
  factsOf(),
  factsOf({ user: 'bob', database: 'all', tls: true }),
  factsOf({ user: 'alice', database: 'replication', certificate: CERTIFICATE }),
  factsOf({ user: '+app', database: 'app', certificate: { cn: 'all', dn: 'CN=all' } }),
  factsOf({ replication: 'physical', certificate: CERTIFICATE }),
  factsOf({ replication: 'database', tls: true, hasRootCertificates: false }),
  factsOf({ user: 'caf\xc3\xa9', address: '::1', certificate: { cn: null, dn: 'O=Example' } }),
];

const EMPTY_MAPS: IdentMaps = { file: IDENT_FILE, records: [], warnings: [] };

const HBA_SEEDS = [
  'hostssl all all 0.0.0.0/0 cert map=m\nhost app alice,+ops 10.0.0.0/8 scram-sha-256\nhost all all all reject\n',
  'local all all peer\nhostnossl "db 1","/^a[[:alpha:]]+$" all samenet trust # comment\nhost replication all ::1/128 md5\n',
  `include extra.conf\ninclude_if_exists absent\ninclude_dir more\nhost all @lists/users all trust\n${NEXT_FILE}host a b 127.1 255.0.0.0 password\n${NEXT_FILE}hostssl sameuser all .example.com trust clientcert=verify-full clientname=DN\n${NEXT_FILE}alice, bob\n`,
  'hostssl all \\\n all all cert clientname=URI map="x y"\nhostgssenc all all all trust\nhost samerole "+app" samehost trust\n',
];

const WORDS = [
  ...tokens('host¦hostssl ¦hostnossl ¦local ¦ all¦ sameuser¦ samerole¦ replication¦ "¦""¦ @lists/users'),
  ...tokens(' +app¦ /^a¦ samehost¦ samenet¦ 10.0.0.0/8¦ ::/0¦ .example.com¦ 255.255.255.0¦ cert¦ trust'),
  ...tokens(
    ' reject¦ md5¦ map=m¦ clientcert=verify-ca¦ clientcert=verify-full¦ clientname=CN¦ clientname=DNS',
  ),
  ...tokens('include ¦include_dir ¦include_if_exists ¦\\\n¦\n¦#¦,¦\r¦\\1¦(¦)¦[¦{1,255}¦\\'),
  NEXT_FILE,
];

export function hbaTarget(): Target {
  return {
    maxLength: 4_096,
    limitMs: 2_000,
    seeds: HBA_SEEDS.map((text) => Buffer.from(text)),
    dictionary: WORDS,
    run: (input) => {
      const rules = loaded(() => loadHba(HBA_FILE, filesOf(input), { ssl: true, roles: ROLES }));
      if (rules === null) return;
      for (const facts of CONNECTIONS) checkVerdict(rules, facts, verdictOf(rules, facts));
    },
  };
}

const IDENT_SEEDS = [
  'm alice bob\nm "/^(.*)@example\\.com$" \\1\nm "CN=alice,O=Example" all\n',
  'm /^a(.)c$ "+\\1"\nm "/x|(y)" "/^\\1"\nn all +app\ninclude extra.conf\n\x1cm bob bob\n',
];

export function identTarget(): Target {
  return {
    maxLength: 4_096,
    limitMs: 2_000,
    seeds: IDENT_SEEDS.map((text) => Buffer.from(text)),
    dictionary: [...WORDS, 'm ', ' alice', ' "/^(.*)$" ', '"CN=alice"'],
    run: (input) => {
      const maps = loaded(() => loadIdent(IDENT_FILE, filesOf(input, IDENT_FILE), ROLES));
      if (maps === null) return;
      const hba = loadHba(HBA_FILE, memoryFiles({ [HBA_FILE]: 'hostssl all all all cert map=m\n' }), {
        ssl: true,
        roles: ROLES,
      });
      for (const facts of CONNECTIONS) {
        const verdict = decide({ hba, ident: maps, roles: ROLES }, facts);
        if (verdict.kind !== 'admit') continue;
        const { mapRecord } = verdict;
        invariant(
          mapRecord !== null && maps.records.includes(mapRecord) && mapRecord.map === 'm',
          'a line of the map maps',
        );
        invariant(facts.certificate?.cn !== null && facts.certificate !== null, 'only a name can be mapped');
      }
    },
  };
}

/** The input as files: the first is the one to load. */
export function filesOf(input: Buffer, first: string = HBA_FILE): FileSystem {
  const texts = fromBytes(input).split(NEXT_FILE);
  const names = [first, ...FILES.slice(1)];
  const files = new Map(
    names.flatMap((name, index) => (texts[index] === undefined ? [] : [[name, texts[index]]])),
  );
  const fs = memoryFiles(Object.fromEntries(files));
  // Raw bytes, where the helper takes text.
  return {
    ...fs,
    readFile: (path) => files.get(path) ?? fs.readFile(path),
  };
}

/** Null when it was refused in the way in which it should be. */
export function loaded<T>(load: () => T): T | null {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    invariant(error.problems.length > 0, 'a refusal gives its reasons');
    for (const { file, line, message } of error.problems) {
      invariant(
        file.startsWith('/etc/gate/') && (line === null || line >= 1) && message !== '',
        'a reason has its place',
      );
    }
    return null;
  }
}

/** Look-ups answered as a resolver of 10.0.0.1 would. */
function verdictOf(hba: HbaRules, facts: Facts): Exclude<Verdict, { kind: 'look-up' }> {
  const book = { hba, ident: EMPTY_MAPS, roles: ROLES };
  let known = facts;
  for (let round = 0; round < 3; round++) {
    const verdict = decide(book, known);
    if (verdict.kind !== 'look-up') return verdict;
    const forward =
      verdict.want === 'reverse'
        ? ({ state: 'unknown' } as const)
        : ({ state: 'resolved', addresses: [facts.address] } as const);
    known = { ...known, hostName: { state: 'resolved', name: 'client.example.com', forward } };
  }
  throw new Error('the rules ask for a third look-up');
}

function checkVerdict(rules: HbaRules, facts: Facts, verdict: Exclude<Verdict, { kind: 'look-up' }>): void {
  if (verdict.kind === 'refuse') {
    invariant(verdict.sqlstate.length === 5 && verdict.message !== '', 'a refusal says why');
    return;
  }
  const { record } = verdict;
  invariant(rules.records.includes(record), 'a line admits');
  checkAdmission(record, facts, verdict);
}

/** What no line may ever admit, whatever it says. */
function checkAdmission(record: HbaRecord, facts: Facts, { demand, mapRecord }: Admission): void {
  const { type, method, clientCert, clientName, databases, address } = record;
  invariant(type !== 'local' && type !== 'hostgssenc', 'no line for another kind of connection');
  invariant(type !== 'hostssl' || facts.tls, 'hostssl is for TLS');
  invariant(type !== 'hostnossl' || !facts.tls, 'hostnossl is for the others');
  invariant(method !== 'reject' && method !== 'peer', 'the method lets somebody in');
  invariant(clientCert === 'off' || facts.certificate !== null, 'a line that wants a certificate gets one');
  invariant(clientCert === 'off' || facts.hasRootCertificates, 'and somebody could check it');
  invariant(method !== 'cert' || clientCert === 'verify-full', 'cert compares the name');
  if (clientCert === 'verify-full' && mapRecord === null && (clientName === 'CN' || clientName === 'DN')) {
    invariant(facts.certificate?.[clientName === 'CN' ? 'cn' : 'dn'] === facts.user, 'the name is the user');
  }
  if (facts.replication === 'physical') {
    invariant(
      databases.some(({ kind }) => kind === 'replication'),
      'a base backup needs the keyword',
    );
  }
  invariant(
    address?.kind !== 'mask' || address.address.family === facts.address.family,
    'families are equal',
  );
  const expected = method === 'trust' || method === 'cert' ? 'none' : method;
  invariant(demand === expected, 'what the upstream must ask for is what the line says');
}
