// What libpq learnt since 15: direct TLS, protocol 3.2, sslcertmode; and channel binding, which no terminating gate
// can have. Debian's psql runs on libpq 18 here.

import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { compatibility } from '../support/pages/compatibility.ts';
import { nativeFolder } from '../support/servers/postgres-binaries.ts';
import { HBA } from '../support/servers/postgres.ts';
import { runToEnd } from '../support/run/program.ts';
import { connectionString, psql, startClient } from '../support/peers/psql.ts';
import { needs, type Tool } from '../support/run/tools.ts';
import { within } from '../support/run/waiting.ts';
import { behindGate, CERTIFICATES_ONLY, type Parameters } from './behind-gate.ts';

const page = compatibility(import.meta.url);
const CLIENT = 'psql 15, libpq 18';
const SERVER = 'PostgreSQL 18';
/** Stands for Debian's Python, which it needs. */
const PYTHON: Tool = '/usr/lib/python3/dist-packages/psycopg/__init__.py';

async function ask(conninfo: Parameters, sql = 'select current_user') {
  return psql(conninfo, ['-c', sql], { libpq: 18 });
}

await page.row(
  { client: CLIENT, server: SERVER, ran: 'sslnegotiation=direct with require, verify-ca and verify-full' },
  needs('psql'),
  async (t) => {
    const { conninfo } = await behindGate(t);
    for (const sslmode of ['require', 'verify-ca', 'verify-full']) {
      const { stdout, stderr } = await ask({ ...conninfo, sslmode, sslnegotiation: 'direct' });
      t.equal(stdout, 'alice\n', `${sslmode}: ${stderr}`);
    }
  },
);

await page.row(
  { client: CLIENT, server: SERVER, ran: 'max_protocol_version=3.0, 3.2 and latest' },
  needs('psql'),
  async (t) => {
    const { conninfo } = await behindGate(t);
    for (const max_protocol_version of ['3.0', '3.2', 'latest']) {
      const { stdout, stderr } = await ask({ ...conninfo, max_protocol_version });
      t.equal(stdout, 'alice\n', `${max_protocol_version}: ${stderr}`);
    }
  },
);

await page.row(
  {
    client: CLIENT,
    server: 'PostgreSQL 10',
    ran: 'min_protocol_version=3.2: a query, and Ctrl-C cancels one',
  },
  needs('psql'),
  async (t) => {
    const { server, gate, conninfo } = await behindGate(t, {
      version: 10,
      server: { settings: { log_statement: 'all' } },
    });
    const newest = { ...conninfo, min_protocol_version: '3.2', max_protocol_version: '3.2' };
    const { stdout, stderr } = await ask(newest, "select split_part(version(), '.', 1)");
    t.equal(stdout, 'PostgreSQL 10\n', stderr);
    const client = startClient(t, 'psql', ['-X', '-A', '-t', connectionString(newest)], { libpq: 18 });
    const ended = once(client, 'close');
    const said = text(client.stderr!);
    client.stdin.write('select pg_sleep(60);\n');
    await server.waitForLog(/statement: select pg_sleep\(60\)/);
    client.kill('SIGINT');
    client.stdin.end();
    await within(ended, 'psql to end');
    t.equal(await said, 'Cancel request sent\nERROR:  canceling statement due to user request\n');
    const metrics = await gate.metrics();
    t.equal(metrics.value('cancel_requests_total', { outcome: 'forwarded' }), 1);
  },
);

await page.row(
  { client: CLIENT, server: SERVER, ran: 'sslcertmode=require, allow and disable' },
  needs('psql'),
  async (t) => {
    const { conninfo } = await behindGate(t);
    for (const sslcertmode of ['require', 'allow']) {
      const { stdout, stderr } = await ask({ ...conninfo, sslcertmode });
      t.equal(stdout, 'alice\n', `${sslcertmode}: ${stderr}`);
    }
    const { code, stderr } = await ask({ ...conninfo, sslcertmode: 'disable' });
    t.equal(code, 2);
    t.match(stderr, 'FATAL:  connection requires a valid client certificate');
  },
);

await page.row(
  {
    client: CLIENT,
    server: SERVER,
    ran: 'sslcertmode=require where the gate asks for no certificate: refused by libpq',
  },
  needs('psql'),
  async (t) => {
    const { conninfo } = await behindGate(t, {
      hba: 'hostssl all all all trust',
      config: { ssl_ca_file: null },
    });
    const { code, stderr } = await ask({ ...conninfo, sslcertmode: 'require' });
    t.equal(code, 2);
    t.match(stderr, 'server did not request an SSL certificate');
  },
);

const WITH_PASSWORD = {
  hba: CERTIFICATES_ONLY.replace('cert\n', 'scram-sha-256 clientcert=verify-full\n'),
  server: { hba: HBA['scram-sha-256'] },
};

await page.row(
  {
    client: CLIENT,
    server: SERVER,
    ran: 'channel_binding=prefer and disable with a SCRAM password after the certificate',
  },
  needs('psql'),
  async (t) => {
    const { server, conninfo } = await behindGate(t, WITH_PASSWORD);
    await server.query(`alter role alice password 'secret'`);
    for (const channel_binding of ['prefer', 'disable']) {
      const { stdout, stderr } = await ask({ ...conninfo, channel_binding, password: 'secret' });
      t.equal(stdout, 'alice\n', `${channel_binding}: ${stderr}`);
    }
  },
);

await page.row(
  {
    client: CLIENT,
    server: SERVER,
    ran: 'channel_binding=require, without auth_file',
    because:
      'It binds the password to the TLS connection’s other end, which is the gate, while the upstream checks the password and has no TLS. The certificates prove both ends here. With `auth_file` the gate checks the password itself, and it works.',
  },
  needs('psql'),
  async (t) => {
    const { server, conninfo } = await behindGate(t, WITH_PASSWORD);
    await server.query(`alter role alice password 'secret'`);
    const { code, stderr } = await ask({ ...conninfo, channel_binding: 'require', password: 'secret' });
    t.equal(code, 2);
    t.match(
      stderr,
      'channel binding is required, but server did not offer an authentication method that supports channel binding',
    );
  },
);

await page.row(
  {
    client: 'psql 15, libpq 15',
    server: SERVER,
    ran: 'gssencmode=require',
    because:
      'The gate has no GSSAPI; it answers `N`, as a PostgreSQL built without it. `prefer`, the default, goes on with TLS.',
  },
  needs('psql'),
  async (t) => {
    const { conninfo } = await behindGate(t);
    const { code, stderr } = await psql({ ...conninfo, gssencmode: 'require' }, ['-c', 'select 1']);
    t.equal(code, 2);
    t.match(stderr, /GSSAPI encryption required but/);
    const { stdout } = await psql({ ...conninfo, gssencmode: 'prefer' }, ['-c', 'select 1']);
    t.equal(stdout, '1\n');
  },
);

await page.row(
  {
    client: 'libpq 18',
    server: SERVER,
    ran: 'PQcancelCreate: a cancel request inside TLS, also with sslnegotiation=direct',
  },
  needs(PYTHON),
  async (t) => {
    const { gate, env } = await behindGate(t);
    const program = fileURLToPath(new URL('../fixtures/clients/cancel-with-libpq-18.py', import.meta.url));
    for (const [i, PGSSLNEGOTIATION] of ['postgres', 'direct'].entries()) {
      const { stdout, stderr } = await runToEnd('/usr/bin/python3', [program], {
        env: { ...env, PGSSLNEGOTIATION, LD_LIBRARY_PATH: join(nativeFolder(18), 'lib') },
      });
      t.equal(stdout, 'cancelled 57014\n', stderr);
      const metrics = await gate.metrics();
      t.equal(metrics.value('cancel_requests_total', { outcome: 'forwarded' }), i + 1);
    }
  },
);

await page.complete();
