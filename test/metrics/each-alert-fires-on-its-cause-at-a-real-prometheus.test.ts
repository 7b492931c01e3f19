// The shipped alerts at Debian's Prometheus, over real gates: one quiet, two with everything that can be brought about, one
// with a defect, one that is not there. Each alert fires where its cause is and nowhere else. Only `for` is taken out of the
// rules: how long a cause must last is what promtool's unit tests are for.

import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'tap';
import { parse, stringify } from 'yaml';
import { reloaded } from '../production/clients.ts';
import { openSession } from '../session/clients.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { connectRaw, sslRequest, startupMessage } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import type { Scope } from '../support/run/scope.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';
import { startPrometheus } from '../support/servers/prometheus.ts';

const DAY_MS = 86_400_000;
const days = (count: number): Date => new Date(Date.now() + count * DAY_MS);
const ALERTS = new URL('../../config/prometheus/alerts.yml', import.meta.url);

/** Asks until the answer is there. Each question is a round over the network, so Prometheus has its turns. */
async function until(what: string, holds: () => Promise<boolean>, limitMs = 60_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await holds())) if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
}

interface Target {
  readonly place: string;
  readonly labels: Readonly<Record<string, string>>;
}

async function prometheusOf(t: Scope, targets: readonly Target[]): Promise<string> {
  const directory = temporaryDirectory(t);
  const rules: { groups: { rules: Record<string, unknown>[] }[] } = parse(readFileSync(ALERTS, 'utf8'));
  for (const { rules: each } of rules.groups) for (const rule of each) delete rule['for'];
  writeFileSync(`${directory}/alerts.yml`, stringify(rules));
  const configuration = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: ['alerts.yml'],
    scrape_configs: [
      {
        job_name: 'gatehouse',
        static_configs: targets.map(({ place, labels }) => ({ targets: [place], labels })),
      },
    ],
  };
  return await startPrometheus(t, directory, configuration);
}

/** Loaded into a gate before its own code: no cancel key can be made, which no code of the gate expects. */
const DEFECT = `import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
crypto.randomFillSync = () => {
  throw new TypeError('a defect of this test');
};
syncBuiltinESMExports();`;

/** HOST:PORT of a gate's status listener. */
async function statusOf(gate: Gate): Promise<string> {
  const { url } = await gate.waitForLog({ msg: /^status listener on / });
  return new URL(String(url)).host;
}

/** Connections that must be over before the next step. */
async function sendAndWait(t: Scope, gate: Gate, ...bytes: readonly Uint8Array[]): Promise<void> {
  const client = await connectRaw(t, gate.port);
  await client.send(...bytes);
  await client.closed;
}

await test('each on its cause, and not without it', needs('prometheus'), async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const authority = testAuthority(t);
  const hba = 'host all weak all scram-sha-256\nhost all nobody all reject\nhost all all all trust\n';
  const config = { admin: { listen: '127.0.0.1:0', status_listen: '127.0.0.1:0' }, reload: { watch: 'off' } };
  const quiet = await startGate(t, {
    hba,
    upstream,
    config,
    server: authority.server({ notAfter: days(90) }),
  });
  const busy = await startGate(t, {
    hba,
    upstream,
    authority,
    config: { ...config, max_connections: 2, max_handshakes: 200 },
    server: authority.server({ notBefore: days(-80), notAfter: days(0.2) }),
  });
  const listed = testAuthority(t);
  const overdue = await startGate(t, {
    hba,
    upstream: { host: '127.0.0.1', port: 1 },
    authority: listed,
    config: { ...config, ssl_crl_file: 'ca.crl', auth_user: 'asker' },
    files: { 'ca.crl': listed.crl({ thisUpdate: days(-28), nextUpdate: days(-1) }) },
    server: listed.server({ notAfter: days(90) }),
  });
  const broken = await startGate(t, {
    hba,
    upstream,
    config,
    server: authority.server({ notAfter: days(90) }),
    env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(DEFECT)}` },
  });
  const prometheus = await prometheusOf(t, [
    { place: await statusOf(quiet), labels: { gate: 'quiet' } },
    { place: await statusOf(busy), labels: { gate: 'pair', which: 'busy' } },
    { place: await statusOf(overdue), labels: { gate: 'pair', which: 'overdue' } },
    { place: await statusOf(broken), labels: { gate: 'broken' } },
    { place: '127.0.0.1:1', labels: { gate: 'gone' } },
  ]);
  const names = new Map([
    [await statusOf(quiet), 'quiet'],
    [await statusOf(busy), 'busy'],
    [await statusOf(overdue), 'overdue'],
    [await statusOf(broken), 'broken'],
  ]);
  const firing = async (): Promise<readonly string[]> => {
    const answer = await fetch(`${prometheus}/api/v1/alerts`).catch(() => null);
    if (answer === null || !answer.ok) return [];
    const { data }: { data: { alerts: { state: string; labels: Record<string, string> }[] } } = JSON.parse(
      await answer.text(),
    );
    const each = data.alerts.map(
      ({ labels }) =>
        `${labels['alertname']?.replace('Gatehouse', '')} ${names.get(labels['instance'] ?? '') ?? labels['gate'] ?? ''}`,
    );
    return [...new Set(each)].toSorted();
  };
  // A scrape that a busy machine does not answer in its second is a gate that is down, until the next one.
  const fires = async (wanted: readonly string[]): Promise<readonly string[]> => {
    let seen: readonly string[] = [];
    await until(wanted.join(', '), async () => {
      seen = await firing();
      return seen.join() === wanted.toSorted().join();
    }).catch(() => undefined);
    t.strictSame(seen, wanted.toSorted());
    return seen;
  };

  // What stands in the files, and who does not answer.
  const lasting = [
    'CatalogDown overdue',
    'CertificateExpiresSoon busy',
    'CertificateExpiresThisWeek busy',
    'ConfigurationsDiffer pair',
    'Down gone',
    'RevocationListExpired overdue',
    'RevocationListExpiresSoon overdue',
    'UpstreamDown overdue',
  ];
  await fires(lasting);

  // What clients and operators do.
  for (let refused = 0; refused < 90; refused++)
    await sendAndWait(t, busy, startupMessage({ user: 'nobody', database: 'd' }));
  await sendAndWait(t, broken, startupMessage({ user: 'app', database: 'd' }));
  await sendAndWait(t, busy, startupMessage({ user: 'weak', database: 'd' }));
  await sendAndWait(t, busy, sslRequest(), startupMessage({ user: 'mallory' }));
  const late = authority.client('late', { notBefore: days(-80), notAfter: days(5) });
  await openSession(t, busy, { credentials: late, parameters: { user: 'late' } });
  await openSession(t, busy, { tls: false, parameters: { user: 'kept' } });
  await sendAndWait(t, busy, startupMessage({ user: 'third', database: 'd' }));
  busy.rewrite('pg_hba.conf', 'host all kept all reject\nhost all all all trust\n');
  busy.rewrite('pg_ident.conf', 'm /( x\n');
  const yaml = readFileSync(busy.path('gatehouse.yaml'), 'utf8');
  busy.rewrite('gatehouse.yaml', yaml.replace(/max_handshakes: 200/, 'max_handshakes: 6'));
  t.match(await reloaded(busy), { ok: false });
  for (let silent = 0; silent < 12; silent++) await connectRaw(t, busy.port);
  await busy.waitForLog({ code: 'handshake-evicted' });
  const seen = await fires([
    ...lasting,
    'ClientCertificatesExpireSoon busy',
    'ClientsRefused busy',
    'HandshakesEvicted busy',
    'InternalError broken',
    'NearSessionLimit busy',
    'PlaintextInjected busy',
    'ReloadFailed busy',
    'SessionLimitReached busy',
    'SessionsNoLongerAdmitted busy',
    'UpstreamAuthenticationTooWeak busy',
  ]);

  const all: { groups: { rules: { alert: string }[] }[] } = parse(readFileSync(ALERTS, 'utf8'));
  const known = all.groups.flatMap(({ rules }) => rules.map(({ alert }) => alert.replace('Gatehouse', '')));
  const fired = new Set(seen.map((each) => each.split(' ')[0]));
  t.strictSame(
    known.filter((name) => !fired.has(name)),
    [],
    'every alert has fired',
  );
});
