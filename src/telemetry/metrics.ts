// What Prometheus reads (contract §6): one registry a process, and typed methods for those who count. Every name, label and
// bucket of the gate is written down here, but for the series of certificates and lists (certificate-series.ts). sum.ts adds
// up what several workers have counted.

import { CERTIFICATE_WARNED_MS, isInLastThird, type Life } from '../base/last-third.ts';
import { CertificateSeries } from './certificate-series.ts';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Code } from '../base/codes.ts';
import { collectProcessMetrics } from './event-loop-lag.ts';
import { droppedLogLines } from './log.ts';
import {
  cancelOutcomes,
  cipherLabel,
  directions,
  outcomes,
  reloadResults,
  tlsFailureCodes,
  versionLabel,
} from './labels.ts';
import type { CancelOutcome, Outcome } from './labels.ts';
import type { GaugeSource } from './gauge-source.ts';
import { RuleHitCounts, type RuleHits, type RuleInForce } from './rule-hits.ts';
import type { CertificateInUse, CrlInUse } from '../tls/types.ts';

const DAY = 24 * 3600;
const HANDSHAKE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const CONNECT_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const SESSION_BUCKETS = [0.01, 0.1, 1, 10, 60, 300, 900, 3600, 6 * 3600, DAY];
const REMAINING_BUCKETS = [1, 2, 7, 14, 30, 60, 90, 180, 365, 730].map((days) => days * DAY);

export type { RuleHits, RuleInForce } from './rule-hits.ts';

/** One process's metrics as plain data that survives JSON, for `sumMetrics`. */
export type MetricsJson = readonly object[];

export interface Metrics {
  /** One connection has ended; called exactly once for each. */
  connectionEnded(outcome: Outcome): void;
  /** Where the gauges read from; until called they have no series. */
  bindGauges(source: GaugeSource): void;
  /** The limits in force; 0 = no limit. */
  limits(limits: { readonly max_connections: number; readonly max_handshakes: number }): void;
  /** A completed handshake. Versions and ciphers that OpenSSL does not list are counted as `other`. */
  tlsHandshake(seconds: number, version: string, cipher: string): void;
  /** A handshake or certificate that failed; codes of other kinds are not counted, so any code may be given. */
  tlsFailure(code: Code): void;
  /** Accept to the begin of the relay. */
  setup(seconds: number): void;
  /** Begin of the relay to the session's end. */
  session(seconds: number): void;
  relayed(direction: 'to_client' | 'to_upstream', bytes: number): void;
  /**
   * Sets the lines in force after a start or reload. New and edited lines begin at 0, removed ones are forgotten.
   * The same array again costs nothing.
   */
  rules(records: readonly RuleInForce[]): void;
  /** Counts one or more decisions of a line. A line that a reload has removed meanwhile is not counted. */
  ruleHit(file: string, line: number, times?: number): void;
  /** The lines that have decided. The others have no row, so that 100,000 lines cost a scrape nothing. */
  ruleHits(): readonly RuleHits[];
  cancelRequest(outcome: CancelOutcome): void;
  upstreamConnect(seconds: number): void;
  /** Replaces the series of certificates and lists after a start or reload. */
  certificates(certificates: readonly CertificateInUse[], crls: readonly CrlInUse[]): void;
  /** The life of a client certificate whose handshake was accepted. */
  clientCertificate(life: Life, now: Date): void;
  /** The start has loaded every part. For the first process alone: a worker that starts later has loaded nothing. */
  loaded(atSeconds: number): void;
  /** A reload has been tried; `failure` = at least one part kept its old state. */
  reload(result: 'success' | 'failure', atSeconds: number): void;
  /** The configuration in force, by its hash. */
  configInfo(hash: string): void;
  /** The exposition, in the format `contentType` names. */
  text(): Promise<string>;
  readonly contentType: string;
  json(): Promise<MetricsJson>;
}

/** A registry of its own, with the process and event-loop metrics that prom-client brings. */
export function createMetrics(): Metrics {
  return new ProcessMetrics();
}

/** How the workers' values of one gauge or counter become one: prom-client's words. */
type Aggregator = 'sum' | 'min' | 'max';

class ProcessMetrics implements Metrics {
  readonly #registry = new Registry();
  readonly #rules = new RuleHitCounts();
  #source: GaugeSource | null = null;

  readonly #connections = this.#counter('connections_total', 'Connections that have ended, by how.', [
    'outcome',
  ]);
  readonly #tlsHandshake = this.#histogram(
    'tls_handshake_seconds',
    'Time of completed TLS handshakes.',
    HANDSHAKE_BUCKETS,
  );
  readonly #tlsSessions = this.#counter('tls_sessions_total', 'Completed TLS handshakes.', [
    'version',
    'cipher',
  ]);
  readonly #tlsFailures = this.#counter(
    'tls_failures_total',
    'Failed TLS handshakes and client certificates.',
    ['reason'],
  );
  readonly #setup = this.#histogram(
    'setup_seconds',
    'Time from accept to the begin of the relay.',
    HANDSHAKE_BUCKETS,
  );
  readonly #session = this.#histogram(
    'session_seconds',
    'Time that relayed sessions lasted.',
    SESSION_BUCKETS,
  );
  readonly #relayBytes = this.#counter('relay_bytes_total', "Bytes relayed, counted at a session's end.", [
    'direction',
  ]);
  readonly #cancelRequests = this.#counter(
    'cancel_requests_total',
    'Cancel requests, by what became of them.',
    ['outcome'],
  );
  readonly #upstreamConnect = this.#histogram(
    'upstream_connect_seconds',
    'Time to connect to the upstream.',
    CONNECT_BUCKETS,
  );
  readonly #clientCertificateRemaining = this.#histogram(
    'client_certificate_remaining_seconds',
    'Time left of client certificates, at each accepted handshake.',
    REMAINING_BUCKETS,
  );
  readonly #expiringClients = this.#counter(
    'client_certificates_expiring_total',
    'Accepted handshakes with a client certificate in the last third of its life, at most 30 days before its end.',
    [],
  );
  readonly #certificates = new CertificateSeries((name, help, labels) =>
    this.#gauge(name, help, 'min', labels),
  );
  readonly #sessionsLimit = this.#gauge('sessions_limit', 'max_connections; 0 = no limit.', 'max');
  readonly #handshakesLimit = this.#gauge('handshakes_limit', 'max_handshakes; 0 = no limit.', 'max');
  // One reload reaches every worker, so a sum would count it once for each worker.
  readonly #reloads = this.#counter('reload_total', 'Reloads tried since the start.', ['result'], 'max');
  readonly #reloadSuccessful = this.#gauge(
    'reload_last_successful',
    '1 = the last load took every part.',
    'min',
  );
  readonly #reloadSuccessTime = this.#gauge(
    'reload_last_success_timestamp_seconds',
    'When every part was last loaded.',
    'max',
  );
  readonly #configInfo = this.#gauge(
    'config_info',
    'Always 1; its label is the hash of the configuration.',
    'max',
    ['hash'],
  );

  constructor() {
    collectProcessMetrics(this.#registry);
    this.#readAtScrape('sessions', 'Sessions being relayed.', 'sum', (source) => source.sessions());
    this.#readAtScrape(
      'handshakes_in_progress',
      'Connections that have yet to prove themselves.',
      'sum',
      (source) => source.handshakesInProgress(),
    );
    this.#readAtScrape(
      'sessions_no_longer_admitted',
      'Live sessions that would be refused now.',
      'sum',
      (source) => source.sessionsNoLongerAdmitted(),
    );
    this.#readAtScrape('banned_addresses', 'Addresses refused for failed authentications.', 'sum', (source) =>
      source.bannedAddresses(),
    );
    this.#readAtScrape('upstream_up', '1 = the upstream answered the last probe.', 'min', (source) => {
      const up = source.upstreamUp();
      return up === null ? null : Number(up);
    });
    this.#readAtScrape(
      'catalog_up',
      "1 = the upstream's catalogue answered the last time.",
      'min',
      (source) => {
        const up = source.catalog?.().up ?? null;
        return up === null ? null : Number(up);
      },
    );
    this.#readAtScrape(
      'catalog_refresh_timestamp_seconds',
      'When role memberships were last read from the upstream.',
      'max',
      (source) => source.catalog?.().refreshedAt ?? null,
    );
    this.#ruleHitsAtScrape();
    this.#droppedLogLinesAtScrape();
    this.#beginAtZero();
  }

  connectionEnded(outcome: Outcome): void {
    this.#connections.inc({ outcome });
  }

  bindGauges(source: GaugeSource): void {
    this.#source = source;
  }

  limits(limits: { readonly max_connections: number; readonly max_handshakes: number }): void {
    this.#sessionsLimit.set(limits.max_connections);
    this.#handshakesLimit.set(limits.max_handshakes);
  }

  tlsHandshake(seconds: number, version: string, cipher: string): void {
    this.#tlsHandshake.observe(seconds);
    this.#tlsSessions.inc({
      version: versionLabel(version),
      cipher: cipherLabel(cipher),
    });
  }

  tlsFailure(code: Code): void {
    if (tlsFailureCodes.has(code)) this.#tlsFailures.inc({ reason: code });
  }

  setup(seconds: number): void {
    this.#setup.observe(seconds);
  }

  session(seconds: number): void {
    this.#session.observe(seconds);
  }

  relayed(direction: 'to_client' | 'to_upstream', bytes: number): void {
    this.#relayBytes.inc({ direction }, bytes);
  }

  rules(records: readonly RuleInForce[]): void {
    this.#rules.replace(records);
  }

  ruleHit(file: string, line: number, times = 1): void {
    this.#rules.add(file, line, times);
  }

  ruleHits(): readonly RuleHits[] {
    return this.#rules.rows().map(({ file, line, hits }) => ({ file, line, hits }));
  }

  cancelRequest(outcome: CancelOutcome): void {
    this.#cancelRequests.inc({ outcome });
  }

  upstreamConnect(seconds: number): void {
    this.#upstreamConnect.observe(seconds);
  }

  certificates(certificates: readonly CertificateInUse[], crls: readonly CrlInUse[]): void {
    this.#certificates.show(certificates, crls);
  }

  clientCertificate({ from, to }: Life, now: Date): void {
    // It may have expired since the handshake, or the clock has jumped; a sum that falls is not a counter.
    this.#clientCertificateRemaining.observe(Math.max(0, to.getTime() - now.getTime()) / 1000);
    if (isInLastThird({ from, to }, now, CERTIFICATE_WARNED_MS)) this.#expiringClients.inc();
  }

  loaded(atSeconds: number): void {
    this.#reloadSuccessTime.set(atSeconds);
  }

  reload(result: 'success' | 'failure', atSeconds: number): void {
    this.#reloads.inc({ result });
    this.#reloadSuccessful.set(Number(result === 'success'));
    if (result === 'success') this.loaded(atSeconds);
  }

  configInfo(hash: string): void {
    this.#configInfo.reset();
    this.#configInfo.set({ hash }, 1);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  json(): Promise<MetricsJson> {
    return this.#registry.getMetricsAsJSON();
  }

  /** Every series whose labels are known beforehand is there from the start, so that its first increase shows. */
  #beginAtZero(): void {
    for (const outcome of outcomes) this.#connections.inc({ outcome }, 0);
    for (const reason of tlsFailureCodes) this.#tlsFailures.inc({ reason }, 0);
    for (const direction of directions) this.#relayBytes.inc({ direction }, 0);
    for (const outcome of cancelOutcomes) this.#cancelRequests.inc({ outcome }, 0);
    for (const result of reloadResults) this.#reloads.inc({ result }, 0);
    // The start has loaded every part, else the process would have ended.
    this.#reloadSuccessful.set(1);
  }

  #ruleHitsAtScrape(): void {
    const rules = this.#rules;
    const counter: Counter = this.#counter(
      'rule_hits_total',
      'Decisions of the pg_hba.conf lines in force that have decided.',
      ['file', 'line', 'method'],
      'sum',
      () => {
        counter.reset();
        for (const { file, line, method, hits } of rules.rows()) counter.inc({ file, line, method }, hits);
      },
    );
  }

  #droppedLogLinesAtScrape(): void {
    const counter: Counter = this.#counter(
      'log_lines_dropped_total',
      'Log lines that could not be written.',
      [],
      'sum',
      () => {
        counter.reset();
        counter.inc(droppedLogLines());
      },
    );
  }

  /** A gauge whose value `read` gives at each scrape; null = no series. */
  #readAtScrape(
    name: string,
    help: string,
    aggregator: Aggregator,
    read: (source: GaugeSource) => number | null,
  ): void {
    const gauge: Gauge = this.#gauge(name, help, aggregator, [], () => {
      const value = this.#source === null ? null : read(this.#source);
      if (value === null) gauge.remove();
      else gauge.set(value);
    });
  }

  #counter(
    name: string,
    help: string,
    labelNames: readonly string[],
    aggregator: Aggregator = 'sum',
    collect: () => void = nothing,
  ): Counter {
    const registers = [this.#registry];
    return new Counter({ name: `gatehouse_${name}`, help, labelNames, registers, aggregator, collect });
  }

  #gauge(
    name: string,
    help: string,
    aggregator: Aggregator,
    labelNames: readonly string[] = [],
    collect: () => void = nothing,
  ): Gauge {
    const registers = [this.#registry];
    return new Gauge({ name: `gatehouse_${name}`, help, labelNames, registers, aggregator, collect });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name: `gatehouse_${name}`, help, buckets, registers: [this.#registry] });
  }
}

function nothing(): void {}
