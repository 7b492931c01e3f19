// Thousands of connections that come, ask one thing and go (GATEHOUSE_SHORT_CONNECTIONS; fewer in CI): each is served,
// and no session, upstream connection or file descriptor stays.

import { Client } from 'pg';
import { compatibility } from '../support/pages/compatibility.ts';
import { psql, runClient } from '../support/peers/psql.ts';
import { needs } from '../support/run/tools.ts';
import { PATIENCE_MS } from '../support/run/waiting.ts';
import { behindGate, type BehindGate } from './behind-gate.ts';

const page = compatibility(import.meta.url);
const CONNECTIONS = Number(process.env['GATEHOUSE_SHORT_CONNECTIONS'] ?? 500);
const AT_ONCE = 20;

await page.row(
  {
    client: 'node-postgres 8',
    server: 'PostgreSQL 18',
    ran: 'short connections, 20 at once: 500 in CI, 10,000 by GATEHOUSE_SHORT_CONNECTIONS=10000',
  },
  {},
  async (t) => {
    const behind = await behindGate(t, { config: { log_connections: 'off', log_disconnections: 'off' } });
    // The first ones open what stays open for good.
    await inParallel(AT_ONCE, async () => connectAndAsk(behind));
    await noSessions(behind);
    const descriptors = behind.gate.fdCount();
    const memory = behind.gate.rssBytes();
    const began = performance.now();
    const answers: number[] = [];
    await inParallel(AT_ONCE, async () => {
      for (let i = 0; i < CONNECTIONS / AT_ONCE; i += 1) answers.push(await connectAndAsk(behind));
    });
    const seconds = (performance.now() - began) / 1000;
    t.equal(answers.length, Math.ceil(CONNECTIONS / AT_ONCE) * AT_ONCE);
    t.ok(answers.every((answer) => answer === 1));
    await noSessions(behind, descriptors);
    const metrics = await behind.gate.metrics();
    t.equal(metrics.value('connections_total', { outcome: 'relayed' }), answers.length + AT_ONCE);
    const grown = (behind.gate.rssBytes() - memory) / 2 ** 20;
    t.comment(`${answers.length} in ${seconds.toFixed(1)} s, resident memory ${grown.toFixed(1)} MiB more`);
  },
);

await page.row(
  {
    client: 'pgbench 15',
    server: 'PostgreSQL 18',
    ran: '`-C`: a new connection for every transaction, 8 clients',
  },
  needs('pgbench', 'psql'),
  async (t) => {
    const { env, conninfo } = await behindGate(t);
    t.equal((await runClient('pgbench', ['-i', '-q', '-s', '1'], { env })).code, 0);
    const each = Math.ceil(CONNECTIONS / 8);
    const { code, stdout, stderr } = await runClient(
      'pgbench',
      ['-S', '-C', '-n', '-c', '8', '-j', '2', '-t', String(each)],
      { env, timeoutMs: 60_000 + CONNECTIONS * 20 },
    );
    t.equal(code, 0, stderr);
    t.match(stdout, `number of transactions actually processed: ${each * 8}/${each * 8}`);
    t.match(stdout, 'number of failed transactions: 0 (0.000%)');
    t.equal((await psql(conninfo, ['-c', 'select 1'])).stdout, '1\n');
  },
);

async function connectAndAsk({ gate, alice }: BehindGate): Promise<number> {
  const client = new Client({
    host: '127.0.0.1',
    port: gate.port,
    database: 'postgres',
    user: 'alice',
    ssl: { ca: gate.authority.cert, servername: 'localhost', cert: alice.cert, key: alice.key },
  });
  await client.connect();
  try {
    const { rows } = await client.query<{ one: number }>('select 1 as one');
    return rows[0]?.one ?? 0;
  } finally {
    await client.end();
  }
}

async function inParallel(count: number, run: () => Promise<unknown>): Promise<void> {
  await Promise.all(Array.from({ length: count }, run));
}

/**
 * Asks until the gate has no session, the server no backend of ours, and the gate no more descriptors than it may. Each
 * question goes there and back, so nobody waits idly.
 * @throws Error when something stays
 */
async function noSessions({ gate, server }: BehindGate, descriptors = Infinity): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  const ours = `select count(*)::int as n from pg_stat_activity where usename = 'alice'`;
  for (;;) {
    const [listed, [row]] = await Promise.all([gate.sessions(), server.query(ours)]);
    const left = { sessions: listed.length, backends: row?.['n'], descriptors: gate.fdCount() };
    if (left.sessions === 0 && left.backends === 0 && left.descriptors <= descriptors) return;
    if (performance.now() > deadline) {
      throw new Error(`still there: ${JSON.stringify(left)}, ${descriptors} descriptors before`);
    }
  }
}

await page.complete();
