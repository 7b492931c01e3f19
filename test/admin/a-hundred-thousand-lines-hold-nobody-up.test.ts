// A pg_hba.conf of 100,000 lines costs a scrape nothing, because lines that never decided have no series. GET /rules makes
// its rows piece by piece as its reader takes them, so that others are answered in between.

import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { test } from 'tap';
import { createAdminServer } from '../../src/admin/server.ts';
import { startGate } from '../support/run/gate.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { adminSettings, exampleGate } from './example-gate.ts';

const LINES = 100_000;

await test('only the line that has decided has a series, and every line is listed', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const lines = Array.from({ length: LINES - 1 }, (_, i) => `host db${i} u${i} 10.0.0.0/8 reject`);
  const gate = await startGate(t, { hba: [...lines, 'host all all all trust'].join('\n'), upstream });
  const client = await connectRaw(t, gate.port);
  t.equal((await client.login({ user: 'u', database: 'd' })).error, null);

  const { body } = await gate.admin('/metrics');
  const series = body.split('\n').filter((line) => line.startsWith('gatehouse_rule_hits_total{'));
  t.equal(series.length, 1);
  t.match(series[0], `line="${LINES}"`);

  const rows: { line: number; hits: number }[] = JSON.parse((await gate.admin('/rules')).body);
  t.equal(rows.length, LINES);
  t.match(rows[0], { line: 1, rule: 'host db0 u0 10.0.0.0/8 reject', hits: 0 });
  t.match(rows.at(-1), { line: LINES, rule: 'host all all all trust', hits: 1 });
  t.match((await gate.admin('/')).body, /The first 200 of 100,000 are shown/);
});

await test('rows are made as they are read, and others are answered meanwhile', async (t) => {
  let made = 0;
  // 30 MB altogether: more than the kernel's buffers of both ends take from a listener whose reader waits.
  const file = `/etc/${'x'.repeat(240)}/pg_hba.conf`;
  const row = { file, line: 1, rule: 'host all all all trust', hits: 0 };
  const counting = {
    ...row,
    toJSON: () => {
      made += 1;
      return row;
    },
  };
  const { view } = exampleGate([], { rules: async () => Array.from({ length: LINES }, () => counting) });
  const server = await createAdminServer(view, adminSettings('127.0.0.1:0'));
  t.teardown(async () => await server.close());

  const listing = await ask(`${server.url}/rules`);
  await once(listing, 'readable');
  const health = await ask(`${server.url}/healthz`);
  t.equal(health.statusCode, 200);
  health.resume();
  t.ok(made > 0 && made < LINES, `an answer came after ${made} of ${LINES} rows`);
  let text = '';
  for await (const piece of listing.setEncoding('utf8')) text += String(piece);
  t.equal(JSON.parse(text).length, LINES);
});

await test('no row at all is an empty list', async (t) => {
  const { view } = exampleGate([], { rules: async () => [] });
  const server = await createAdminServer(view, adminSettings('127.0.0.1:0'));
  t.teardown(async () => await server.close());
  const answer = await ask(`${server.url}/rules`);
  let text = '';
  for await (const piece of answer.setEncoding('utf8')) text += String(piece);
  t.equal(text, '[]');
});

async function ask(url: string): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    get(url, resolve).on('error', reject);
  });
}
