// What the admin listener sees of the gate. It is the same with one process and with workers.

import type { DryRunReport, GateStatus, GateView, Overview, RuleRows } from '../admin/gate-view.ts';
import type { ClientService } from './client-service.ts';
import { banAddress } from '../session/bans.ts';
import { toText } from '../base/bytestring.ts';
import type { Problem } from '../base/problems.ts';
import { certificatesInUse } from '../config/certificates-in-use.ts';
import { listsThatRefuse } from '../config/parts.ts';
import type { ConfigHolder, ReloadResult } from '../config/snapshot.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { sumMetrics } from '../telemetry/sum.ts';
import type { Settings } from '../config/schema.ts';
import type { HbaRecord } from '../rules/types.ts';
import type { TlsMaterial } from '../tls/types.ts';
import { VERSION } from '../base/version.ts';
import type { UpstreamHealth } from './upstream-health.ts';

export interface ViewSources {
  readonly service: ClientService;
  readonly config: ConfigHolder;
  /** Of this process. */
  readonly metrics: Metrics;
  readonly health: UpstreamHealth;
  readonly reload: () => Promise<ReloadResult>;
  readonly lastReload: () => GateStatus['lastReload'];
  readonly draining: () => boolean;
}

/** The admin listener's view of the gate. */
export function createGateView(sources: ViewSources): GateView {
  const { service, config, metrics, health, reload, lastReload, draining } = sources;
  const startedAt = new Date();
  const upstreamAnswers = async (): Promise<boolean> => await health.check(config.current.settings);
  return {
    metricsText: async () => {
      await upstreamAnswers();
      const others = await service.otherMetrics();
      const body = others.length === 0 ? metrics.text() : sumMetrics([await metrics.json(), ...others]);
      return { contentType: metrics.contentType, body: await body };
    },
    sessions: async () => await service.sessions(),
    fullSessions: async () => await service.fullSessions(),
    terminate: async (id) => await service.terminate(id),
    terminateAll: async (which) => await service.terminateAll(which),
    reload,
    dryRun: async () => await dryRun(config, service),
    readiness: async (reader = 'operators') => {
      const { refusing, told } = listsOf(config);
      const reasons = [
        ...(draining() ? ['draining'] : []),
        ...(service.staffing.serving === 0 ? [NOBODY_SERVES] : []),
        ...((await upstreamAnswers()) ? [] : ['the upstream server does not answer']),
        ...expired(config),
        ...refusing,
      ];
      const failed = (lastReload()?.errors ?? []).map((problem) => failureText(problem, reader));
      const others = [...told, ...shortOfWorkers(service), ...failed];
      return { ready: reasons.length === 0, reasons: [...reasons, ...others] };
    },
    health: async () => {
      const alive = isAlive(service);
      return { alive, reasons: alive ? shortOfWorkers(service) : [NOBODY_SERVES] };
    },
    certificates: async () => certificatesInUse(config.current),
    rules: async () => {
      const counted = await service.ruleHits();
      const hits = new Map(counted.map((row) => [`${row.file}:${row.line}`, row.hits]));
      return ruleRows(config.current.rules.records, hits);
    },
    refusals: async () => await service.refusals(),
    overview: async () => await overviewOf(service, config.current.settings, await upstreamAnswers()),
    bans: async () => await service.bans(),
    unban: async (address) => await service.unban(banAddress(address)),
    status: async () => ({ version: VERSION, startedAt, lastReload: lastReload(), draining: draining() }),
  };
}

async function overviewOf(
  service: ClientService,
  { upstream, max_connections, max_connections_per_address, max_handshakes }: Settings,
  answers: boolean,
): Promise<Overview> {
  const workers = await service.workers();
  return {
    upstream: { place: placeOf(upstream), answers },
    handshakes: workers.reduce((sum, { handshakes }) => sum + handshakes, 0),
    limits: { max_connections, max_connections_per_address, max_handshakes },
    workers: service.staffing,
  };
}

function placeOf({ host, port }: Settings['upstream']): string {
  if (host.startsWith('/')) return host;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function dryRun(config: ConfigHolder, service: ClientService): Promise<DryRunReport> {
  const { result, changed, current, parts } = await config.dryRun();
  const { sessions, of, silent } = await service.trySessions({ current, parts });
  return { ...result, changed, sessions, of, silent, action: current.settings.reload.sessions };
}

/** The rows of GET /rules, each made when it is read. */
function ruleRows(records: readonly HbaRecord[], hits: ReadonlyMap<string, number>): RuleRows {
  return {
    length: records.length,
    *[Symbol.iterator]() {
      for (const { file, line, raw } of records) {
        yield { file, line, rule: toText(raw.trim()), hits: hits.get(`${file}:${line}`) ?? 0 };
      }
    },
  };
}

/**
 * A part that was not reloaded, with its place.
 *
 * SECURITY: an error quotes what stands in a file, such as the name of a user. That is for operators; anyone may read what
 * admin.status_listen says, which names the place alone.
 */
function failureText(problem: Problem, reader: 'operators' | 'anybody'): string {
  const { file, line, message } = problem;
  const place = line === null ? file : `${file}:${line}`;
  return `last reload failed: ${place}${reader === 'operators' ? `: ${message}` : ''}`;
}

/** What revocation lists keep out: every client of the gate, or only some of them. */
function listsOf(config: ConfigHolder): { readonly refusing: string[]; readonly told: string[] } {
  const keepsSomeOut = admitsWithoutCertificate(config.current.rules.records);
  const lists = listsThatRefuse(config.parts.tls.value);
  const words = (keepsAllOut: boolean): string[] =>
    lists
      .filter(({ level }) => (level === 'error' && !keepsSomeOut) === keepsAllOut)
      .map(({ message }) => message);
  return { refusing: words(true), told: words(false) };
}

/** Whether some line can admit a client that shows no certificate. */
function admitsWithoutCertificate(records: readonly HbaRecord[]): boolean {
  const neverMatches = new Set(['local', 'hostgssenc']);
  const refusing = new Set(['reject', 'gss', 'sspi', 'oauth', 'ident']);
  return records.some(
    ({ type, method, clientCert }) =>
      !neverMatches.has(type) && !refusing.has(method) && clientCert === 'off',
  );
}

const NOBODY_SERVES = 'no worker process serves';

/** At least one process serves clients. */
export function isAlive({ staffing }: ClientService): boolean {
  return staffing.serving > 0;
}

function shortOfWorkers({ staffing: { serving, wanted } }: ClientService): string[] {
  return serving > 0 && serving < wanted ? [`${serving} of ${wanted} worker processes serve`] : [];
}

/**
 * Expired certificates that keep every client of a host out: one of the server's own chain, or the last root that was
 * valid. An old root beside a valid one keeps nobody out.
 */
function expired(config: ConfigHolder): string[] {
  const materials = config.current.tls?.materials ?? [];
  return [...new Set(materials.flatMap(expiredOf))];
}

function expiredOf({ certificates }: TlsMaterial): string[] {
  const ended = certificates.filter(({ notAfter }) => notAfter.getTime() < Date.now());
  const cas = certificates.filter(({ role }) => role === 'ca');
  const isWithoutCa = cas.every((certificate) => ended.includes(certificate));
  return ended
    .filter(({ role }) => role === 'server' || isWithoutCa)
    .map(
      ({ role, file, notAfter }) =>
        `the ${role === 'ca' ? 'CA' : role} certificate has expired: ${file}, at ${notAfter.toISOString()}`,
    );
}
