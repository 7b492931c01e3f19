// \copy of 200 MB through the gate, both ways; the hash of what arrives is that of what was sent.

import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { compatibility } from '../support/pages/compatibility.ts';
import { psql } from '../support/peers/psql.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';
import { behindGate } from './behind-gate.ts';

const page = compatibility(import.meta.url);
const LONG_MS = 90_000;

await page.row(
  {
    client: 'psql 15, libpq 15',
    server: 'PostgreSQL 18',
    ran: '\\copy of 200 MB out and in: the same SHA-256',
  },
  needs('psql'),
  async (t) => {
    const { conninfo, direct } = await behindGate(t);
    const folder = temporaryDirectory(t);
    const out = join(folder, 'out');
    const made = String.raw`\copy (select n, repeat(md5(n::text), 6) from generate_series(1, 1000000) n) to '${out}'`;
    const exported = await psql(conninfo, ['-c', made], { timeoutMs: LONG_MS });
    t.equal(exported.code, 0, exported.stderr);
    t.ok(statSync(out).size > 195_000_000);
    const create = ['-c', 'create unlogged table t (n int, s text)'];
    const copyIn = ['-c', String.raw`\copy t from '${out}'`];
    const imported = await psql(conninfo, [...create, ...copyIn], { timeoutMs: LONG_MS });
    t.equal(imported.code, 0, imported.stderr);
    const back = join(folder, 'back');
    // Past the gate, so that a fault on the way in cannot be undone on the way out.
    await psql(direct, ['-c', String.raw`\copy (select * from t order by n) to '${back}'`], {
      timeoutMs: LONG_MS,
    });
    t.equal(await sha256(back), await sha256(out));
  },
);

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

await page.complete();
