// tcp_keepalives_idle, _interval and _count as PostgreSQL has them: 0 is the system's value, on the client's connection
// and the upstream's, and a reload changes those that are open. What the kernel has is asked of the kernel.

import { readFileSync } from 'node:fs';
import tap, { test } from 'tap';
import { keepAlive } from '../../src/base/keep-alive.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { socketOptions } from '../support/run/socket-options.ts';
import { leftOutForWantOf, requireTools } from '../support/run/tools.ts';

requireTools(tap, 'python3');
// Borrowing another process's sockets is a kind of tracing it.
const mayTrace =
  process.getuid?.() === 0 || readFileSync('/proc/sys/kernel/yama/ptrace_scope', 'latin1').trim() === '0';
if (!mayTrace) leftOutForWantOf(tap, 'root, to look at the sockets of another process');

const [idleS, intervalS, count] = ['time', 'intvl', 'probes'].map((name) =>
  Number(readFileSync(`/proc/sys/net/ipv4/tcp_keepalive_${name}`, 'latin1')),
);
const HBA = 'host all all all trust\n';

interface KeepAlive {
  readonly idleS: number | undefined;
  readonly intervalS: number | undefined;
  readonly count: number | undefined;
}

/** The client's connection and the upstream's. */
async function bothSides(gate: Gate, upstreamPort: number): Promise<readonly object[]> {
  const sockets = await socketOptions(gate.pid);
  return [
    sockets.filter(({ local }) => local === gate.port),
    sockets.filter(({ peer }) => peer === upstreamPort),
  ].map((side) => side.map(({ local: _local, peer: _peer, ...options }) => options));
}

function expected(values: KeepAlive): readonly object[] {
  return [[{ keepAlive: 1, ...values }], [{ keepAlive: 1, ...values }]];
}

const table: readonly (readonly [config: Readonly<Record<string, string | number>>, values: KeepAlive])[] = [
  [{}, { idleS: 60, intervalS, count }],
  [
    { tcp_keepalives_idle: 0, tcp_keepalives_interval: 0, tcp_keepalives_count: 0 },
    { idleS, intervalS, count },
  ],
  [
    { tcp_keepalives_idle: '2min', tcp_keepalives_interval: '20s', tcp_keepalives_count: 4 },
    { idleS: 120, intervalS: 20, count: 4 },
  ],
  [
    { tcp_keepalives_idle: 0, tcp_keepalives_interval: 7 },
    { idleS, intervalS: 7, count },
  ],
];
for (const [config, values] of table) {
  await test(JSON.stringify(config), async (t) => {
    const upstream = await scriptedUpstream(t, scripts.trust);
    const gate = await startGate(t, { hba: HBA, upstream, config });
    const client = await connectRaw(t, gate.port);
    t.equal((await client.login({ user: 'u', database: 'd' })).error, null);
    t.strictSame(await bothSides(gate, upstream.port), expected(values));
  });
}

await test('a reload changes the connections that are open, and back', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: HBA, upstream });
  const client = await connectRaw(t, gate.port);
  await client.login({ user: 'u', database: 'd' });
  const before = readFileSync(gate.path('gatehouse.yaml'), 'utf8');
  for (const [lines, values] of [
    [
      'tcp_keepalives_idle: 30\ntcp_keepalives_interval: 3\ntcp_keepalives_count: 5\n',
      { idleS: 30, intervalS: 3, count: 5 },
    ],
    ['tcp_keepalives_idle: 0\n', { idleS, intervalS, count }],
  ] as const) {
    gate.rewrite('gatehouse.yaml', `${before}${lines}`);
    t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
    t.strictSame(await bothSides(gate, upstream.port), expected(values), lines);
  }
});

await test('a Node that cannot set all three leaves the connection to the system', async (t) => {
  const calls: unknown[][] = [];
  const older = {
    setKeepAlive: (enable?: boolean, initialDelay?: number) => {
      calls.push([enable, initialDelay]);
    },
  };
  keepAlive(older, { tcp_keepalives_idle: 60_000, tcp_keepalives_interval: 0, tcp_keepalives_count: 0 });
  t.strictSame(calls, [[true, 0]], 'on, and without an interval of one second');
});
