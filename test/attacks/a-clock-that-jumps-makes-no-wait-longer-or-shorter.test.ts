// The gate's clock is set years forward or back while somebody is waited for: how long a wait may take goes by the
// monotonic clock, so that nothing ends early or never. What the gate looks at from time to time it goes on looking at.

import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { Clock, DAY_MS, FAKETIME, SECOND_MS, YEAR_MS } from '../support/run/clock.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { connectRaw, startupMessage, type RawClient } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { needs } from '../support/run/tools.ts';
import { within } from '../support/run/waiting.ts';
import { openSession, until } from '../session/clients.ts';

/** How long each thing may last here. What comes before the end of a wait must be done in that time by a busy machine. */
const LIMIT_MS = 6 * SECOND_MS;

/** A timer may be so much too early by another process's reckoning. */
const TIMER_MS = 10;

/** Each wait that has an end: its code, its limit, and who begins it. */
const waits: readonly (readonly [
  code: string,
  limitMs: number,
  begin: (t: Scope, gate: Gate) => Promise<RawClient>,
])[] = [
  ['authentication-timeout', LIMIT_MS, async (t, gate) => await connectRaw(t, gate.port)],
  ['idle-session-timeout', LIMIT_MS, async (t, gate) => (await openSession(t, gate)).client],
  [
    'upstream-timeout',
    LIMIT_MS - SECOND_MS,
    async (t, gate) => {
      const client = await connectRaw(t, gate.port);
      await client.send(startupMessage({ user: 'nobody' }));
      return client;
    },
  ],
];

for (const [direction, offsetMs] of [
  ['forward', 2 * YEAR_MS],
  ['back', -2 * YEAR_MS],
] as const) {
  await test(`two years ${direction}: what may last a time lasts that time`, needs(FAKETIME), async (t) => {
    const clock = new Clock(t);
    const hba = 'host all all all trust\n';
    const gate = await startGate(t, {
      ...clock.gate,
      hba,
      upstream: await scriptedUpstream(t, async (connection) => {
        const { parameters } = await connection.readStartup();
        if (parameters['user'] === 'nobody') await connection.stall();
        else {
          await connection.acceptLogin();
          await connection.closed;
          connection.halfClose();
        }
      }),
      config: {
        authentication_timeout: `${LIMIT_MS}ms`,
        idle_session_timeout: `${LIMIT_MS}ms`,
        upstream: { connect_timeout: `${LIMIT_MS - SECOND_MS}ms` },
        shutdown_timeout: `${SECOND_MS}ms`,
        reload: { interval: '100ms' },
      },
    });
    const { client: passing } = await openSession(t, gate);
    const waiting = await Promise.all(
      waits.map(async ([code, limitMs, begin]) => {
        const begun = performance.now();
        return { code, limitMs, begun, client: await begin(t, gate) };
      }),
    );
    clock.move(offsetMs);
    passing.halfClose();
    t.match((await gate.waitForLog({ msg: /^disconnection: / })).msg, /session time: 0:00:\d\d/);

    for (const count of [1, 2]) {
      gate.rewrite('pg_hba.conf', `${hba}# change ${count}\n`);
      await until(
        'the change is noticed and loaded',
        async () => (await gate.metrics()).value('reload_total', { result: 'success' }) === count,
      );
    }
    const ready = await gate.admin('/readyz');
    t.equal(ready.status, direction === 'forward' ? 503 : 200, ready.body);
    for (const path of ['/', '/sessions', '/certificates'])
      t.equal((await gate.admin(path)).status, 200, path);

    await Promise.all(
      waiting.map(async ({ code, limitMs, begun, client }) => {
        // Has a deadline of its own: far from two years, and loose enough for a busy machine.
        await client.closed;
        const lastedMs = performance.now() - begun;
        t.ok(lastedMs > limitMs - TIMER_MS, `${code} after ${Math.round(lastedMs)} ms`);
        client.halfClose();
        await gate.waitForLog({ code });
      }),
    );
    const metrics = await gate.metrics();
    for (const name of ['session_seconds_sum', 'setup_seconds_sum', 'upstream_connect_seconds_sum']) {
      const seconds = metrics.value(name);
      t.ok(seconds > 0 && seconds < 60, `${name}: ${seconds}`);
    }
    t.equal(metrics.value('connections_total', { outcome: 'internal-error' }), 0);

    const { client: last } = await openSession(t, gate);
    const from = gate.logLength();
    const begun = performance.now();
    gate.signal('SIGTERM');
    await gate.waitForLog({ msg: /^draining: / }, { from });
    clock.move(0);
    await last.closed;
    const lastedMs = performance.now() - begun;
    t.ok(lastedMs > SECOND_MS - TIMER_MS, `a drain of ${Math.round(lastedMs)} ms`);
    last.halfClose();
    t.match(await within(gate.exited, 'the gate to end'), { code: 0 });
  });
}

await test('days pass: the log says what they have brought', needs(FAKETIME), async (t) => {
  const clock = new Clock(t, { timersToo: true });
  const authority = testAuthority(t);
  const gate = await startGate(t, {
    ...clock.gate,
    hba: 'host all all all trust\n',
    upstream: await scriptedUpstream(t, scripts.trust),
    authority,
    server: authority.server({ notBefore: clock.at(-90 * DAY_MS), notAfter: clock.at(30.5 * DAY_MS) }),
  });
  const said = /^server certificate "\/CN=localhost" /;
  t.notOk(
    gate.log.some(({ msg }) => said.test(msg)),
    'nothing to say at the start',
  );
  for (const [days, line] of [
    [1.1, { level: 'warn', msg: / expires on .*, in 29 days$/ }],
    [31, { level: 'error', msg: / has expired on / }],
  ] as const) {
    const from = gate.logLength();
    clock.set(days * DAY_MS);
    // The kernel's wait goes by its own clock; whatever ends it, the gate sees what time it is.
    t.equal((await gate.admin('/healthz')).status, 200);
    t.match(await gate.waitForLog({ msg: said }, { from }), line);
  }
});
