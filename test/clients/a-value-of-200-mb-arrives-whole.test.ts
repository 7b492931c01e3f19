// One value as large as few applications have, through the gate in one message each way.

import { createHash, randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { compatibility } from '../support/pages/compatibility.ts';
import { behindGate } from './behind-gate.ts';

const page = compatibility(import.meta.url);
const VALUE_BYTES = 200_000_000;

await page.row(
  {
    client: 'node-postgres 8',
    server: 'PostgreSQL 18',
    ran: 'one value of 200 MB, as a parameter and back as a result',
  },
  {},
  async (t) => {
    const { gate, alice } = await behindGate(t);
    const client = new Client({
      host: '127.0.0.1',
      port: gate.port,
      database: 'postgres',
      user: 'alice',
      ssl: { ca: gate.authority.cert, servername: 'localhost', cert: alice.cert, key: alice.key },
    });
    await client.connect();
    try {
      const value = randomBytes(VALUE_BYTES / 2).toString('hex');
      const { rows } = await client.query<{ v: string; md5: string }>(
        'select $1::text as v, md5($1::text) as md5',
        [value],
      );
      t.equal(rows[0]?.md5, createHash('md5').update(value).digest('hex'), 'the server got it whole');
      t.ok(rows[0]?.v === value, 'and the client');
    } finally {
      await client.end();
    }
  },
);

await page.complete();
