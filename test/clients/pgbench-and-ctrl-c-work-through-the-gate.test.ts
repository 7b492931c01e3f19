// pgbench's clients work for a while without an error, and psql's Ctrl-C ends a query: its cancel request comes
// on a connection of its own, without TLS whatever the session uses.

import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { compatibility } from '../support/pages/compatibility.ts';
import { connectionString, runClient, startClient } from '../support/peers/psql.ts';
import { needs } from '../support/run/tools.ts';
import { within } from '../support/run/waiting.ts';
import { behindGate } from './behind-gate.ts';

const page = compatibility(import.meta.url);
/** Seconds of each pgbench run. 0 = a number of transactions instead, since a slow machine may do none in a second. */
const DURATION = Number(process.env['GATEHOUSE_PGBENCH_SECONDS'] ?? 0);
const LENGTH = DURATION > 0 ? ['-T', String(DURATION)] : ['-t', '50'];

await page.row(
  {
    client: 'pgbench 15',
    server: 'PostgreSQL 18',
    ran: '`-c 8`, read-only and read-write, with the simple, extended and prepared protocol: no failed transaction',
  },
  needs('pgbench'),
  async (t) => {
    const { env } = await behindGate(t);
    const initialised = await runClient('pgbench', ['-i', '-q', '-s', '1'], { env });
    t.equal(initialised.code, 0, initialised.stderr);
    for (const load of ['-S', '-N']) {
      for (const protocol of ['simple', 'extended', 'prepared']) {
        const args = [load, '-M', protocol, '-c', '8', '-j', '2', ...LENGTH, '-n'];
        const { code, stdout, stderr } = await runClient('pgbench', args, {
          env,
          timeoutMs: (DURATION + 90) * 1000,
        });
        t.equal(code, 0, `${load} ${protocol}: ${stderr}`);
        t.match(stdout, 'number of failed transactions: 0 (0.000%)');
        t.match(stdout, /number of transactions actually processed: [1-9]/);
        t.comment(`${load} ${protocol}: ${/tps = .*/.exec(stdout)?.[0] ?? ''}`);
      }
    }
  },
);

for (const libpq of [15, 18] as const) {
  await page.row(
    {
      client: `psql 15, libpq ${libpq}`,
      server: 'PostgreSQL 18',
      ran: 'Ctrl-C cancels `select pg_sleep(60)`',
    },
    needs('psql'),
    async (t) => {
      const { server, gate, conninfo } = await behindGate(t, {
        server: { settings: { log_statement: 'all' } },
      });
      const client = startClient(t, 'psql', ['-X', '-A', '-t', connectionString(conninfo)], { libpq });
      const ended = once(client, 'close');
      const output = Promise.all([text(client.stdout), text(client.stderr!)]);
      client.stdin.write('select pg_sleep(60);\n');
      await server.waitForLog(/statement: select pg_sleep\(60\)/);
      client.kill('SIGINT');
      client.stdin.end();
      await within(ended, 'psql to end');
      const [, stderr] = await output;
      t.equal(stderr, 'Cancel request sent\nERROR:  canceling statement due to user request\n');
      const metrics = await gate.metrics();
      t.equal(metrics.value('gatehouse_cancel_requests_total', { outcome: 'forwarded' }), 1);
    },
  );
}

await page.complete();
