// SIGTERM in the middle of pgbench: every transaction that it wanted is done, each once, while new clients are told to
// go elsewhere; then the gate ends with status 0.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { connectionString, psql, runClient } from '../support/peers/psql.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';
import { conninfo, until } from '../session/clients.ts';

const CLIENTS = 4;
const TRANSACTIONS = 200;
/** Of each client, up to here they run as they come; the others wait until the test lets them. */
const FREE = 150;
const LOCK = 1;

/** A pause in the middle, so that any moment finds transactions open. */
const SCRIPT = `\\set number :number + 1
begin;
insert into done values (:client_id);
\\if :number > ${FREE}
select pg_advisory_xact_lock_shared(${LOCK});
\\endif
\\sleep 5 ms
commit;
`;

await test('SIGTERM under load', needs('psql', 'pgbench'), async (t) => {
  await using server = await startPostgres({ version: 15 });
  await server.query('create table done (client int)');
  // However long the late client takes, there is work left until this lock is given back.
  const holder = new Client({
    host: server.socketDir,
    port: server.port,
    user: server.superuser,
    database: 'postgres',
  });
  holder.on('error', () => undefined);
  await holder.connect();
  await holder.query(`select pg_advisory_lock(${LOCK})`);
  const gate = await startGate(t, {
    hba: 'hostssl all all all cert\n',
    upstream: server,
    config: { shutdown_timeout: '60s' },
  });
  const postgres = conninfo(gate, gate.authority.client('postgres'));
  const script = join(temporaryDirectory(t), 'transaction.sql');
  writeFileSync(script, SCRIPT);
  const pgbench = runClient('pgbench', [
    ...`-n -f ${script} -D number=0 -c ${CLIENTS} -j 2 -t ${TRANSACTIONS}`.split(' '),
    connectionString(postgres),
  ]);
  const count = async (): Promise<number> =>
    Number((await server.query('select count(*) from done'))[0]?.['count']);
  await until('pgbench is at work', async () => (await count()) > 2 * CLIENTS);

  gate.signal('SIGTERM');
  await gate.waitForLog({ msg: /^draining: / });
  const late = await psql(postgres, ['-c', 'select 1']);
  t.match(late.stderr, /FATAL: {2}the database system is shutting down/);
  t.match(await gate.waitForLog({ code: 'shutting-down' }), { level: 'info' });
  t.ok((await count()) < CLIENTS * TRANSACTIONS, 'there is work left to be cut');

  await holder.end();
  const { code, stdout, stderr } = await pgbench;
  t.equal(code, 0, stderr);
  t.match(
    stdout,
    `number of transactions actually processed: ${CLIENTS * TRANSACTIONS}/${CLIENTS * TRANSACTIONS}`,
  );
  t.equal(await count(), CLIENTS * TRANSACTIONS);
  t.strictSame(await gate.exited, { code: 0, signal: null });
  t.notOk(gate.log.some(({ code: word }) => word === 'admin-terminated'));
});
