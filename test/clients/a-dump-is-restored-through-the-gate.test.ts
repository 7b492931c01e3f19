// pg_dump through one gate, piped into pg_restore through another: what stands behind both is then the same.

import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { compatibility } from '../support/pages/compatibility.ts';
import { runClient, startClient } from '../support/peers/psql.ts';
import { needs } from '../support/run/tools.ts';
import { within } from '../support/run/waiting.ts';
import { behindGate } from './behind-gate.ts';

const page = compatibility(import.meta.url);
const LONG_MS = 90_000;

await page.row(
  {
    client: 'pg_dump 15, pg_restore 15',
    server: 'PostgreSQL 15',
    ran: 'a dump through the gate, piped into pg_restore through another gate: both dumps the same',
  },
  needs('pg_dump', 'pg_restore', 'pgbench'),
  async (t) => {
    const from = await behindGate(t, { version: 15 });
    const to = await behindGate(t, { version: 15 });
    const filled = await runClient('pgbench', ['-i', '-q', '-s', '1'], { env: from.env });
    t.equal(filled.code, 0, filled.stderr);
    await from.server.query(`
      create type mood as enum ('sad', 'ok'); create table moods (m mood default 'ok', at timestamptz);
      create view v as select * from moods; create function f() returns int language sql as 'select 1';
      insert into moods values ('sad', 'epoch'); select lo_from_bytea(4711, 'large object')`);
    const dump = startClient(t, 'pg_dump', ['-Fc', '-b'], { env: from.env });
    const restore = startClient(t, 'pg_restore', ['-d', 'postgres', '--exit-on-error'], { env: to.env });
    const errors = Promise.all([text(dump.stderr!), text(restore.stderr!)]);
    restore.stdout.resume();
    const ended = Promise.all([once(dump, 'close'), once(restore, 'close')]);
    dump.stdout.pipe(restore.stdin);
    await within(ended, 'the restore', LONG_MS);
    t.strictSame([dump.exitCode, restore.exitCode], [0, 0], (await errors).join(''));
    const [one, other] = await Promise.all(
      [from, to].map(async ({ env }) => runClient('pg_dump', ['-b'], { env })),
    );
    t.ok((one?.stdout.length ?? 0) > 1_000_000);
    t.equal(withoutKey(other?.stdout), withoutKey(one?.stdout));
  },
);

/** pg_dump guards its output by a random key against psql meta-commands (\restrict). */
function withoutKey(dump = ''): string {
  return dump.replaceAll(/^\\(un)?restrict .*$/gm, '');
}

await page.complete();
