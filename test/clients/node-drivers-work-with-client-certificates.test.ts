// node-postgres and postgres.js with certificates in memory: queries, parameters, named statements, cursors,
// pipelining, LISTEN and COPY.

import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';
import { Client, Pool } from 'pg';
import postgres from 'postgres';
import { compatibility } from '../support/pages/compatibility.ts';
import type { Gate } from '../support/run/gate.ts';
import { within } from '../support/run/waiting.ts';
import { behindGate, type BehindGate } from './behind-gate.ts';

const page = compatibility(import.meta.url);
const SERVER = 'PostgreSQL 18';

function options({ gate, alice }: BehindGate, certificate = true) {
  return {
    host: '127.0.0.1',
    port: gate.port,
    database: 'postgres',
    user: 'alice',
    ssl: {
      ca: gate.authority.cert,
      servername: 'localhost',
      ...(certificate ? { cert: alice.cert, key: alice.key } : {}),
    },
  };
}

await page.row(
  {
    client: 'node-postgres 8',
    server: SERVER,
    ran: 'TLS with a client certificate; parameters, named statements, errors, LISTEN, a pool of 20; refused without certificate',
  },
  {},
  async (t) => {
    const behind = await behindGate(t);
    const client = new Client(options(behind));
    await client.connect();
    try {
      const typed = await client.query('select $1::int + 1 as n, $2::text as s', [41, 'ä']);
      t.strictSame(typed.rows, [{ n: 42, s: 'ä' }]);
      for (const n of [1, 2]) {
        const named = await client.query({ name: 'twice', text: 'select $1::int * 2 as n', values: [n] });
        t.strictSame(named.rows, [{ n: n * 2 }]);
      }
      await t.rejects(client.query('select 1/0'), { code: '22012', message: 'division by zero' });
      const queued = await Promise.all([1, 2, 3].map((n) => client.query('select $1::int as n', [n])));
      t.strictSame(
        queued.map(({ rows }) => rows),
        [1, 2, 3].map((n) => [{ n }]),
      );
      await client.query('listen news');
      const heard = once(client, 'notification');
      await behind.server.query(`notify news, 'extra'`);
      const [{ channel, payload }] = await within(heard, 'the notification');
      t.strictSame({ channel, payload }, { channel: 'news', payload: 'extra' });
    } finally {
      await client.end();
    }
    const pool = new Pool({ ...options(behind), max: 20 });
    try {
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, n) => pool.query<{ n: number }>('select $1::int as n', [n])),
      );
      t.strictSame(
        answers.map(({ rows }) => rows[0]?.n),
        Array.from({ length: 200 }, (_, n) => n),
      );
    } finally {
      await pool.end();
    }
    // Both have said goodbye; a server that stops before it has read that would answer with an error of its own.
    await sessionsEnded(behind.gate, 21);
    await t.rejects(new Client(options(behind, false)).connect(), {
      code: '28000',
      message: 'connection requires a valid client certificate',
    });
  },
);

await page.row(
  {
    client: 'postgres.js 3',
    server: SERVER,
    ran: 'TLS with a client certificate; pipelined queries, a cursor, a transaction that fails, LISTEN, COPY both ways; refused without certificate',
  },
  {},
  async (t) => {
    const behind = await behindGate(t);
    const sql = postgres({ ...options(behind), max: 4, onnotice: () => undefined });
    try {
      const answers = await Promise.all(Array.from({ length: 500 }, (_, n) => sql`select ${n}::int as n`));
      t.strictSame(
        answers.map(([row]) => row?.['n']),
        Array.from({ length: 500 }, (_, n) => n),
      );
      let rows = 0;
      await sql`select generate_series(1, 1000)`.cursor(100, (batch) => {
        rows += batch.length;
      });
      t.equal(rows, 1000);
      await sql`create table t (x int primary key)`;
      await t.rejects(
        sql.begin((tx) => [tx`insert into t values (1)`, tx`insert into t values (1)`]),
        { code: '23505' },
      );
      const lines = Array.from({ length: 1000 }, (_, n) => `${n}\n`).join('');
      await pipeline(Readable.from([lines]), await sql`copy t from stdin`.writable());
      t.equal(await text(await sql`copy (select * from t order by x) to stdout`.readable()), lines);
      const heard = Promise.withResolvers<string>();
      await sql.listen('news', heard.resolve);
      await sql.notify('news', 'extra');
      t.equal(await within(heard.promise, 'the notification'), 'extra');
    } finally {
      await sql.end();
    }
    const stranger = postgres({ ...options(behind, false), max: 1 });
    try {
      await t.rejects(stranger`select 1`.execute(), {
        code: '28000',
        message: 'connection requires a valid client certificate',
      });
    } finally {
      await stranger.end();
    }
  },
);

await page.complete();

/** Waits until the gate has logged the end of so many sessions. */
async function sessionsEnded(gate: Gate, count: number): Promise<void> {
  for (;;) {
    const from = gate.logLength();
    if (gate.log.filter(({ msg }) => msg.startsWith('disconnection:')).length >= count) return;
    await gate.waitForLog({ msg: /^disconnection:/ }, { from });
  }
}
