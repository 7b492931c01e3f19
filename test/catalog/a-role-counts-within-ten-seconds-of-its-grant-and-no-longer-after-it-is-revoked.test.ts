// Memberships of a real server (contract §13): who is a member, directly or not, inherited or not, and what becomes of a
// GRANT and a REVOKE. Nothing that somebody has put into a schema or a setting of the role changes what the gate reads.

import { test, type Test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { startPostgres, type PostgresServer } from '../support/servers/postgres.ts';
import { explainFor, knock, knockUntil } from './catalog-gate.ts';

const NO_ENTRY = /^28000 no pg_hba\.conf entry/;

/** A function, an operator and relations that would answer otherwise, where a search_path finds them first. */
const TRAPS = `
create view public.pg_auth_members as select 0::oid as roleid, 0::oid as member;
create view public.pg_roles as select 'mallory'::name as rolname, 0::oid as oid;
create function public.encode(bytea, text) returns text language sql as $$ select '6d616c6c6f7279'::text $$;
create function public.always(oid, oid) returns boolean language sql as $$ select true $$;
create operator public.= (leftarg = oid, rightarg = oid, procedure = public.always);
alter role gate_reader set search_path = public, pg_catalog;
alter role gate_reader set bytea_output = 'escape';
alter role gate_reader set client_encoding = 'LATIN1'`;

async function createRoles(server: PostgresServer): Promise<void> {
  const encryption = server.version === 10 ? 'md5' : 'scram-sha-256';
  await server.createUser('gate_reader', { password: 'reader-secret', encryption });
  const roles = ['staff', 'interns', 'declared', 'alice', 'bob', 'carol', 'dave', 'mallory', 'ému'];
  for (const role of roles) await server.query(`create role "${role}" login`);
  for (const trap of TRAPS.split(/;\n/)) await server.query(trap);
  await server.query('create database interns');
  await server.query('alter role carol noinherit');
  // alice is in staff by way of interns; carol inherits nothing and is a member all the same.
  for (const grant of ['staff to interns', 'interns to alice', 'staff to carol', 'staff to dave'])
    await server.query(`grant ${grant}`);
  await server.query('grant staff to "ému"');
  // The configuration has the last word on the members of "declared".
  await server.query('grant declared to bob');
}

async function run(t: Test, version: 10 | 18): Promise<void> {
  await using server = await startPostgres({
    version,
    hba:
      `host all gate_reader 127.0.0.1/32 ${version === 10 ? 'md5' : 'scram-sha-256'}\n` +
      'host all all 127.0.0.1/32 trust\n',
  });
  await createRoles(server);
  const gate = await startGate(t, {
    hba: [
      'hostssl postgres +declared all cert map=declared',
      'hostssl postgres +staff all cert',
      'hostssl samerole all all cert',
      'hostssl template1 all all cert map=staff',
    ].join('\n'),
    ident: 'staff /(.*)$ +staff\ndeclared /(.*)$ all\n',
    upstream: server,
    config: {
      auth_user: 'gate_reader',
      auth_file: 'userlist.txt',
      roles: { declared: ['interns'] },
    },
    files: { 'userlist.txt': '"gate_reader" "reader-secret"\n' },
  });

  t.equal(await knock(t, gate, 'alice'), 'in', 'a member of a member');
  t.equal(await knock(t, gate, 'carol'), 'in', 'a member that inherits nothing');
  t.equal(await knock(t, gate, 'ému'), 'in', 'a name beyond ASCII');
  t.match(await knock(t, gate, 'bob'), NO_ENTRY, 'granted a role that the configuration declares otherwise');
  t.match(await knock(t, gate, 'mallory'), NO_ENTRY, 'a trap in the search_path is not stepped into');
  t.equal(await knock(t, gate, 'alice', 'interns'), 'in', 'samerole');
  t.match(await knock(t, gate, 'carol', 'interns'), NO_ENTRY, 'samerole, and no member');
  t.equal(await knock(t, gate, 'carol', 'template1'), 'in', '+role in a map');
  t.match(await knock(t, gate, 'bob', 'template1'), /^28000 certificate authentication failed/);

  const metrics = await gate.metrics();
  t.equal(metrics.value('catalog_up'), 1);
  const age = Date.now() / 1000 - metrics.value('catalog_refresh_timestamp_seconds');
  t.ok(age >= 0 && age < 60, `memberships were read ${age} s ago`);

  await server.query('grant staff to bob');
  await server.query('revoke staff from dave');
  const [granted, revoked] = await Promise.all([
    knockUntil(t, gate, ['bob', 'postgres'], (answer) => answer === 'in'),
    knockUntil(t, gate, ['dave', 'postgres'], (answer) => NO_ENTRY.test(answer)),
  ]);
  t.ok(granted < 10_000, `the grant did not count after ${Math.round(granted)} ms, and then it did`);
  t.ok(revoked < 10_000, `the revocation did not count after ${Math.round(revoked)} ms, and then it did`);

  const sessions = await server.query(
    "select count(*)::int as count from pg_stat_activity where usename = 'gate_reader'",
  );
  t.equal(sessions[0]?.['count'], 1, 'one session, however many have asked');

  const explained = await explainFor(gate, 'bob');
  t.match(explained, {
    verdict: 'admit',
    line: 2,
    memberships: { source: 'catalog', roles: ['bob', 'staff'] },
  });
  t.notMatch(gate.stdout, 'reader-secret');
}

await test('two versions at one time', { jobs: 2 }, async (t) => {
  void t.test('PostgreSQL 10', { buffered: true }, async (t10) => await run(t10, 10));
  void t.test('PostgreSQL 18', { buffered: true }, async (t18) => await run(t18, 18));
});
