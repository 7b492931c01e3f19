// The settings as the program uses them: read, checked, with units in the names and every path absolute.

import type { Roles } from '../rules/types.ts';
import type { TlsSettings } from '../tls/settings.ts';

export interface UpstreamSettings {
  /** Host name, address, or (first character `/`) the directory of a Unix socket, as in libpq. */
  readonly host: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
  readonly allowRemote: boolean;
}

export interface Settings {
  /** Absolute path of the YAML file. */
  readonly file: string;
  readonly listenAddresses: readonly string[];
  readonly port: number;
  /** `auto` already resolved to a number. */
  readonly workers: number;
  /** 0 = no limit, here and below. */
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxHandshakes: number;
  readonly authenticationTimeoutMs: number;
  readonly idleSessionTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
  readonly tcpKeepalivesIdleMs: number;
  readonly tcpKeepalivesIntervalMs: number;
  readonly tcpKeepalivesCount: number;
  readonly tls: TlsSettings;
  readonly hbaFile: string;
  readonly identFile: string;
  readonly roles: Roles;
  readonly upstream: UpstreamSettings;
  readonly reload: {
    readonly watch: boolean;
    readonly intervalMs: number;
    readonly sessions: 'keep' | 'terminate';
  };
  readonly admin: {
    /** `host:port`, an absolute path of a Unix socket, or '' = off. */
    readonly listen: string;
    /** All three or none: absolute paths, '' = not set. */
    readonly certFile: string;
    readonly keyFile: string;
    readonly caFile: string;
  };
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  readonly logConnections: boolean;
  readonly logDisconnections: boolean;
  /** Line of the YAML file on which a key stands (`ssl_cert_file`, `upstream.host`); null where it is a default. */
  readonly lineOf: (key: string) => number | null;
}
