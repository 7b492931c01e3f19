// Where the upstream listens: one place for sessions, cancel requests and the health probe.

import type { UpstreamSettings } from '../config/settings.ts';

/** The upstream's address as net.connect takes it. A host that begins with `/` is a directory, as in libpq. */
export function upstreamAddress(
  settings: UpstreamSettings,
): { path: string } | { host: string; port: number } {
  return settings.host.startsWith('/')
    ? { path: `${settings.host}/.s.PGSQL.${settings.port}` }
    : { host: settings.host, port: settings.port };
}
