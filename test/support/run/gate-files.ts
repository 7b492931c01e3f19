// What lies in the directory of a gate under test: gatehouse.yaml, certificates, rules and maps.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Credentials, TestAuthority } from '../certificates/certificates.ts';

export interface GateFiles {
  /** Laid over the defaults below, nested objects key by key; null takes a key away. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly hba: string;
  readonly ident?: string;
  readonly upstream: { readonly host: string; readonly port: number };
  /** Further files of the gate's directory, by relative name. */
  readonly files?: Readonly<Record<string, string>>;
  /** The server's certificate; default: one that the authority issues for localhost. */
  readonly server?: Credentials;
}

/** Writes the configuration that a gate of the tests has unless they say otherwise. */
export function writeGateFiles(directory: string, authority: TestAuthority, options: GateFiles): void {
  const server = options.server ?? authority.server();
  const config = overlaid(
    {
      listen_addresses: '127.0.0.1',
      port: 0,
      ssl_cert_file: 'server.crt',
      ssl_key_file: 'server.key',
      ssl_ca_file: 'ca.crt',
      hba_file: 'pg_hba.conf',
      ident_file: 'pg_ident.conf',
      upstream: { host: options.upstream.host, port: options.upstream.port },
      admin: { listen: '127.0.0.1:0' },
    },
    options.config ?? {},
  );
  const files: Record<string, string> = {
    'gatehouse.yaml': stringify(config),
    'server.crt': server.cert,
    'server.key': server.key,
    'ca.crt': authority.chain === '' ? authority.cert : readFileSync(authority.caFile, 'utf8'),
    'pg_hba.conf': options.hba,
    ...(options.ident === undefined ? {} : { 'pg_ident.conf': options.ident }),
    ...options.files,
  };
  for (const [file, content] of Object.entries(files)) {
    writeFileSync(join(directory, file), content, {
      mode: file.endsWith('.key') || file === 'userlist.txt' ? 0o600 : 0o644,
    });
  }
}

function overlaid(
  base: Readonly<Record<string, unknown>>,
  over: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const result = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = result[key];
    if (value === null) delete result[key];
    else result[key] = isPlainObject(old) && isPlainObject(value) ? overlaid(old, value) : value;
  }
  return result;
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
