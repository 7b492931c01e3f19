// Every method of Metrics against the exposition: the series that it moves, and by how much (contract §6).

import { test } from 'tap';
import { codes } from '../../src/base/codes.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { Metrics } from '../../src/telemetry/metrics.ts';
import { exampleCertificate, exampleCrl } from '../admin/example-gate.ts';
import { parseExposition } from './exercised.ts';

const idle = {
  sessions: () => 0,
  handshakesInProgress: () => 0,
  sessionsNoLongerAdmitted: () => 0,
  bannedAddresses: () => 0,
};
const day = 24 * 3600;
const at = (days: number): Date => new Date(days * day * 1000);
const life = (from: number, to: number): { from: Date; to: Date } => ({ from: at(from), to: at(to) });

/** What happened, and the samples it must lead to; undefined = there must be no such series. */
const table: readonly (readonly [
  string,
  (metrics: Metrics) => void,
  Readonly<Record<string, number | undefined>>,
])[] = [
  [
    'at the start',
    () => {},
    {
      'connections_total{outcome="relayed"}': 0,
      'connections_total{outcome="hba-reject"}': 0,
      'tls_failures_total{reason="client-cert-revoked"}': 0,
      'cancel_requests_total{outcome="unknown-key"}': 0,
      'relay_bytes_total{direction="to_client"}': 0,
      'reload_total{result="failure"}': 0,
      reload_last_successful: 1,
      upstream_up: undefined,
      catalog_up: undefined,
      sessions: undefined,
    },
  ],
  [
    'gauges are read at the scrape',
    (metrics) =>
      metrics.bindGauges({
        sessions: () => 3,
        handshakesInProgress: () => 2,
        upstreamUp: () => true,
        sessionsNoLongerAdmitted: () => 1,
        bannedAddresses: () => 4,
      }),
    {
      sessions: 3,
      handshakes_in_progress: 2,
      upstream_up: 1,
      sessions_no_longer_admitted: 1,
      banned_addresses: 4,
    },
  ],
  [
    'the upstream is down',
    (metrics) => metrics.bindGauges({ ...idle, upstreamUp: () => false }),
    { upstream_up: 0 },
  ],
  [
    'the upstream was not probed yet',
    (metrics) => metrics.bindGauges({ ...idle, upstreamUp: () => null }),
    { upstream_up: undefined, sessions: 0 },
  ],
  [
    'the catalogue answers',
    (metrics) =>
      metrics.bindGauges({
        ...idle,
        upstreamUp: () => null,
        catalog: () => ({ up: true, refreshedAt: 1_700_000_000 }),
      }),
    { catalog_up: 1, catalog_refresh_timestamp_seconds: 1_700_000_000 },
  ],
  [
    'the catalogue has never answered',
    (metrics) =>
      metrics.bindGauges({
        ...idle,
        upstreamUp: () => null,
        catalog: () => ({ up: false, refreshedAt: null }),
      }),
    { catalog_up: 0, catalog_refresh_timestamp_seconds: undefined },
  ],
  [
    'limits',
    (metrics) => metrics.limits({ max_connections: 7, max_handshakes: 9 }),
    { sessions_limit: 7, handshakes_limit: 9 },
  ],
  [
    'connections that ended',
    (metrics) => {
      metrics.connectionEnded('relayed');
      metrics.connectionEnded('relayed');
      metrics.connectionEnded('tls-eof');
    },
    { 'connections_total{outcome="relayed"}': 2, 'connections_total{outcome="tls-eof"}': 1 },
  ],
  [
    'a handshake',
    (metrics) => metrics.tlsHandshake(0.2, 'TLSv1.2', 'ECDHE-RSA-AES256-GCM-SHA384'),
    {
      'tls_sessions_total{version="TLSv1.2",cipher="ECDHE-RSA-AES256-GCM-SHA384"}': 1,
      tls_handshake_seconds_count: 1,
      tls_handshake_seconds_sum: 0.2,
      'tls_handshake_seconds_bucket{le="0.1"}': 0,
      'tls_handshake_seconds_bucket{le="0.25"}': 1,
    },
  ],
  [
    'a version and a cipher that OpenSSL does not list make no series of their own',
    (metrics) => {
      metrics.tlsHandshake(1, 'TLSv9', 'INVENTED');
      metrics.tlsHandshake(1, '', '__proto__');
    },
    { 'tls_sessions_total{version="other",cipher="other"}': 2 },
  ],
  [
    'failures of TLS, and one that is none',
    (metrics) => {
      metrics.tlsFailure('tls-version-mismatch');
      metrics.tlsFailure('client-cert-expired');
      metrics.tlsFailure('client-cert-name-mismatch');
      metrics.tlsFailure('hba-reject');
    },
    {
      'tls_failures_total{reason="tls-version-mismatch"}': 1,
      'tls_failures_total{reason="client-cert-expired"}': 1,
      'tls_failures_total{reason="client-cert-name-mismatch"}': undefined,
      'tls_failures_total{reason="hba-reject"}': undefined,
    },
  ],
  [
    'durations',
    (metrics) => {
      metrics.setup(0.03);
      metrics.session(7200);
      metrics.upstreamConnect(0.002);
    },
    {
      'setup_seconds_bucket{le="0.05"}': 1,
      'session_seconds_bucket{le="3600"}': 0,
      'session_seconds_bucket{le="21600"}': 1,
      'upstream_connect_seconds_bucket{le="0.0025"}': 1,
    },
  ],
  [
    'bytes',
    (metrics) => {
      metrics.relayed('to_client', 2 ** 40);
      metrics.relayed('to_client', 1);
      metrics.relayed('to_upstream', 0);
    },
    {
      'relay_bytes_total{direction="to_client"}': 2 ** 40 + 1,
      'relay_bytes_total{direction="to_upstream"}': 0,
    },
  ],
  [
    'a cancel request',
    (metrics) => metrics.cancelRequest('refused'),
    { 'cancel_requests_total{outcome="refused"}': 1 },
  ],
  [
    'a client certificate with 40 days left',
    (metrics) => metrics.clientCertificate(life(0, 60), at(20)),
    {
      client_certificates_expiring_total: 0,
      [`client_certificate_remaining_seconds_bucket{le="${30 * day}"}`]: 0,
      [`client_certificate_remaining_seconds_bucket{le="${60 * day}"}`]: 1,
    },
  ],
  [
    'client certificates in the last third of their lives, 30 days at most, and others',
    (metrics) => {
      metrics.clientCertificate(life(0, 365), at(334));
      metrics.clientCertificate(life(0, 365), at(336));
      metrics.clientCertificate(life(0, 1), at(0.6));
      metrics.clientCertificate(life(0, 1), at(0.7));
      metrics.clientCertificate(life(0, 1), at(2));
    },
    {
      client_certificates_expiring_total: 3,
      client_certificate_remaining_seconds_count: 5,
      [`client_certificate_remaining_seconds_bucket{le="${day}"}`]: 3,
    },
  ],
  [
    'certificates and lists in use, replaced whole',
    (metrics) => {
      metrics.certificates([exampleCertificate({ serial: '1' })], [exampleCrl({ issuer: '/CN=Old' })]);
      metrics.certificates(
        [
          exampleCertificate({ serial: '2', notBefore: new Date(4000), notAfter: new Date(5000) }),
          exampleCertificate({ serial: '3', role: 'ca', notAfter: new Date(9000) }),
          exampleCertificate({ serial: '3', role: 'ca', notAfter: new Date(8000) }),
        ],
        [
          exampleCrl({ issuer: '/CN=New', lastUpdate: new Date(3000), nextUpdate: new Date(7000) }),
          exampleCrl({ issuer: '/CN=New', nextUpdate: new Date(6000) }),
          exampleCrl({ issuer: '/CN=Never', nextUpdate: null }),
        ],
      );
    },
    {
      'certificate_not_after_timestamp_seconds{role="server",serial="1"}': undefined,
      'certificate_not_after_timestamp_seconds{role="server",serial="2"}': 5,
      'certificate_not_after_timestamp_seconds{role="ca",serial="3"}': 8,
      'certificate_not_before_timestamp_seconds{role="server",serial="2"}': 4,
      'crl_last_update_timestamp_seconds{issuer="/CN=New"}': 3,
      'crl_last_update_timestamp_seconds{issuer="/CN=Never"}': undefined,
      'crl_next_update_timestamp_seconds{issuer="/CN=Old"}': undefined,
      'crl_next_update_timestamp_seconds{issuer="/CN=New"}': 7,
      'crl_next_update_timestamp_seconds{issuer="/CN=Never"}': undefined,
    },
  ],
  [
    'a reload that failed after one that did not',
    (metrics) => {
      metrics.reload('success', 1000);
      metrics.reload('failure', 2000);
    },
    {
      'reload_total{result="success"}': 1,
      'reload_total{result="failure"}': 1,
      reload_last_successful: 0,
      reload_last_success_timestamp_seconds: 1000,
    },
  ],
  [
    'a reload that mends it',
    (metrics) => {
      metrics.reload('failure', 1000);
      metrics.reload('success', 2000);
    },
    { reload_last_successful: 1, reload_last_success_timestamp_seconds: 2000 },
  ],
  [
    'the configuration in force',
    (metrics) => {
      metrics.configInfo('aa');
      metrics.configInfo('bb');
    },
    { 'config_info{hash="aa"}': undefined, 'config_info{hash="bb"}': 1 },
  ],
];

for (const [name, act, expected] of table) {
  await test(name, async (t) => {
    const metrics = createMetrics();
    act(metrics);
    const samples = new Map(
      [...parseExposition(await metrics.text()).values()].flatMap((family) => [...family.samples]),
    );
    for (const [sample, value] of Object.entries(expected))
      t.equal(samples.get(`gatehouse_${sample}`), value, sample);
  });
}

await test('the outcomes are relayed and the registry of codes, no more and no less', async (t) => {
  const family = parseExposition(await createMetrics().text()).get('gatehouse_connections_total');
  const outcomes = [...(family?.samples.keys() ?? [])].map((sample) => /outcome="([^"]+)"/.exec(sample)?.[1]);
  t.strictSame(outcomes, ['relayed', ...Object.keys(codes)]);
});
