// PostgreSQL looks what each name of an include_dir is before it opens it, so its text for a link that leads nowhere is
// another than for a file that is not there.

import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { check } from '../support/run/check.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';

await test('links in an include_dir', async (t) => {
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o755); // the server has an account of its own
  for (const [name, target] of [
    ['nowhere', 'gone.conf'],
    ['circle', 'round.conf'],
  ] as const) {
    mkdirSync(join(directory, name));
    symlinkSync(target, join(directory, name, 'round.conf'));
  }
  const hba = ['nowhere', 'circle'].map((name) => `include_dir ${directory}/${name}\n`).join('');

  await using server = await startPostgres({ version: 18 });
  server.writeDataFile('pg_hba.conf', `${hba}local all postgres trust\n`);
  const rows = await server.query('select error from pg_hba_file_rules where error is not null');
  const { lines, code } = await check(t, { hba });
  t.equal(code, 1);
  const [first, second, ...more] = lines.map((line) => line.replace(/^[^:]*:\d+: /, ''));
  t.same(more, []);
  t.same(
    rows.map(({ error }) => error),
    [first, second].map((text) => text?.replace(/: [^:]*$/, '')),
    'with the reason behind it, which is in the log of PostgreSQL alone',
  );
  t.match(first, /round\.conf": No such file or directory$/);
  t.match(second, /round\.conf": Too many levels of symbolic links$/);
});
