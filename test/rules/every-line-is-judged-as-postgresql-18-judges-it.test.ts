// The tables hba-lines.txt and ident-lines.txt: our loaders' verdict on each line, PostgreSQL 18's own in
// pg_hba_file_rules and pg_ident_file_mappings, and for good lines the fields that both read from them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { loadHba } from '../../src/rules/hba.ts';
import { loadIdent } from '../../src/rules/ident.ts';
import type { HbaRecord, IdentRecord } from '../../src/rules/types.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import type { Row } from '../support/servers/postgres.ts';
import { HBA_VIEW, hbaColumns, identColumns } from '../support/oracles/rule-views.ts';
import { HBA_FILE, IDENT_FILE, memoryFiles, problemsOf } from '../support/oracles/rules.ts';

const DIRECTORY = '/etc/gate';
const included = { one: 'a b\nc,d "all"\n', none: '# nothing\n' };

interface Case {
  readonly text: string;
  /** `ok` or the message. */
  readonly expected: string;
  readonly asPostgresql: boolean;
}

function readCases(file: string): Case[] {
  const lines = readFileSync(join(import.meta.dirname, '../fixtures/rules', file), 'utf8').split('\n');
  return lines
    .filter((line) => line !== '' && !line.startsWith('# '))
    .map((line) => {
      const parts = /^(.*) =([>!]) (.*)$/.exec(line);
      if (parts === null) throw new Error(`${file}: no verdict in ${line}`);
      return { text: parts[1]!, asPostgresql: parts[2] === '>', expected: parts[3]! };
    });
}

const filesWith = (path: string, content: string) =>
  memoryFiles({
    [path]: content,
    [`${DIRECTORY}/one`]: included.one,
    [`${DIRECTORY}/none`]: included.none,
  });

function hbaRecord(text: string): HbaRecord | undefined {
  return loadHba(HBA_FILE, filesWith(HBA_FILE, text), { ssl: true, roles: new Map() }).records[0];
}

function identRecord(text: string): IdentRecord | undefined {
  return loadIdent(IDENT_FILE, filesWith(IDENT_FILE, text)).records[0];
}

function verdictOn(load: () => unknown): string {
  return problemsOf(load)[0]?.message.replaceAll(DIRECTORY, 'DIR') ?? 'ok';
}

await test('lines of pg_hba.conf and pg_ident.conf', async (t) => {
  // The server never loads these files: its views read whatever stands there.
  await using postgres = await startPostgres({ version: 18, ssl: testAuthority(t).server() });
  for (const [name, content] of Object.entries(included)) postgres.writeDataFile(name, content);

  const hbaCases = readCases('hba-lines.txt');
  const identCases = readCases('ident-lines.txt');
  // An @file is resolved beside the file that names it: the views' files are those of the data directory.
  postgres.writeDataFile(
    'pg_hba.conf',
    ['local all postgres trust', ...hbaCases.map(({ text }) => text), ''].join('\n'),
  );
  postgres.writeDataFile('pg_ident.conf', [...identCases.map(({ text }) => text), ''].join('\n'));
  const hbaRows = await postgres.query(HBA_VIEW);
  const identRows = await postgres.query(
    `select file_name, line_number, map_name, sys_name, pg_username, error from pg_ident_file_mappings`,
  );

  t.ok(hbaCases.length > 100 && identCases.length > 10, 'the tables are not empty');
  compare(hbaCases, hbaRows, 2, (text) => hbaRecord(text), hbaColumns);
  compare(identCases, identRows, 1, (text) => identRecord(text), identColumns);

  function compare<R>(
    cases: readonly Case[],
    rows: readonly Row[],
    firstLine: number,
    load: (text: string) => R | undefined,
    columns: (record: R) => Row,
  ): void {
    for (const [index, { text, expected, asPostgresql }] of cases.entries()) {
      t.equal(
        verdictOn(() => load(text)),
        expected,
        text,
      );
      const row = rows.find((other) => other['line_number'] === firstLine + index);
      if (!asPostgresql) continue;
      if (expected !== 'ok') {
        const error = String(row?.['error']).replaceAll(postgres.dataDir, 'DIR');
        t.equal(error, expected, `PostgreSQL 18 on ${text}`);
        continue;
      }
      const { file_name: _file, line_number: _line, ...said } = row ?? {};
      t.same(said, columns(load(text)!), text);
    }
  }
});
