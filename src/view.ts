// What the admin listener sees of a gate of one process.

import type { GateStatus, GateView, SessionRow, SessionState } from './admin/gate-view.ts';
import { toText } from './bytestring.ts';
import type { ConfigHolder, ReloadResult } from './config/snapshot.ts';
import type { Gate } from './gate.ts';
import { terminatedByAdministrator, type Session } from './session/registry.ts';
import { VERSION } from './version.ts';
import type { UpstreamHealth } from './upstream-health.ts';

export interface ViewSources {
  readonly gate: Gate;
  readonly config: ConfigHolder;
  readonly health: UpstreamHealth;
  readonly reload: () => Promise<ReloadResult>;
  readonly lastReload: () => GateStatus['lastReload'];
}

/** The admin listener's view of this process. */
export function createGateView({ gate, config, health, reload, lastReload }: ViewSources): GateView {
  const startedAt = new Date();
  return {
    metricsText: async () => {
      await health.check(config.current.settings.upstream);
      return { contentType: gate.metrics.contentType, body: await gate.metrics.text() };
    },
    sessions: async () => [...gate.sessions].map(sessionRow),
    terminate: async (id) => {
      const session = gate.sessions.get(id);
      if (session === undefined) return false;
      session.terminating = true;
      session.end(terminatedByAdministrator('terminated by an administrator'));
      return true;
    },
    reload,
    readiness: async () => {
      const reasons = [
        ...(gate.draining() ? ['draining'] : []),
        ...((await health.check(config.current.settings.upstream))
          ? []
          : ['the upstream server does not answer']),
        ...expired(config),
      ];
      const failed = (lastReload()?.errors ?? []).map(({ message }) => `last reload failed: ${message}`);
      return { ready: reasons.length === 0, reasons: [...reasons, ...failed] };
    },
    certificates: async () => {
      const { tls } = config.current;
      return { certificates: tls?.certificates ?? [], crls: tls?.crls ?? [] };
    },
    rules: async () => {
      const hits = new Map(gate.metrics.ruleHits().map((row) => [`${row.file}:${row.line}`, row.hits]));
      return config.current.rules.records.map(({ file, line, raw }) => ({
        file,
        line,
        rule: toText(raw.trim()),
        hits: hits.get(`${file}:${line}`) ?? 0,
      }));
    },
    status: async () => ({
      version: VERSION,
      startedAt,
      lastReload: lastReload(),
      draining: gate.draining(),
    }),
  };
}

/** Certificates that make the gate useless: the server's own chain. */
function expired(config: ConfigHolder): string[] {
  const now = Date.now();
  return (config.current.tls?.certificates ?? [])
    .filter(({ role, notAfter }) => role === 'server' && notAfter.getTime() < now)
    .map(({ file, notAfter }) => `the server certificate has expired: ${file}, at ${notAfter.toISOString()}`);
}

function sessionRow(session: Session): SessionRow {
  const { tls } = session;
  const certificate = tls?.certificate.state === 'verified' ? tls.certificate.identity.facts : null;
  const bytes = session.bytes();
  return {
    id: session.id,
    user: toText(session.user),
    database: toText(session.database),
    client_addr: session.clientAddress,
    client_port: session.clientPort,
    application_name: toText(session.applicationName),
    backend_start: session.startedAt.toISOString(),
    rule: { file: session.record.file, line: session.record.line },
    bytes_in: bytes.in,
    bytes_out: bytes.out,
    state: stateOf(session),
    version: tls?.version ?? null,
    cipher: tls?.cipher ?? null,
    bits: tls?.bits ?? null,
    client_dn: certificate?.subjectDn ?? null,
    client_serial: certificate?.serial ?? null,
    issuer_dn: certificate?.issuerDn ?? null,
  };
}

function stateOf(session: Session): SessionState {
  if (session.terminating) return 'terminating';
  return session.noLongerAdmitted ? 'no-longer-admitted' : session.status();
}
