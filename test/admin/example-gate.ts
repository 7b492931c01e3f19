// A gate behind the admin listener, as its peer: a GateView whose answers a test chooses and whose calls it can read.

import type { FullSessionRow } from '../../src/session/session-row.ts';
import type { Test } from 'tap';
import type { GateView } from '../../src/admin/gate-view.ts';
import { createAdminServer } from '../../src/admin/server.ts';
import type { AdminOptions } from '../../src/admin/server.ts';
import type { AdminSettings } from '../../src/admin/listen.ts';
import type { ReloadResult } from '../../src/config/snapshot.ts';
import type { HostCertificate, CrlInUse } from '../../src/tls/types.ts';

const DAY_MS = 24 * 3600 * 1000;

export function exampleSession(changes: Partial<FullSessionRow> = {}): FullSessionRow {
  return {
    id: '1-17',
    user: 'alice',
    database: 'orders',
    client_addr: '192.0.2.7',
    client_port: 50_312,
    proxy_addr: null,
    proxy_port: null,
    application_name: 'psql',
    backend_start: '2026-03-01T12:00:00.000Z',
    rule: { file: '/etc/gatehouse/pg_hba.conf', line: 4 },
    bytes_in: 1200,
    bytes_out: 34_567,
    state: 'idle',
    no_longer_admitted: false,
    judgement: 'admitted',
    judgement_reason: null,
    version: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    bits: 256,
    client_dn: 'CN=alice,O=Example',
    client_serial: '4711',
    issuer_dn: 'CN=Example CA',
    upstream_pid: 4242,
    is_console: false,
    replication: false,
    certificate: {
      subject: '/O=Example/CN=alice',
      issuer: '/CN=Example CA',
      not_before: new Date(Date.now() - 60 * DAY_MS).toISOString(),
      not_after: new Date(Date.now() + 300.5 * DAY_MS).toISOString(),
    },
    ...changes,
  };
}

export function exampleCertificate(changes: Partial<HostCertificate> = {}): HostCertificate {
  return {
    role: 'server',
    host: null,
    file: '/etc/gatehouse/server.crt',
    subject: '/CN=db.example.com',
    issuer: '/CN=Example CA',
    subjectDn: 'CN=db.example.com',
    issuerDn: 'CN=Example CA',
    serial: '1234567890',
    notBefore: new Date(Date.now() - 60 * DAY_MS),
    notAfter: new Date(Date.now() + 20.5 * DAY_MS),
    fingerprint: '00:11:22',
    ...changes,
  };
}

export function exampleCrl(changes: Partial<CrlInUse> = {}): CrlInUse {
  return {
    file: '/etc/gatehouse/ca.crl',
    issuer: '/CN=Example CA',
    issuerDn: 'CN=Example CA',
    lastUpdate: new Date(Date.now() - DAY_MS),
    nextUpdate: new Date(Date.now() + 3.5 * DAY_MS),
    revokedSerials: new Set(['a1', 'b2']),
    ...changes,
  };
}

/** A reload that took every part. */
export function exampleReload(changes: Partial<ReloadResult> = {}): ReloadResult {
  return {
    ok: true,
    reloaded: ['settings', 'tls', 'rules', 'maps'],
    errors: [],
    warnings: [],
    notReloaded: [],
    ...changes,
  };
}

/** The view, what it was asked to change, and its live sessions. */
export interface ExampleGate {
  readonly view: GateView;
  readonly terminated: string[];
  reloads: number;
}

export function exampleGate(
  sessions: readonly FullSessionRow[] = [exampleSession()],
  answers: Partial<GateView> = {},
): ExampleGate {
  const live = new Map(sessions.map((row) => [row.id, row]));
  const gate: ExampleGate = {
    terminated: [],
    reloads: 0,
    view: {
      metricsText: async () => ({
        contentType: 'text/plain; version=0.0.4; charset=utf-8',
        body: 'gatehouse_up 1\n',
      }),
      sessions: async () => [...live.values()],
      fullSessions: async () => [...live.values()],
      terminate: async (id) => {
        gate.terminated.push(id);
        return live.delete(id);
      },
      terminateAll: async ({ user, noLongerAdmitted }) => {
        const meant = [...live.values()].filter(
          (row) =>
            (user === undefined || row.user === user) &&
            (noLongerAdmitted !== true || row.no_longer_admitted),
        );
        for (const { id } of meant) live.delete(id);
        return meant.map(({ id }) => id);
      },
      dryRun: async () => ({
        ...exampleReload(),
        changed: [],
        sessions: [],
        of: live.size,
        silent: 0,
        action: 'keep',
      }),
      reload: async () => {
        gate.reloads += 1;
        return exampleReload();
      },
      readiness: async () => ({ ready: true, reasons: [] }),
      health: async () => ({ alive: true, reasons: [] }),
      certificates: async () => ({ certificates: [exampleCertificate()], crls: [exampleCrl()] }),
      rules: async () => [
        { file: '/etc/gatehouse/pg_hba.conf', line: 4, rule: 'hostssl all all all cert', hits: 12_345 },
        { file: '/etc/gatehouse/pg_hba.conf', line: 5, rule: 'host all all all reject', hits: 0 },
      ],
      refusals: async () => [],
      overview: async () => ({
        upstream: { place: '127.0.0.1:5432', answers: true },
        handshakes: 2,
        limits: { max_connections: 0, max_connections_per_address: 0, max_handshakes: 1000 },
        workers: { serving: 1, wanted: 1 },
      }),
      bans: async () => [],
      unban: async () => false,
      status: async () => ({
        version: '0.1.0',
        startedAt: new Date('2026-03-01T11:00:00Z'),
        lastReload: null,
        draining: false,
      }),
      ...answers,
    },
  };
  return gate;
}

export function adminSettings(listen: string): AdminSettings {
  return {
    admin: { listen },
    placeOf: () => ({ source: 'configuration file', file: '/etc/gatehouse.yaml', line: 52 }),
  };
}

/** The listener in front of a view, on an ephemeral loopback port, closed with the test. Resolves to its URL. */
export async function startAdmin(t: Test, view: GateView, options: AdminOptions = {}): Promise<string> {
  const server = await createAdminServer(view, adminSettings('127.0.0.1:0'), options);
  t.teardown(() => server.close());
  return server.url;
}
