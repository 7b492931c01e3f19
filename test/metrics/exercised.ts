// Metrics on which everything has been counted that can be, so that every name and every label shows.

import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { Metrics, RuleInForce } from '../../src/telemetry/metrics.ts';
import { exampleCertificate, exampleCrl } from '../admin/example-gate.ts';

export const exampleRules: readonly RuleInForce[] = [
  { file: '/etc/gatehouse/pg_hba.conf', line: 3, method: 'cert', raw: 'hostssl all all all cert' },
  { file: '/etc/gatehouse/pg_hba.conf', line: 4, method: 'reject', raw: 'host all all all reject' },
];

export function exercisedMetrics(): Metrics {
  const metrics = createMetrics();
  metrics.bindGauges({
    sessions: () => 3,
    handshakesInProgress: () => 2,
    upstreamUp: () => true,
    catalog: () => ({ up: true, refreshedAt: 1_700_000_000 }),
    sessionsNoLongerAdmitted: () => 1,
    bannedAddresses: () => 4,
  });
  metrics.limits({ max_connections: 100, max_handshakes: 256 });
  metrics.rules(exampleRules);
  metrics.ruleHit('/etc/gatehouse/pg_hba.conf', 3);
  metrics.connectionEnded('relayed');
  metrics.connectionEnded('hba-no-entry');
  metrics.tlsHandshake(0.004, 'TLSv1.3', 'TLS_AES_256_GCM_SHA384');
  metrics.tlsFailure('client-cert-revoked');
  metrics.setup(0.02);
  metrics.session(75);
  metrics.relayed('to_client', 1000);
  metrics.relayed('to_upstream', 10);
  metrics.cancelRequest('forwarded');
  metrics.upstreamConnect(0.001);
  const end = new Date('2040-01-01T00:00:00Z');
  const begin = new Date('2026-01-01T00:00:00Z');
  metrics.certificates(
    [exampleCertificate({ notBefore: begin, notAfter: end })],
    [exampleCrl({ lastUpdate: begin, nextUpdate: end })],
  );
  metrics.clientCertificate({ from: new Date(0), to: new Date(40 * 24 * 3600_000) }, new Date(0));
  metrics.reload('failure', 1_700_000_000);
  metrics.configInfo('5f70bf18a086');
  return metrics;
}

/** One family of an exposition: its TYPE, HELP and samples. */
export interface Family {
  readonly type: string;
  readonly help: string;
  /** `name{labels}` to value. */
  readonly samples: ReadonlyMap<string, number>;
  /** Every label name that a sample carries, but for a histogram's `le`. */
  readonly labels: readonly string[];
}

/** The families of an exposition in Prometheus's text format, by name. */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  const families = new Map<string, Family>();
  for (const part of text.split(/^# HELP /m).slice(1)) {
    const [head = '', type = '', ...lines] = part.trimEnd().split('\n');
    const [name = '', ...help] = head.split(' ');
    const samples = lines
      .filter((line) => line !== '')
      .map(
        (line) =>
          [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))] as const,
      );
    const labels = samples.flatMap(([sample]) =>
      [...sample.matchAll(/[{,](\w+)="/g)].map((match) => match[1] ?? ''),
    );
    families.set(name, {
      type: type.replace(`# TYPE ${name} `, ''),
      help: help.join(' '),
      samples: new Map(samples),
      labels: [...new Set(labels)].filter((label) => label !== 'le'),
    });
  }
  return families;
}
