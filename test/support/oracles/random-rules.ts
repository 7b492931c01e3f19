// Random pg_hba.conf and pg_ident.conf files and random connections, drawn from small vocabularies so that rules and
// connections meet often. The same seed gives the same rounds.

/** A small seeded generator of numbers (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** One of the choices, each as likely as its weight. */
  weighted<T>(choices: readonly (readonly [weight: number, item: T])[]): T {
    let at = this.next() * choices.reduce((sum, [weight]) => sum + weight, 0);
    return (choices.find(([weight]) => (at -= weight) < 0) ?? choices[0]!)[1];
  }

  list<T>(min: number, max: number, make: () => T): T[] {
    return Array.from({ length: min + this.below(max - min + 1) }, make);
  }
}

/** Roles that exist on the server, with their direct members. */
export const ROLES: Readonly<Record<string, readonly string[]>> = {
  alice: [],
  bob: [],
  carol: [],
  über: [],
  dba: ['bob', 'carol'],
  ops: ['dba', 'alice'],
  app: ['alice'],
};
/** Every role that exists has this password. */
export const PASSWORD = 'secret';

const LONG = 'l'.repeat(70);
/**
 * Users of the connections. The server has each, those beyond ROLES without a password: who is on no server is a member of
 * nothing there, and at the gate of the role of the own name (contract §7.3).
 */
export const USERS = [
  ...Object.keys(ROLES),
  'mallory',
  'all',
  'Alice',
  '+ops',
  'a b',
  'app_7',
  '/x',
  LONG,
] as const;
const DATABASES = [
  'app',
  'alice',
  'ops',
  'dba',
  'db1',
  'db22',
  'all',
  'replication',
  'a,b',
  'é',
  LONG,
] as const;
const SOURCES = ['127.0.0.1', '127.0.0.2', '127.0.7.1', '127.1.0.9', '127.200.3.4', '::1'] as const;

/** Common names of the client certificates; each also has a DN of two attributes. */
export const COMMON_NAMES = [
  'alice',
  'bob',
  'Alice',
  'all',
  '+dba',
  '/^.*$',
  'alice@example.com',
  'ops-7',
  'über',
  '',
] as const;

/** How a round's rules are written. */
export type Mode =
  /** Every method is trust and no certificate is asked for: the server's log names the line of every match. */
  | 'lines'
  /** All methods and options. */
  | 'methods';

export interface RandomRound {
  readonly mode: Mode;
  readonly hba: string;
  readonly ident: string;
  /** Files that the rules name, by their path beside them. */
  readonly files: Readonly<Record<string, string>>;
  readonly connections: readonly RandomConnection[];
}

export interface RandomConnection {
  readonly user: string;
  readonly database: string;
  readonly source: string;
  readonly tls: boolean;
  /** Index into COMMON_NAMES; null = no certificate. */
  readonly certificate: number | null;
  readonly replication: 'none' | 'physical' | 'database';
}

/** One rule file with everything it names, and the connections to try on it. */
export function randomRound(random: Random, connectionCount: number): RandomRound {
  const mode: Mode = random.chance(0.4) ? 'lines' : 'methods';
  const named = random.chance(0.1);
  const files: Record<string, string> = {
    'lists/users': fileList(random, USERS),
    'lists/databases': fileList(random, DATABASES),
    'lists/none': '# nobody\n',
    'more/one.conf': ruleLines(random, mode, 2).join(''),
    'more/Two.conf': ruleLines(random, mode, 2).join(''),
    'more/skipped.txt': 'this is no rule\n',
    'extra.conf': `${ruleLines(random, mode, 1).join('')}include_if_exists more/absent.conf\n`,
  };
  const lines = ruleLines(random, mode, 8);
  // Without a line for everybody at the end, half of all connections would find no entry.
  if (random.chance(0.6)) {
    const type = random.pick(['host', 'hostssl']);
    lines.push(layOut(random, [type, 'all,replication', 'all', 'all', method(random, type, mode)]));
  }
  if (random.chance(0.3)) lines.splice(random.below(lines.length), 0, directive(random));
  if (named)
    lines.splice(
      random.below(lines.length),
      0,
      `host all all ${random.pick(['localhost', 'LOCALHOST', '.localhost', 'other', '"all"', '.host', '.'])} ${method(random, 'host', mode)}\n`,
    );
  if (random.chance(0.08)) lines.splice(random.below(lines.length), 0, brokenLine(random));
  const hba = lines.join('');
  return {
    mode,
    hba,
    ident: random.list(2, 8, () => identLine(random)).join(''),
    files: Object.fromEntries(Object.entries(files).filter(([name]) => isNamed(name, hba))),
    // A rule that names a host asks for a look-up of every client that reaches it; only one address has a name.
    connections: random.list(connectionCount, connectionCount, () =>
      connection(random, named ? ['127.0.0.1'] : SOURCES),
    ),
  };
}

/** Only what the rules lead to is written to the disk: that is what a round costs most. */
function isNamed(file: string, hba: string): boolean {
  return file.startsWith('lists/') ? /lists\/|include/.test(hba) : hba.includes('include');
}

function connection(random: Random, sources: readonly string[]): RandomConnection {
  const tls = random.chance(0.7);
  return {
    user: random.pick(USERS),
    database: random.pick(DATABASES),
    source: random.pick(sources),
    tls,
    certificate: tls && random.chance(0.8) ? random.below(COMMON_NAMES.length) : null,
    replication: random.weighted([
      [8, 'none'],
      [1, 'physical'],
      [1, 'database'],
    ]),
  };
}

/** One pg_hba.conf line with methods and options, its newline included. */
export function randomHbaLine(random: Random): string {
  return ruleLine(random, 'methods');
}

function ruleLines(random: Random, mode: Mode, max: number): string[] {
  return random.list(1, max, () =>
    random.chance(0.1)
      ? random.pick(['\n', '# comment\n', ' \t \n', '#\\\nswallowed\n', ',\n'])
      : ruleLine(random, mode),
  );
}

function ruleLine(random: Random, mode: Mode): string {
  const type = random.weighted([
    [5, 'host'],
    [6, 'hostssl'],
    [2, 'hostnossl'],
    [1, 'hostnogssenc'],
    [1, 'local'],
  ]);
  const fields =
    type === 'local'
      ? // The test itself connects over the Unix socket, as postgres.
        [type, listOf(random, databaseToken), random.pick(['alice', 'bob,carol', '+app']), 'trust']
      : [
          type,
          listOf(random, databaseToken),
          listOf(random, userToken),
          addressField(random),
          method(random, type, mode),
        ];
  return layOut(random, fields);
}

/** Joins fields by blanks, now and then over two physical lines or with a comment behind. */
function layOut(random: Random, fields: readonly string[]): string {
  const indent = random.chance(0.1) ? random.pick([' ', '\t', ' \r', ', ']) : '';
  const body = fields.reduce(
    (line, field) =>
      `${line}${random.weighted([
        [9, ' '],
        [3, '\t'],
        [2, '  '],
        [1, ' \\\n'],
        [1, '\\\n '],
        [1, ' , '],
      ])}${field}`,
  );
  const end = random.weighted([
    [8, ''],
    [1, ' # why'],
    [1, '#why'],
    [1, ' \r'],
    [1, '\r'],
  ]);
  return `${indent}${body}${end}\n`;
}

function listOf(random: Random, token: (random: Random) => string): string {
  const tokens = random.list(1, random.chance(0.3) ? 4 : 1, () => token(random));
  return tokens.join(
    random.weighted([
      [4, ','],
      [1, ', '],
      [1, ',,'],
    ]),
  );
}

/** Quotes what has to be quoted, and now and then what has not. */
function quote(random: Random, text: string): string {
  if (/^$|[\s,#"]/.test(text) || random.chance(0.15)) return `"${text.replaceAll('"', '""')}"`;
  if (text.length > 2 && random.chance(0.1)) return `${text[0]}"${text.slice(1)}"`;
  return text;
}

function databaseToken(random: Random): string {
  return random.weighted([
    [9, () => quote(random, 'all')],
    [5, () => quote(random, random.pick(DATABASES))],
    [1, () => quote(random, 'sameuser')],
    [1, () => quote(random, random.pick(['samerole', 'samegroup']))],
    [2, () => quote(random, 'replication')],
    [1, () => random.pick(['@lists/databases', '@"lists/databases"', '"@lists/databases"', '@'])],
    [3, () => `"/${regex(random)}"`],
  ])();
}

function userToken(random: Random): string {
  return random.weighted([
    [9, () => quote(random, 'all')],
    [6, () => quote(random, random.pick(USERS))],
    [2, () => quote(random, `+${random.pick(USERS)}`)],
    [1, () => random.pick(['@lists/users', '"@lists/users"', '@lists/users,@lists/none'])],
    [3, () => `"/${regex(random)}"`],
  ])();
}

/** PostgreSQL's regular expressions as people write them, over the letters of the vocabulary. */
function regex(random: Random): string {
  const atom = (depth: number): string =>
    random.weighted([
      [6, () => random.pick(['a', 'b', 'o', 'd', '7', 'l', 'al', 'app', 'é'])],
      [2, () => '.'],
      [2, () => random.pick(['[a-c]', '[^a]', '[[:alpha:]]', '[[:digit:]_]', '\\d', '\\w', '[é]'])],
      [1, () => random.pick(['\\m', '\\M', '\\y', '\\A', '\\Z'])],
      [depth > 0 ? 3 : 0, () => `${random.pick(['(', '(?:'])}${branch(depth - 1)})`],
    ])();
  const quantifiers = ['*', '+', '?', '{1,2}', '{2}', '*?', '+?'] as const;
  const branch = (depth: number): string =>
    random
      .list(1, 3, () => {
        const text = atom(depth);
        // A quantifier after a constraint is an error.
        return /^\\[mMyAZ]$/.test(text) || random.chance(0.6) ? text : `${text}${random.pick(quantifiers)}`;
      })
      .join(random.chance(0.15) ? '|' : '');
  const prefix = random.weighted([
    [10, ''],
    [1, '(?i)'],
    [1, '(?n)'],
  ]);
  return `${prefix}${random.chance(0.5) ? '^' : ''}${branch(2)}${random.chance(0.4) ? '$' : ''}`;
}

function addressField(random: Random): string {
  return random.weighted([
    [8, () => random.pick(['all', 'all', 'a"ll"'])],
    [2, () => random.pick(['samehost', 'samenet'])],
    [
      3,
      () =>
        random.pick(['0.0.0.0/0', '::/0', '127.0.0.1/32', '::1/128', '127.0.0.0/8', '::ffff:127.0.0.1/128']),
    ],
    [
      3,
      () =>
        `${random.pick(['127.0.0.1', '127.0.7.9', '127.1', '127.0x1.0.0', '0177.200.3.4', '2130706433'])}/${random.pick(['8', '+16', '031', '24', '32', '9', '0'])}`,
    ],
    [
      3,
      () =>
        `${random.pick(['127.0.0.1', '127.200.0.9', '10'])} ${random.pick(['255.0.0.0', '255.0.0.255', '255.255.255.254', '0.0.0.1', '255'])}`,
    ],
    [
      2,
      () =>
        `${random.pick(['::1', '::', 'fe80::1%3', '::2'])} ${random.pick(['ffff::', '::', '::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc'])}`,
    ],
  ])();
}

function method(random: Random, type: string, mode: Mode): string {
  if (mode === 'lines') return random.chance(0.1) ? '"trust"' : 'trust';
  const name = random.weighted([
    [5, 'trust'],
    [3, 'reject'],
    [1, 'password'],
    [1, 'md5'],
    [1, 'scram-sha-256'],
    [type === 'hostssl' ? 8 : 0, 'cert'],
  ]);
  if (type !== 'hostssl') return name;
  const options = [
    ...(name !== 'cert' && random.chance(0.5)
      ? [`clientcert=${random.pick(['verify-ca', 'verify-full'])}`]
      : []),
    ...(name === 'cert' && random.chance(0.1) ? ['clientcert=verify-full'] : []),
    ...(random.chance(0.2) ? [`clientname=${random.pick(['CN', 'DN'])}`] : []),
    ...(name === 'cert' && random.chance(0.6) ? [`map=${random.pick(['m1', 'm2', 'absent', ''])}`] : []),
  ];
  return [name, ...options].join(random.pick([' ', '\t', ' ', ' ,']));
}

function identLine(random: Random): string {
  const system = random.weighted([
    [4, () => quote(random, random.pick(COMMON_NAMES))],
    [1, () => `"CN=${random.pick(['alice', 'bob', 'all'])},O=Example"`],
    [4, () => `"/${regex(random)}"`],
    [
      3,
      () =>
        `"/^(${regex(random)
          .replace(/^\(\?[in]\)/, '')
          .replaceAll(/[\^$]/g, '')})${random.pick(['$', '(@example\\.com)?$', '', '-7$'])}"`,
    ],
  ])();
  const user = random.weighted([
    [3, () => quote(random, random.pick(USERS))],
    [1, () => quote(random, 'all')],
    [1, () => quote(random, `+${random.pick(USERS)}`)],
    [4, () => random.pick(['\\1', 'a\\1', '\\1\\1', '"\\1"', '\\2', '+\\1', '"+\\1"'])],
    [2, () => `"/${regex(random)}"`],
  ])();
  return layOut(random, [random.pick(['m1', 'm1', 'm2', 'M1']), system, user]);
}

function directive(random: Random): string {
  return `${random.pick(['include extra.conf', '"include" extra.conf', 'include_dir more', 'include_if_exists absent', 'include_if_exists extra.conf', 'include "more/one.conf"'])}\n`;
}

/** A line that PostgreSQL refuses, and the whole file with it. */
function brokenLine(random: Random): string {
  return `${random.pick([
    'host',
    'host all',
    'host all all',
    'host all all 127.0.0.1',
    'host all all 127.0.0.1/33 trust',
    'host all all 127.0.0.1 ::1 trust',
    'host all all localhost/8 trust',
    'host all all all',
    'host all all all Trust',
    'host all all all trust map=m1',
    'host all all all cert',
    'hosts all all all trust',
    'host,host all all all trust',
    'host all /( all trust',
    'host all @absent all trust',
    'include absent',
    'include_dir absent',
  ])}\n`;
}

function fileList(random: Random, names: readonly string[]): string {
  return random
    .list(1, 4, () => `${quote(random, random.pick(names))}${random.pick(['\n', ' ', ',', ' # x\n'])}`)
    .join('');
}
