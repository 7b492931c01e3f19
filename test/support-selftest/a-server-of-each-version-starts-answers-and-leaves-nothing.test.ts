// A PostgreSQL of each version starts, answers over TCP and over its socket, and is gone with its directory.

import { existsSync } from 'node:fs';
import { test } from 'tap';
import { startPostgres, type PostgresVersion } from '../support/servers/postgres.ts';

const versions: readonly PostgresVersion[] = [10, 15, 18];

for (const version of versions) {
  await test(`PostgreSQL ${version}`, async (t) => {
    const server = await startPostgres({ version });
    const rows = await server.query('select 1 as one');
    t.strictSame(rows, [{ one: 1 }]);
    const { pid } = server;
    await server.stop();
    t.notOk(existsSync(server.dataDir), 'its directory is gone');
    t.throws(() => process.kill(pid, 0), { code: 'ESRCH' }, 'its process is gone');
  });
}
