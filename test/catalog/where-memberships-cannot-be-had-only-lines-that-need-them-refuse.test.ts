// The catalogue cannot be asked (contract §13): a connection whose decision needs a membership is refused, and no other is. A
// real server that lacks the database of auth_dbname, and then one that is down.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { explainFor, knock, knockUntil } from './catalog-gate.ts';

const REFUSED = '57P03 could not look up role memberships';

const HBA = `
hostssl other     all     all cert
hostssl postgres  alice   all cert
hostssl postgres  +listed all cert
hostssl postgres  +banned all reject
hostssl postgres  all     all cert
hostssl template1 bob     all cert map=roles
`;

await test('only lines that need a membership refuse', async (t) => {
  await using server = await startPostgres({ version: 18 });
  for (const role of ['alice', 'bob', 'listed', 'carol', 'banned', 'gate_reader'])
    await server.query(`create role ${role} login`);
  await server.query('create database other');
  await server.query('grant banned to bob');
  const gate = await startGate(t, {
    hba: HBA,
    ident: 'roles bob +banned\nroles carol bob\n',
    upstream: server,
    config: { auth_user: 'gate_reader', auth_dbname: 'absent', roles: { listed: ['carol'], carol: [] } },
  });
  const line = await gate.waitForLog({ msg: /^could not ask the upstream's catalogue: / });
  t.match(line.msg, /database "absent" does not exist/);

  t.equal(await knock(t, gate, 'bob', 'other'), 'in', 'a line without a role');
  t.equal(await knock(t, gate, 'alice'), 'in', 'a line that decides before one with a role');
  t.equal(await knock(t, gate, 'carol'), 'in', 'a role that the configuration declares');
  t.equal(await knock(t, gate, 'listed'), 'in', 'the role of the name of its own');
  const from = gate.logLength();
  t.equal(await knock(t, gate, 'bob'), REFUSED, 'a line that refuses the members of a role');
  const closing = await gate.waitForLog({ code: 'roles-unavailable' }, { from });
  t.match(closing.msg, /^could not look up role memberships: .*"absent" does not exist/);
  t.equal(await knock(t, gate, 'bob', 'template1'), REFUSED, 'a map with a role');
  const metrics = await gate.metrics();
  t.equal(metrics.value('catalog_up'), 0);
  t.equal(metrics.value('connections_total', { outcome: 'roles-unavailable' }), 2);

  const explained = await explainFor(gate, 'bob');
  t.match(explained, {
    verdict: 'reject',
    line: null,
    considered: { length: 3 },
    reply: { sqlstate: '57P03', message: 'could not look up role memberships' },
    memberships: { source: null, roles: [] },
  });

  // The database comes into being: the gate tries again by itself.
  await server.query('create database absent');
  await knockUntil(t, gate, ['bob', 'postgres'], (answer) => answer !== REFUSED);
  t.match(await knock(t, gate, 'bob'), /^28000 pg_hba\.conf rejects connection/, 'bob is a member');
  await gate.waitForLog({ msg: "the upstream's catalogue answers again" });
  t.equal((await gate.metrics()).value('catalog_up'), 1);

  // Another catalogue by a reload: what was known of the first counts for nothing.
  const settings = readFileSync(gate.path('gatehouse.yaml'), 'utf8');
  gate.rewrite('gatehouse.yaml', settings.replace('absent', 'nowhere'));
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
  t.equal(await knock(t, gate, 'bob'), REFUSED, 'memberships of before are not used');
  t.equal(await knock(t, gate, 'alice'), 'in');

  await server.stop();
  t.equal(await knock(t, gate, 'bob'), REFUSED, 'the server is down');
  t.match(await knock(t, gate, 'alice'), /^08006 could not connect to the upstream/, 'admitted all the same');
});
