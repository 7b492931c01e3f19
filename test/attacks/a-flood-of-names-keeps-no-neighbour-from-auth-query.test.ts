// A stranger who asks for a thousand users that nobody knows (contract §13): the upstream is asked about them one at a time,
// over one session, and a client of another address has its turn after one of them.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw, startupMessage } from '../support/peers/raw-client.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { until } from '../session/clients.ts';

const FLOOD = 100;

/** Takes its time, and notes the order in which it was asked. */
const FUNCTION = `
create schema lookup;
grant usage on schema lookup to public;
create table lookup.asked (number serial, name text);
create function lookup.secret(wanted text, out name text, out secret text)
language plpgsql volatile security definer as $$
begin
  insert into lookup.asked (name) values (wanted);
  perform pg_catalog.pg_sleep(0.1);
  name := wanted;
  secret := 'known-password';
end $$`;

await test('two workers, one slow function', async (t) => {
  await using server = await startPostgres({ version: 18 });
  await server.query('create role gate_reader login');
  await server.query(FUNCTION);
  const gate = await startGate(t, {
    hba: 'host all all all scram-sha-256\n',
    upstream: server,
    config: {
      workers: 2,
      auth_user: 'gate_reader',
      auth_query: 'select name, secret from lookup.secret($1)',
    },
  });
  const asked = async (): Promise<readonly string[]> =>
    (await server.query('select name from lookup.asked order by number')).map(({ name }) => String(name));
  for (let i = 0; i < FLOOD; i++) {
    const stranger = await connectRaw(t, gate.port);
    await stranger.send(startupMessage({ user: `nobody${i}`, database: 'postgres' }));
  }
  await until('the first names were asked for', async () => (await asked()).length > 0);
  const neighbour = await connectRaw(t, { port: gate.port, host: '127.0.0.1', localAddress: '127.0.0.9' });
  await neighbour.send(startupMessage({ user: 'alice', database: 'postgres' }));
  t.equal((await neighbour.readMessage()).type, 'R', 'the neighbour is asked for its password');
  const order = await asked();
  t.ok(order.includes('alice') && order.length < FLOOD, `${order.length} of ${FLOOD} names were asked for`);
  t.equal(new Set(order).size, order.length, 'each once');
  const sessions = await server.query(
    "select count(*)::int as count from pg_stat_activity where usename = 'gate_reader'",
  );
  t.equal(sessions[0]?.['count'], 1);
});
