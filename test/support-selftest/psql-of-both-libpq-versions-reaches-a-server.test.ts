// psql connects with the system's libpq and with libpq 18, which alone can open TLS directly; the server checks
// the passwords and certificates it was told to.

import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startPostgres, HBA } from '../support/servers/postgres.ts';
import { psql } from '../support/peers/psql.ts';
import { needs } from '../support/run/tools.ts';

await test('over the Unix socket and over TCP with a password', needs('psql'), async (t) => {
  await using server = await startPostgres({ version: 15, hba: HBA['scram-sha-256'] });
  await server.createUser("o'neil", { password: String.raw`it's \ secret` });
  const local = await psql('', ['-c', 'select 1'], { env: server.psqlEnv });
  t.strictSame(local, { code: 0, signal: null, stdout: '1\n', stderr: '' });
  const place = { host: server.host, port: server.port, dbname: 'postgres', user: "o'neil" };
  const right = await psql({ ...place, password: String.raw`it's \ secret` }, ['-c', 'select current_user']);
  t.equal(right.stdout, "o'neil\n", right.stderr);
  const wrong = await psql({ ...place, password: 'guess' }, ['-c', 'select 1']);
  t.equal(wrong.code, 2);
  t.match(wrong.stderr, /password authentication failed for user "o'neil"/);
});

await test('with libpq 18: direct TLS and a client certificate', needs('psql'), async (t) => {
  const authority = testAuthority(t);
  const { cert, key } = authority.server();
  await using server = await startPostgres({
    version: 18,
    hba: 'hostssl all all 127.0.0.1/32 cert',
    ssl: { cert, key, ca: authority.cert },
  });
  await server.createUser('alice');
  const alice = authority.client('alice');
  const conninfo = {
    host: 'localhost',
    hostaddr: server.host,
    port: server.port,
    dbname: 'postgres',
    user: 'alice',
    sslmode: 'verify-full',
    sslrootcert: authority.caFile,
    sslcert: alice.certFile,
    sslkey: alice.keyFile,
  };
  const sql = 'select current_user, ssl, client_dn from pg_stat_ssl where pid = pg_backend_pid()';
  const direct = await psql({ ...conninfo, sslnegotiation: 'direct' }, ['-c', sql], { libpq: 18 });
  t.equal(direct.stdout, 'alice|t|/CN=alice\n', direct.stderr);
  const old = await psql({ ...conninfo, sslnegotiation: 'direct' }, ['-c', sql], { libpq: 15 });
  t.match(old.stderr, /invalid connection option "sslnegotiation"/);
});

await test('new rules hold for the next connection', needs('psql'), async (t) => {
  await using server = await startPostgres({ version: 10 });
  const place = { host: server.host, port: server.port, dbname: 'postgres', user: 'postgres' };
  t.equal((await psql(place, ['-c', 'select 1'])).code, 0);
  await server.setRules(HBA.reject);
  t.match((await psql(place, ['-c', 'select 1'])).stderr, /pg_hba.conf rejects connection/);
});
