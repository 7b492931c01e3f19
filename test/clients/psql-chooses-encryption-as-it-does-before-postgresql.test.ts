// libpq tries, is refused and tries again as sslmode says; before the gate it ends where it ends before PostgreSQL 18
// with the same pg_hba.conf, and says the same. The tables are what both must do.

import type { Test } from 'tap';
import { compatibility } from '../support/pages/compatibility.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { psql } from '../support/peers/psql.ts';
import { needs } from '../support/run/tools.ts';
import { behindGate, type Parameters } from './behind-gate.ts';

const page = compatibility(import.meta.url);

/** One database per set of lines, so that one gate has them all. */
const HBA = `
hostssl   tls_cert   all all cert
hostnossl plain      all all trust
host      either     all all trust
hostssl   no_plain   all all cert
hostnossl no_plain   all all reject
hostssl   no_tls     all all reject
hostnossl no_tls     all all trust
hostssl   verify_ca  all all trust clientcert=verify-ca
hostnossl verify_ca  all all reject
`;

/** Outcomes of a cell: TLS or plain is how the session runs; + joins the errors of two attempts. */
const WITH_CERTIFICATE = `
           disable       allow            prefer           require    verify-ca  verify-full
tls_cert   none/plain    TLS              TLS              TLS        TLS        TLS
plain      plain         plain            plain            none/TLS   none/TLS   none/TLS
either     plain         plain            TLS              TLS        TLS        TLS
no_plain   reject/plain  TLS              TLS              TLS        TLS        TLS
no_tls     plain         plain            plain            reject/TLS reject/TLS reject/TLS
verify_ca  reject/plain  TLS              TLS              TLS        TLS        TLS
`;

const WITHOUT_CERTIFICATE = `
           disable       allow             prefer            require    verify-ca  verify-full
tls_cert   none/plain    none/plain+cert   cert+none/plain   cert       cert       cert
plain      plain         plain             plain             none/TLS   none/TLS   none/TLS
either     plain         plain             TLS               TLS        TLS        TLS
no_plain   reject/plain  reject/plain+cert cert+reject/plain cert       cert       cert
no_tls     plain         plain             plain             reject/TLS reject/TLS reject/TLS
verify_ca  reject/plain  reject/plain+cert cert+reject/plain cert       cert       cert
`;

interface Cell {
  readonly database: string;
  readonly sslmode: string;
  readonly certificate: boolean;
  readonly outcome: string;
}

function cells(table: string, certificate: boolean): Cell[] {
  const [modes = [], ...rows] = table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ +/));
  return rows.flatMap(([database = '', ...outcomes]) =>
    outcomes.map((outcome, i) => ({ database, sslmode: modes[i] ?? '', certificate, outcome })),
  );
}

const REASONS: Readonly<Record<string, (database: string) => string>> = {
  cert: () => 'connection requires a valid client certificate',
  'none/plain': (database) => `no pg_hba.conf entry for ${whoAndWhere(database)}, no encryption`,
  'none/TLS': (database) => `no pg_hba.conf entry for ${whoAndWhere(database)}, SSL encryption`,
  'reject/plain': (database) => `pg_hba.conf rejects connection for ${whoAndWhere(database)}, no encryption`,
  'reject/TLS': (database) => `pg_hba.conf rejects connection for ${whoAndWhere(database)}, SSL encryption`,
};

function whoAndWhere(database: string): string {
  return `host "127.0.0.1", user "alice", database "${database}"`;
}

/** What psql says, port aside. */
function expected({ database, outcome }: Cell): { errors: readonly string[]; tls: boolean | null } {
  if (outcome === 'TLS' || outcome === 'plain') return { errors: [], tls: outcome === 'TLS' };
  return { errors: outcome.split('+').map((reason) => REASONS[reason]?.(database) ?? reason), tls: null };
}

const CELLS = [...cells(WITH_CERTIFICATE, true), ...cells(WITHOUT_CERTIFICATE, false)];
const DATABASES = new Set(CELLS.map(({ database }) => database));
const RAN =
  'every sslmode × hostssl, hostnossl, host, reject and clientcert lines × with and without certificate: outcomes and error texts are PostgreSQL’s';

/** What psql shows in a cell, with the port taken out. */
async function ask(conninfo: Parameters, cell: Cell, libpq: 15 | 18, port = conninfo['port'] ?? 0) {
  const { sslcert = '', sslkey = '', ...rest } = conninfo;
  const place = { ...rest, port, dbname: cell.database, sslmode: cell.sslmode };
  const { code, stdout, stderr } = await psql(
    cell.certificate ? { ...place, sslcert, sslkey } : place,
    ['-c', String.raw`\conninfo`],
    { libpq },
  );
  const anyPort = (text: string): string => text.replaceAll(String(port), 'PORT');
  return { code, stdout: anyPort(stdout), stderr: anyPort(stderr) };
}

function check(t: Test, cell: Cell, shown: Awaited<ReturnType<typeof ask>>): void {
  const name = `${cell.database} ${cell.sslmode} ${cell.certificate ? 'with' : 'without'} certificate`;
  const { errors, tls } = expected(cell);
  const told = [...shown.stderr.matchAll(/FATAL: {2}(.*)$/gm)].map(([, text]) => text);
  t.strictSame(told, errors, `${name}: errors`);
  t.equal(shown.code, tls === null ? 2 : 0, `${name}: exit status`);
  if (tls !== null) t.equal(shown.stdout.includes('SSL connection'), tls, `${name}: encryption`);
}

await page.row(
  { client: 'psql 15, libpq 15', server: 'PostgreSQL 18', ran: RAN },
  needs('psql'),
  async (t) => {
    const { server, gate, conninfo } = await behindGate(t, { hba: HBA });
    const { cert, key } = gate.authority.server();
    await using oracle = await startPostgres({
      version: 18,
      hba: HBA,
      ssl: { cert, key, ca: gate.authority.cert },
    });
    await oracle.createUser('alice');
    for (const database of DATABASES) {
      await server.createDatabase(database);
      await oracle.createDatabase(database);
    }
    for (const cell of CELLS) {
      const [through, direct] = await Promise.all([
        ask(conninfo, cell, 15),
        ask(conninfo, cell, 15, oracle.port),
      ]);
      check(t, cell, through);
      t.strictSame(through, direct, `${cell.database} ${cell.sslmode}: as PostgreSQL`);
    }
  },
);

await page.row(
  { client: 'psql 15, libpq 18', server: 'PostgreSQL 18', ran: RAN },
  needs('psql'),
  async (t) => {
    const { server, conninfo } = await behindGate(t, { hba: HBA });
    for (const database of DATABASES) await server.createDatabase(database);
    for (const cell of CELLS) check(t, cell, await ask(conninfo, cell, 18));
  },
);

await page.row(
  {
    client: 'psql 15, libpq 15',
    server: 'PostgreSQL 18',
    ran: 'what the client refuses: a server certificate for another name, or of another CA',
  },
  needs('psql'),
  async (t) => {
    const { gate, conninfo } = await behindGate(t);
    const elsewhere = await psql({ ...conninfo, host: 'elsewhere' }, ['-c', 'select 1']);
    t.match(elsewhere.stderr, 'server certificate for "localhost"');
    t.match(elsewhere.stderr, 'does not match host name "elsewhere"');
    const tolerant = await psql({ ...conninfo, host: 'elsewhere', sslmode: 'verify-ca' }, ['-c', 'select 1']);
    t.equal(tolerant.stdout, '1\n', tolerant.stderr);
    const foreign = await psql(
      { ...conninfo, sslmode: 'verify-ca', sslrootcert: gate.authority.client('x').certFile },
      ['-c', 'select 1'],
    );
    t.match(foreign.stderr, 'SSL error: certificate verify failed');
  },
);

await page.complete();
