// GET /refusals, `pg-gatehouse refusals` and the console's table have the last 200 refused or failed connections with
// the fields of their closing lines, whichever of two workers refused them, and after that worker has died (contract §17).

import { test } from 'tap';
import { errorResponse } from '../support/peers/messages.ts';
import { connectRaw, type RawClient } from '../support/peers/raw-client.ts';
import { psql } from '../support/peers/psql.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { isPlainObject } from '../support/run/gate-files.ts';
import { runProgram } from '../support/run/program.ts';
import type { Scope } from '../support/run/scope.ts';
import { needs } from '../support/run/tools.ts';
import { openClient } from '../session/clients.ts';
import { replaceEveryWorker } from './workers.ts';

const HBA = [
  'host gatehouse dba 127.0.0.1/32 trust',
  'host app loud 127.0.0.1/32 trust',
  'host all sesame 127.0.0.1/32 reject',
  'hostssl all holder 127.0.0.1/32 cert',
].join('\n');

/** Longer than any line of the log may be. */
const LONG = 'x'.repeat(20_000);

await test('the last refusals of all workers are kept', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    const { parameters } = await connection.readStartup();
    if (parameters['user'] !== 'loud') return scripts.trust(connection);
    await connection.send(errorResponse({ S: 'FATAL', C: '3D000', M: LONG }));
  });
  const gate = await startGate(t, {
    hba: `${HBA}\n`,
    upstream,
    config: { workers: 2, admin_users: ['dba'], reload: { watch: 'off' } },
  });

  await t.test('a row has the fields of its closing line', async (sub) => {
    const client = await openClient(sub, gate, { credentials: gate.authority.client('somebody') });
    const { error } = await client.login({ user: 'holder', database: 'app' });
    sub.match(error, { C: '28000' });
    const line = await gate.waitForLog({ code: 'client-cert-name-mismatch' });
    const [row] = await refusals(gate);
    const { time: _, pid: __, ...logged } = line;
    sub.match(row, logged);
    sub.match(row, { user: 'holder', database: 'app', host: '127.0.0.1', port: client.raw.localPort });
    sub.match(row, { certificate: { subject: 'CN=somebody' }, rule: `${gate.path('pg_hba.conf')}:4` });
    sub.ok(Math.abs(Date.parse(String(row?.['time'])) - Date.parse(String(line['time']))) < 1000);
  });

  await t.test('a row is no longer than a line of the log, whatever made it long', async (sub) => {
    const client = await connectRaw(sub, gate.port);
    await client.login({ user: 'loud', database: 'app' });
    const [row] = await refusals(gate);
    sub.match(row, { code: 'upstream-refused', user: 'loud' });
    sub.ok(Buffer.byteLength(JSON.stringify(row)) <= 4096, `${JSON.stringify(row).length} characters`);
  });

  await t.test('a health check pushes nothing out', async (sub) => {
    const before = await refusals(gate);
    const probe = await connectRaw(sub, gate.port);
    probe.halfClose();
    await probe.expectClosed();
    sub.strictSame(await refusals(gate), before);
  });

  await t.test('the newest 200 are there, from both workers', async (sub) => {
    const from = gate.logLength();
    for (let count = 0; count < 230; count++) {
      await refuse(sub, gate, `guest${count}`);
      // The first process keeps them as it is told of them, and this has each worker tell it: the next refusal may be
      // the other worker's.
      await refusals(gate);
    }
    const rows = await refusals(gate);
    sub.equal(rows.length, 200);
    sub.equal(rows[0]?.['user'], 'guest229');
    sub.equal(rows.at(-1)?.['user'], 'guest30');
    const processes = new Set(rows.map(({ id }) => String(id).split('-')[0]));
    sub.equal(processes.size, 2, 'the kernel has spread them over both workers');
    sub.ok(gate.logLength() > from);
  });

  await t.test('they are on the command line', async (sub) => {
    await refuse(sub, gate, 'sesame\u001b[2J');
    const text = await runProgram(['refusals', '--admin', gate.adminUrl]);
    sub.equal(text.code, 0);
    sub.match(text.stdout, /^TIME +CODE +CLIENT +USER +DATABASE +RULE +MESSAGE\n/);
    sub.match(text.stdout, /\n[0-9-]{10}T\S+ +hba-no-entry +127\.0\.0\.1 port \d+ +guest229 +app +no pg_hba/);
    sub.match(text.stdout, /\n.*sesame\\u\{1b\}\[2J .*\n\(200 refusals\)\n$/, 'the newest is the last');
    sub.notMatch(text.stdout, '\u001b');
    const json = await runProgram(['refusals', '--admin', gate.adminUrl, '--json']);
    sub.strictSame(JSON.parse(json.stdout), await refusals(gate));
  });

  await t.test('and on the console', needs('psql'), async (sub) => {
    const conninfo = {
      host: '127.0.0.1',
      port: gate.port,
      user: 'dba',
      dbname: 'gatehouse',
      sslmode: 'disable',
    };
    const query = "select count(*), min(code), max(client_addr) from refusals where database = 'app'";
    sub.equal((await psql(conninfo, ['-Atc', query])).stdout.trim(), '200|hba-no-entry|127.0.0.1');
    sub.match(
      (await psql(conninfo, ['-Atc', 'show refusals'])).stdout,
      /\|hba-no-entry\|.*\|guest229\|app\|/,
    );
  });

  await t.test('they outlive their workers, whose own end is one of them', async (sub) => {
    await replaceEveryWorker(gate);
    const rows = await refusals(gate);
    sub.match(rows.slice(0, 2), [{ code: 'worker-lost' }, { code: 'worker-lost' }]);
    sub.equal(rows[3]?.['user'], 'guest229');
  });
});

async function refuse(t: Scope, gate: Gate, user: string): Promise<RawClient> {
  const client = await connectRaw(t, gate.port);
  await client.login({ user, database: 'app' });
  client.destroy();
  return client;
}

async function refusals(gate: Gate): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { status, body } = await gate.admin('/refusals');
  const rows: unknown = JSON.parse(body);
  if (status !== 200 || !Array.isArray(rows)) throw new Error(`/refusals answered ${status}: ${body}`);
  return rows.filter(isPlainObject);
}
