// Writes docs/compatibility.md from a run of test/clients against every major version, and only if all of it passed
// and nothing was left out. With `--majors` it runs what is about servers alone and writes nothing.

import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  COMPATIBILITY_PAGE,
  RECORD_TO,
  TABLES,
  tableLine,
  type RecordedRow,
} from '../test/support/pages/compatibility-page.ts';
import { runTap } from '../test/support/run/tap-run.ts';
import { installMajors } from './postgres-majors.ts';

const FOLDER = fileURLToPath(new URL('../test/clients/', import.meta.url));

/** The files of test/console that have rows. */
const CONSOLE_FILES = [
  'each-driver-runs-statements-with-parameters.test.ts',
  'psql-s-commands-work-or-say-what-does.test.ts',
];

/** For tap: all majors in one file take longer than a file of CI may. */
const PATIENT = '--timeout=600';

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const onlyServers = args.includes('--majors');
  const majors = installMajors();
  // Short and open to all, as test/support/run/main.ts has it: sockets go below it, and servers run as nobody.
  const run = mkdtempSync(join(tmpdir(), 'gatehouse-test-'));
  chmodSync(run, 0o755);
  const records = join(run, 'rows');
  writeFileSync(records, '');
  try {
    const files = readdirSync(FOLDER)
      .filter((file) => (onlyServers ? file.startsWith('each-major-version') : isRowsFile(file)))
      .map((file) => join(FOLDER, file))
      .concat(onlyServers ? [] : CONSOLE_FILES.map((file) => join(FOLDER, '../console', file)));
    const env = { ...process.env, TMPDIR: run, GATEHOUSE_TEST_RUN: run, GATEHOUSE_MAJORS: majors };
    const { counts, code } = await runTap(
      [PATIENT, ...files],
      onlyServers ? env : { ...env, [RECORD_TO]: records },
      print,
    );
    print(`${counts?.passed ?? 0} passed, ${counts?.failed ?? 0} failed, ${counts?.skipped ?? 0} skipped`);
    if (code !== 0 || counts === null || counts.skipped > 0) {
      print('Not everything ran and passed.');
      return 1;
    }
    if (!onlyServers) writeFileSync(COMPATIBILITY_PAGE, page(readRows(records)));
    return 0;
  } finally {
    rmSync(run, { recursive: true, force: true, maxRetries: 3 });
    rmSync(majors, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** The test of the page itself has to wait until there is one. */
function isRowsFile(file: string): boolean {
  return file.endsWith('.test.ts') && !file.startsWith('the-compatibility-page');
}

function readRows(file: string): RecordedRow[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line): RecordedRow => JSON.parse(line));
}

function page(rows: readonly RecordedRow[]): string {
  const blocks = [
    '# Compatibility',
    '<!-- Written by tools/compatibility-docs.ts (npm run compatibility) from the tests that passed. -->',
    'Every row is a test, which the row names: it runs the real client against the real server through the real gate. Versions are majors; package.json has the exact versions of npm packages. PostgreSQL 10, 15 and 18 run in CI, the other majors by `npm run test:majors`. Unless a row says otherwise the client shows a certificate and verifies the gate’s (`sslmode=verify-full`), and the upstream is reached over TCP without TLS.',
    ...Object.values(TABLES).flatMap(({ heading, columns, holds }) => [
      `## ${heading}`,
      [
        `| ${columns.join(' | ')} |`,
        `| ${columns.map(() => '---').join(' | ')} |`,
        ...rows.filter(holds).map(tableLine).toSorted(),
      ].join('\n'),
    ]),
    '## Not run',
    '- PGlite with COPY from the client, because its socket server fails at that with or without the gate; PGlite with cancel requests.\n- Windows and macOS builds of the clients. They speak the same protocol, but no test here runs them.\n- PostgreSQL 9.6 and older, because npm has no such servers.\n- GSSAPI-encrypted and Kerberos-authenticated connections. The gate answers `N` to GSSENCRequest, as a PostgreSQL without GSSAPI does, and refuses the methods `gss` and `sspi` when it loads its rules.',
  ];
  return `${blocks.join('\n\n')}\n`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
