// POST /reload?dry_run=true and `reload --dry-run` (contract §17), with one process and with two workers: what a reload
// would do, whom it would no longer admit and by which line; and the state in force is as before.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'tap';
import { portOf } from '../support/run/free-port.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { connectRaw, type RawClient } from '../support/peers/raw-client.ts';
import { runProgram } from '../support/run/program.ts';
import type { Scope } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { gateWithSessions } from '../workers/workers.ts';
import { judgements, reloaded } from './clients.ts';

interface Running {
  readonly gate: Gate;
  readonly clients: readonly RawClient[];
}

async function oneProcess(t: Scope): Promise<Running> {
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: await scriptedUpstream(t, scripts.trust),
    config: { reload: { watch: 'off' } },
  });
  const client = await connectRaw(t, gate.port);
  await client.login({ user: 'u' });
  return { gate, clients: [client] };
}

/** The lines of a scrape that a reload changes. */
function reloads(text: string): readonly string[] {
  return text.split('\n').filter((line) => /^gatehouse_(?:reload|config_info)/.test(line));
}

async function dryRun(gate: Gate) {
  const { status, body } = await gate.admin('/reload?dry_run=true', { method: 'POST' });
  const report: Record<string, unknown> = JSON.parse(body);
  return { status, report };
}

for (const [name, start] of [
  ['one process', oneProcess],
  ['two workers', async (t: Scope) => await gateWithSessions(t)],
] as const) {
  await test(name, async (t) => {
    const { gate, clients } = await start(t);
    const other = await connectRaw(t, gate.port);
    await other.login({ user: 'other' });
    const before = (await gate.metrics()).text;

    const unchanged = await dryRun(gate);
    t.strictSame([unchanged.report['changed'], unchanged.report['sessions']], [[], []]);
    t.match(unchanged, {
      status: 200,
      report: { ok: true, dry_run: true, changed: [], sessions: [], sessions_total: clients.length + 1 },
    });

    // A line that refuses, a setting that changes, and a part that does not load.
    const yaml = gate.path('gatehouse.yaml');
    gate.rewrite('pg_hba.conf', 'host all u all reject\nhost all all all trust\n');
    gate.rewrite('pg_ident.conf', 'm /( x\n');
    const { status, report } = await dryRun(gate);
    t.equal(status, 422);
    t.match(report, {
      ok: false,
      dry_run: true,
      reloaded: ['settings', 'tls', 'rules'],
      changed: ['rules'],
      errors: [{ file: gate.path('pg_ident.conf'), line: 1 }],
      sessions_total: clients.length + 1,
      sessions_action: 'keep',
    });
    const refused = Array.isArray(report['sessions']) ? report['sessions'] : [];
    t.equal(refused.length, clients.length, 'every session of the user, of whatever process');
    for (const row of refused) {
      t.match(row, {
        user: 'u',
        judgement: 'no-longer-admitted',
        reason: /pg_hba.conf rejects connection for host "127.0.0.1", user "u"/,
        file: gate.path('pg_hba.conf'),
        line: 1,
      });
    }

    const printed = await runProgram(['reload', '--dry-run', '--config', yaml, '--admin', gate.adminUrl]);
    t.equal(printed.code, 1);
    t.match(printed.stdout, `${gate.path('pg_ident.conf')}:1: `);
    t.match(printed.stdout, /^would be reloaded: settings, tls, rules$/m);
    t.match(printed.stdout, /^would change: rules$/m);
    t.match(
      printed.stdout,
      /^session \S+ of u from 127\.0\.0\.1 would no longer be admitted: pg_hba\.conf rejects .* \(.*pg_hba\.conf:1\)$/m,
    );
    t.match(
      printed.stdout,
      `${clients.length} of ${clients.length + 1} sessions would no longer be admitted; reload.sessions says that they would go on\n`,
    );

    // Nothing of it has happened.
    t.strictSame(judgements(await gate.sessions()), { u: 'admitted', other: 'admitted' });
    t.equal((await gate.admin('/readyz')).body, '{"ready":true,"reasons":[]}');
    t.match((await gate.admin('/rules')).body, '"line":1,"rule":"host all all all trust"');
    t.strictSame(reloads((await gate.metrics()).text), reloads(before));
    const again = await connectRaw(t, gate.port);
    await again.login({ user: 'u' });
    t.equal(gate.log.filter(({ msg }) => /reload/.test(msg)).length, 0);

    // What it has said comes about.
    gate.rewrite('pg_ident.conf', '');
    t.match(await reloaded(gate), { ok: true });
    const late = await connectRaw(t, gate.port);
    await late.login({ user: 'u' }).catch(() => undefined);
    await gate.waitForLog({ code: 'hba-reject' });
  });
}

await test('a parameter that is not understood reloads nothing', async (t) => {
  const { gate } = await oneProcess(t);
  for (const query of [
    '?dryrun=true',
    '?dry_run=',
    '?dry_run=maybe',
    '?dry_run=true&dry_run=false',
    '?dry_run=on&x=1',
  ])
    t.equal((await gate.admin(`/reload${query}`, { method: 'POST' })).status, 400, query);
  t.equal(gate.log.filter(({ msg }) => /reload/.test(msg)).length, 0);
  t.equal((await gate.admin('/reload?dry_run=off', { method: 'POST' })).status, 200);
  await gate.waitForLog({ msg: 'reloading configuration files' });
});

await test('a gate that knows no dry run is not asked for one', async (t) => {
  const asked: string[] = [];
  const older = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(request.method === 'POST' ? 200 : 404).end('{"ok":true,"reloaded":[]}');
  });
  older.listen(0, '127.0.0.1');
  await once(older, 'listening');
  t.teardown(() => older.close());
  const url = `http://127.0.0.1:${portOf(older)}`;
  const { code, stderr } = await runProgram(['reload', '--dry-run', '--admin', url]);
  t.strictSame([code, stderr], [1, 'pg-gatehouse: this gate is older than dry runs, and would reload\n']);
  t.notOk(
    asked.some((each) => each.startsWith('POST')),
    'it has not reloaded',
  );
});
