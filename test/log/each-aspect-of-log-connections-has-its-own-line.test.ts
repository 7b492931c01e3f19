// log_connections with PostgreSQL 18's list: each word logs its own line of a connection and no other, `on` the three that
// it always meant, an empty list none (contract §2).

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { connectRaw, terminate } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

const RECEIPT = 'connection received';
const AUTHENTICATION = 'connection authenticated';
const AUTHORIZATION = 'connection authorized';
const READY = 'connection ready';

const VALUES: readonly (readonly [written: string, lines: readonly string[]])[] = [
  ['on', [RECEIPT, AUTHENTICATION, AUTHORIZATION]],
  ['off', []],
  ["''", []],
  ['receipt', [RECEIPT]],
  ['authentication', [AUTHENTICATION]],
  ['[authorization]', [AUTHORIZATION]],
  ['setup_durations', [READY]],
  ['Receipt, setup_durations', [RECEIPT, READY]],
  ['all', [RECEIPT, AUTHENTICATION, AUTHORIZATION, READY]],
];

await test('each value', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream,
    config: { ssl_renegotiation_limit: 0, admin_users: ['dba'], reload: { watch: 'off' } },
  });
  const yaml = readFileSync(gate.path('gatehouse.yaml'), 'utf8');
  for (const [written, lines] of VALUES) {
    await t.test(written, async (sub) => {
      gate.rewrite('gatehouse.yaml', `${yaml}log_connections: ${written}\n`);
      sub.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
      for (const database of ['app', 'gatehouse']) {
        sub.strictSame(await linesOf(sub, gate, database), lines, database);
      }
    });
  }

  const ready = gate.log.find(({ msg }) => msg.startsWith(READY));
  const [, total, fork, authentication] =
    /^connection ready: setup total=(\d+\.\d{3}) ms, fork=(\d+\.\d{3}) ms, authentication=(\d+\.\d{3}) ms$/.exec(
      ready?.msg ?? '',
    ) ?? [];
  t.ok(Number(fork) > 0, 'the dial has taken time');
  t.ok(Number(total) >= Number(fork) + Number(authentication), 'the whole is no less than its parts');
  t.match(
    gate.log.find(({ msg }) => msg.includes('ssl_renegotiation_limit')),
    { level: 'warn', hint: 'Delete the line.', file: gate.path('gatehouse.yaml') },
    'a retired setting is taken with a warning',
  );
});

await test('a walsender', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'host app,replication all all trust\n', upstream });
  for (const replication of ['database', 'true']) {
    const from = gate.logLength();
    const client = await connectRaw(t, gate.port);
    await client.login({ user: 'app', database: 'app', replication });
    const { msg } = await gate.waitForLog({ msg: /connection authorized: / }, { from });
    // PostgreSQL names no database, that of replication=database neither.
    t.equal(msg, 'replication connection authorized: user=app', `replication=${replication}`);
  }
});

/** The beginnings of the lines that one session has before its end. */
async function linesOf(t: Scope, gate: Gate, database: string): Promise<readonly string[]> {
  const from = gate.logLength();
  const client = await connectRaw(t, gate.port);
  await client.login({ user: 'dba', database });
  await client.send(terminate());
  client.halfClose();
  await client.expectClosed();
  const end = await gate.waitForLog({ msg: /^disconnection: / }, { from });
  return gate.log
    .slice(from)
    .filter(({ id, msg }) => id === end['id'] && msg.startsWith('connection '))
    .map(({ msg }) => /^connection \w+/.exec(msg)?.[0] ?? msg);
}
