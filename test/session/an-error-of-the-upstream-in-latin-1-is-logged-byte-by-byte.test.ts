// An upstream's error need not be UTF-8: a server that does not know the database yet gives a name back as it came. The
// client gets the server's bytes, and the log shows each byte that is not ASCII as `\xNN` (contract §7.6).

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { connectRaw, startupMessage } from '../support/peers/raw-client.ts';

for (const version of [10, 18] as const) {
  await test(`PostgreSQL ${version} refuses a name in Latin-1`, async (t) => {
    await using server = await startPostgres({ version });
    const gate = await startGate(t, { hba: 'host all all all trust\n', upstream: server });
    const client = await connectRaw(t, gate.port);
    await client.send(startupMessage({ user: Buffer.from('m\xfcller', 'latin1'), database: 'postgres' }));
    const error = (await client.readMessagesUntil('E')).at(-1)!;
    t.match(error.body.toString('latin1'), 'Mrole "m\xfcller" does not exist');
    const line = await gate.waitForLog({ code: 'upstream-refused' });
    t.equal(line.msg, String.raw`the upstream server refused the login: role "m\xfcller" does not exist`);
    t.equal(line['upstream_sqlstate'], '28000');
  });
}
