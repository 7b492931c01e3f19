// Programs that npm does not have and Debian does: which of them are here, and a skip with a reason where one is
// not. main.ts repeats at its end what was left out for want of them.

import {
  accessSync,
  appendFileSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
} from 'node:fs';
import { delimiter, isAbsolute, join, relative } from 'node:path';
import type { TAP } from 'tap';

/** Each tool with the Debian package that brings it. */
export const PACKAGES = {
  psql: 'postgresql-client',
  pg_basebackup: 'postgresql-client',
  pg_recvlogical: 'postgresql-client',
  pg_receivewal: 'postgresql-client',
  // Not in the client package: Debian ships it with the server.
  pgbench: 'postgresql',
  pg_verifybackup: 'postgresql-client',
  pg_dump: 'postgresql-client',
  pg_restore: 'postgresql-client',
  openssl: 'openssl',
  prometheus: 'prometheus',
  promtool: 'prometheus',
  'systemd-analyze': 'systemd',
  chromium: 'chromium',
  haproxy: 'haproxy',
  ip: 'iproute2',
  unshare: 'util-linux',
  gcc: 'gcc',
  mount: 'mount',
  'fail2ban-regex': 'fail2ban',
  tini: 'tini',
  zsh: 'zsh',
  fish: 'fish',
  mandoc: 'mandoc',
  groff: 'groff-base',
  jq: 'jq',
  python3: 'python3',
  isql: 'unixodbc',
  javac: 'default-jdk-headless',
  // Drivers are libraries: a file stands for each. Perl keeps its own under a folder that names Perl's version.
  '/usr/bin/python3': 'python3',
  '/usr/lib/python3/dist-packages/psycopg/__init__.py': 'python3-psycopg',
  '/usr/lib/python3/dist-packages/psycopg2/__init__.py': 'python3-psycopg2',
  '/usr/lib/python3/dist-packages/asyncpg/__init__.py': 'python3-asyncpg',
  '/usr/share/java/postgresql.jar': 'libpostgresql-jdbc-java',
  '/var/lib/dpkg/info/libdbd-pg-perl.list': 'libdbd-pg-perl',
  '/usr/lib/ruby/vendor_ruby/pg.rb': 'ruby-pg',
  '/usr/lib/x86_64-linux-gnu/odbc/psqlodbcw.so': 'odbc-postgresql',
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1': 'libfaketime',
} as const;

export type Tool = keyof typeof PACKAGES;

/** What a test that could not run leaves for main.ts. */
export interface LeftOut {
  readonly test: string;
  readonly tools: readonly Tool[];
  /** What else it needs, such as root's rights. */
  readonly wants?: string;
}

const DEBIAN_POSTGRES = '/usr/lib/postgresql';

/** The tool's path, or null. Debian's PostgreSQL programs are taken from their own folder, newest version first. */
export function findTool(tool: Tool): string | null {
  if (isAbsolute(tool)) return existsSync(tool) ? tool : null;
  const folders = [
    ...debianPostgresFolders(),
    ...(process.env['PATH'] ?? '').split(delimiter),
    // Where daemons are; an ordinary user's PATH may lack it.
    '/usr/sbin',
  ];
  return folders.map((folder) => join(folder, tool)).find(isExecutable) ?? null;
}

/** The tool's path. @throws Error that says how to get it. */
export function toolPath(tool: Tool): string {
  const path = findTool(tool);
  if (path === null) throw new Error(`${tool} is not here: ${howToGet([tool])}`);
  return path;
}

/** Options for a subtest that needs tools: `test('…', needs('psql'), async (t) => …)` is skipped without them. */
export function needs(...tools: readonly Tool[]): { readonly skip?: string } {
  const missing = tools.filter((tool) => findTool(tool) === null);
  if (missing.length === 0) return {};
  record({ test: relative(process.cwd(), process.argv[1] ?? ''), tools: missing });
  return { skip: `${missing.join(', ')} not here: ${howToGet(missing)}` };
}

/** For a whole file, first thing in it: without the tools the file is skipped, and ends here. */
export function requireTools(t: TAP, ...tools: readonly Tool[]): void {
  const { skip } = needs(...tools);
  if (skip === undefined) return;
  t.plan(0, skip);
  process.exit();
}

/** For a whole file that needs more than tools: it is skipped, says so, and ends here. */
export function leftOutForWantOf(t: TAP, wants: string): never {
  record({ test: relative(process.cwd(), process.argv[1] ?? ''), tools: [], wants });
  t.plan(0, `needs ${wants}`);
  process.exit();
}

/** The command that installs what is missing. */
export function howToGet(tools: readonly Tool[]): string {
  return `apt-get install ${[...new Set(tools.map((tool) => PACKAGES[tool]))].join(' ')}`;
}

/** What whoever wants everything tested has to do, a line each. Each of them has left something out. */
export function howToTestEverything(leftOut: readonly LeftOut[]): readonly string[] {
  const tools = leftOut.flatMap((each) => each.tools);
  const others = new Set(leftOut.flatMap(({ wants }) => (wants === undefined ? [] : [wants])));
  return [...(tools.length > 0 ? [howToGet(tools)] : []), ...[...others].map((wants) => `have ${wants}`)];
}

/** What was left out in this run, from the file that main.ts names. */
export function readLeftOut(file: string): LeftOut[] {
  const text = statSync(file, { throwIfNoEntry: false }) === undefined ? '' : readFileSync(file, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): LeftOut => JSON.parse(line));
}

function record(leftOut: LeftOut): void {
  const run = process.env['GATEHOUSE_TEST_RUN'];
  if (run !== undefined) appendFileSync(join(run, 'left-out'), `${JSON.stringify(leftOut)}\n`);
}

function debianPostgresFolders(): string[] {
  if (statSync(DEBIAN_POSTGRES, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(DEBIAN_POSTGRES)
    .toSorted((a, b) => Number(b) - Number(a))
    .map((version) => join(DEBIAN_POSTGRES, version, 'bin'));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
