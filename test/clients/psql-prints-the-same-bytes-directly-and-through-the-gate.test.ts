// Transparency: broad SQL scripts (test/fixtures/sql) give the same bytes, results, errors and notices in their order,
// whether psql speaks to the server itself or through the gate.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compatibility } from '../support/pages/compatibility.ts';
import { runToEnd } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs, toolPath } from '../support/run/tools.ts';
import { behindGate, environment, type Parameters } from './behind-gate.ts';

const page = compatibility(import.meta.url);
const FOLDER = fileURLToPath(new URL('../fixtures/sql/', import.meta.url));
const SCRIPTS = ['types', 'errors-and-notices', 'commands', 'large-results', 'since-15'] as const;

/** What each script prints at its end. */
const LAST_WORDS: Readonly<Record<(typeof SCRIPTS)[number], RegExp>> = {
  types: /reset client_encoding;\nRESET\n$/,
  'errors-and-notices': /reset all;\nRESET\n$/,
  commands: /drop schema s cascade;\n[^]*DROP SCHEMA\n$/,
  'large-results': /1234 rows\)\n+\\unset FETCH_COUNT\n$/,
  'since-15': /Key \(v\)=\(null\) already exists\.\n$/,
};

for (const version of [10, 15, 18] as const) {
  await page.row(
    {
      client: 'psql 15, libpq 15',
      server: `PostgreSQL ${version}`,
      ran: 'types, errors, notices, DDL, functions, transactions, cursors, prepared statements, COPY, large objects, large results, many statements at once: output byte for byte as without the gate',
    },
    needs('psql'),
    async (t) => {
      const { server, conninfo, direct } = await behindGate(t, { version });
      const folder = temporaryDirectory(t);
      for (const script of SCRIPTS.filter((name) => name !== 'since-15' || version >= 15)) {
        const [first = Buffer.of(), second = Buffer.of()] = await inTurn(
          [direct, conninfo],
          async (place, i) => {
            await server.query('drop database if exists regress');
            await server.query('create database regress template template0');
            const out = join(folder, `${script}-${i}`);
            await runScript({ ...place, dbname: 'regress' }, `${script}.sql`, out);
            return readFileSync(out);
          },
        );
        t.ok(first.length > 1000, `${script}: there is output`);
        t.match(first.toString('latin1'), LAST_WORDS[script], `${script}: it ran to its end`);
        t.ok(first.equals(second), `${script}: the same ${first.length} bytes`);
        if (!first.equals(second)) t.equal(second.toString('latin1'), first.toString('latin1'));
      }
    },
  );
}

/** psql's output and errors, in the order in which they come, in one file. */
async function runScript(place: Parameters, script: string, out: string): Promise<void> {
  const args = ['-X', '-w', '-a', '-f', script];
  await runToEnd('sh', ['-c', 'exec "$0" "$@" >"$OUT" 2>&1', toolPath('psql'), ...args], {
    cwd: FOLDER,
    env: { OUT: out, PGCONNECT_TIMEOUT: '15', ...environment(place) },
  });
}

async function inTurn<T, R>(items: readonly T[], run: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const [index, item] of items.entries()) results.push(await run(item, index));
  return results;
}

await page.complete();
