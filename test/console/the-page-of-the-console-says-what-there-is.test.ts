// docs/console.md has every table and column with its type, and each of its twelve questions is answered.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { loadTable, tableNames } from '../../src/console/tables.ts';
import { psql } from '../support/peers/psql.ts';
import { needs } from '../support/run/tools.ts';
import { atConsole } from './at-console.ts';
import { emptyView } from './empty-view.ts';

const page = readFileSync(new URL('../../docs/console.md', import.meta.url), 'utf8');

await test('tables and columns', async (t) => {
  const described = page
    .slice(page.indexOf('## Tables'))
    .split('\n### ')
    .slice(1)
    .map((part) => ({
      name: part.slice(0, part.indexOf('\n')),
      columns: [...part.matchAll(/^\| `(\w+)` +\| (\w+)/gm)].map(([, name, type]) => ({ name, type })),
    }));
  const there = await Promise.all(
    tableNames.map(async (name) => ({ name, columns: (await loadTable(name, emptyView)).columns })),
  );
  t.strictSame(described, there);
});

await test('the twelve questions', needs('psql'), async (t) => {
  const { conninfo } = await atConsole(t, { upstream: null });
  const statements = [...page.matchAll(/```sql\n([^`]+);\n```/g)].map(([, statement = '']) => statement);
  t.equal(statements.length, 12);
  for (const statement of statements) {
    const { stderr, code } = await psql(conninfo('bob'), ['-c', statement]);
    t.equal(`${code}${stderr}`, '0', statement);
  }
});

await test('sessions has the columns of GET /sessions', async (t) => {
  const { gate, conninfo, server } = await atConsole(t);
  t.ok(server);
  const { Client } = await import('pg');
  const { certFile, keyFile } = {
    certFile: conninfo('alice')['sslcert'],
    keyFile: conninfo('alice')['sslkey'],
  };
  const client = new Client({
    host: '127.0.0.1',
    port: gate.port,
    user: 'alice',
    database: 'postgres',
    ssl: {
      ca: gate.authority.cert,
      servername: 'localhost',
      cert: readFileSync(String(certFile)),
      key: readFileSync(String(keyFile)),
    },
  });
  await client.connect();
  try {
    const [row = { id: '' }] = await gate.sessions();
    const { columns } = await loadTable('sessions', emptyView);
    const named = new Set(
      columns.map(({ name }) => name).flatMap((name) => (name.startsWith('rule_') ? ['rule'] : [name])),
    );
    t.strictSame(
      Object.keys(row).filter((name) => !named.has(name)),
      [],
    );
    t.match(row, { upstream_pid: Number });
  } finally {
    await client.end();
  }
});
