// PostgreSQL 10 with its own files, migrated: `check` passes on the result, `serve` takes it as it is, and the clients
// of the old server get in through the gate, or are refused, as before.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { runProgram } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';
import { psql } from '../support/peers/psql.ts';
import { startPostgres } from '../support/servers/postgres.ts';

await test('migrate, check, serve', needs('psql'), async (t) => {
  await using server = await startPostgres({ version: 10 });
  await server.createUser('alice');
  await server.createUser('bob', { password: 'secret' });
  const old = temporaryDirectory(t);
  const hba = [
    'local all all peer',
    'hostssl all alice 127.0.0.1/32 cert clientcert=1',
    'host all bob 127.0.0.1/32 md5',
    'host all all 0.0.0.0/0 reject',
  ].join('\n');
  writeFileSync(join(old, 'pg_hba.conf'), `${hba}\n`);
  writeFileSync(
    join(old, 'postgresql.conf'),
    "port = 5432\nssl = on\nssl_ca_file = 'ca.crt'\nlisten_addresses = '127.0.0.1'\n",
  );
  const out = join(old, 'out');
  const migrated = await runProgram(
    ['migrate', '--conf', join(old, 'postgresql.conf'), '--out', out, '--upstream-port', String(server.port)],
    { via: 'dist' },
  );
  t.equal(migrated.code, 0, migrated.stdout + migrated.stderr);
  const read = (name: string): string => readFileSync(join(out, name), 'utf8');
  await server.setRules(read('upstream-pg_hba.conf'));
  // A port that is free, which no server's file could say.
  const yaml = read('gatehouse.yaml').replace(/^port: 5432$/m, 'port: 0');
  t.match(yaml, /^port: 0$/m);
  const gate = await startGate(t, {
    hba: read('pg_hba.conf'),
    ident: read('pg_ident.conf'),
    upstream: server,
    files: { 'gatehouse.yaml': `${yaml}admin:\n  listen: 127.0.0.1:0\n` },
  });
  const checked = await runProgram(['check', '--config', join(gate.directory, 'gatehouse.yaml')], {
    via: 'dist',
  });
  t.equal(checked.code, 0, checked.stdout);
  t.match(checked.stdout, /2 of 3 lines of pg_hba\.conf can admit anybody\n$/);
  const alice = gate.authority.client('alice');
  const target = { host: '127.0.0.1', port: gate.port, dbname: 'postgres' };
  const certificate = { sslcert: alice.certFile, sslkey: alice.keyFile };
  const by = async (conninfo: Readonly<Record<string, string | number>>) =>
    await psql({ ...target, ...conninfo }, ['-Atc', 'select current_user']);
  t.equal((await by({ user: 'alice', ...certificate })).stdout, 'alice\n');
  t.match(
    (await by({ user: 'alice', sslmode: 'require' })).stderr,
    /connection requires a valid client certificate/,
  );
  t.equal((await by({ user: 'bob', password: 'secret' })).stdout, 'bob\n');
  t.match(
    (await by({ user: 'bob', password: 'wrong' })).stderr,
    /password authentication failed for user "bob"/,
  );
  t.match((await by({ user: 'eve' })).stderr, /pg_hba\.conf rejects connection/);
});
