// What most tests of this folder start from: a server without TLS, the gate before it, and alice with a certificate.

import type { Credentials } from '../support/certificates/certificates.ts';
import { startGate, type Gate, type GateOptions } from '../support/run/gate.ts';
import { startPostgres, type PostgresOptions, type PostgresServer } from '../support/servers/postgres.ts';
import type { PostgresVersion } from '../support/servers/postgres-binaries.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';

/** libpq's connection parameters by name. */
export type Parameters = Readonly<Record<string, string | number>>;

export interface BehindGate {
  readonly server: PostgresServer;
  readonly gate: Gate;
  readonly alice: Credentials;
  /** alice through the gate: verify-full, with her certificate. */
  readonly conninfo: Parameters;
  /** The same as libpq's environment variables. */
  readonly env: Readonly<Record<string, string>>;
  /** alice at the server itself. */
  readonly direct: Parameters;
}

export interface BehindGateOptions {
  readonly version?: PostgresVersion;
  /** The gate's pg_hba.conf; default: certificates only, replication included. */
  readonly hba?: string;
  readonly server?: Omit<PostgresOptions, 'version'>;
  readonly config?: GateOptions['config'];
  /** Default: TCP. */
  readonly via?: 'TCP' | 'Unix socket';
}

export const CERTIFICATES_ONLY =
  'hostssl all all 127.0.0.1/32 cert\nhostssl replication all 127.0.0.1/32 cert\n';

/** Starts both; alice is a superuser, so that nothing but the gate can be in her way. */
export async function behindGate(t: Scope, options: BehindGateOptions = {}): Promise<BehindGate> {
  const { version = 18, hba = CERTIFICATES_ONLY, config, via = 'TCP' } = options;
  const server = await startPostgres({ version, ...options.server });
  atEnd(t, () => server.stop());
  await server.createUser('alice', { superuser: true, replication: true });
  const gate = await startGate(t, {
    hba,
    upstream: { host: via === 'TCP' ? server.host : server.socketDir, port: server.port },
    ...(config === undefined ? {} : { config }),
  });
  const alice = gate.authority.client('alice');
  const conninfo = {
    host: 'localhost',
    hostaddr: '127.0.0.1',
    port: gate.port,
    dbname: 'postgres',
    user: 'alice',
    sslmode: 'verify-full',
    sslrootcert: gate.authority.caFile,
    sslcert: alice.certFile,
    sslkey: alice.keyFile,
  };
  return {
    server,
    gate,
    alice,
    conninfo,
    env: environment(conninfo),
    direct: { host: server.host, port: server.port, dbname: 'postgres', user: 'alice' },
  };
}

const VARIABLES: Readonly<Record<string, string>> = {
  host: 'PGHOST',
  hostaddr: 'PGHOSTADDR',
  port: 'PGPORT',
  dbname: 'PGDATABASE',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
};

/** Connection parameters as libpq's environment variables. @throws Error for one that has no variable */
export function environment(parameters: Parameters): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => {
      const variable = VARIABLES[name];
      if (variable === undefined) throw new Error(`no environment variable is known for ${name}`);
      return [variable, String(value)];
    }),
  );
}
