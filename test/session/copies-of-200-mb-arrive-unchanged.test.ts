// psql's \copy out of and into a table, through TLS, without it, and over the upstream's Unix socket: what arrives has
// the digest of what was sent, computed here without PostgreSQL.

import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { startPostgres, type PostgresServer } from '../support/servers/postgres.ts';
import { psql, type Conninfo } from '../support/peers/psql.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';
import { conninfo, plainConninfo } from './clients.ts';

/** Characters of a row, its newline not counted. */
const ROW_LENGTH = 1024;

/** Rows that all differ, so that none can be lost, doubled or swapped unnoticed. */
function* rows(count: number): Generator<string> {
  for (let row = 1; row <= count; row += 1) {
    yield `${createHash('md5')
      .update(String(row))
      .digest('hex')
      .repeat(ROW_LENGTH / 32)}\n`;
  }
}

/** How long one copy may take on a busy machine. */
const patience = { timeoutMs: 110_000 };

const SELECT_ROWS = (count: number): string =>
  `select repeat(md5(row::text), ${ROW_LENGTH / 32}) from generate_series(1, ${count}) row`;

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

interface Setting {
  readonly how: string;
  readonly megabytes: number;
  readonly hba: string;
  readonly unix: boolean;
}

const settings: readonly Setting[] = [
  { how: 'through TLS', megabytes: 200, hba: 'hostssl all all 127.0.0.1/32 cert map=m', unix: false },
  { how: 'without TLS', megabytes: 40, hba: 'hostnossl all all 127.0.0.1/32 trust', unix: false },
  { how: 'to a Unix socket', megabytes: 40, hba: 'hostssl all all 127.0.0.1/32 cert map=m', unix: true },
];

await test('\\copy', needs('psql'), async (copies) => {
  await using server = await startPostgres({ version: 15 });
  for (const setting of settings) {
    await copies.test(`${setting.megabytes} MB ${setting.how}`, async (t) => {
      const { host, port, socketDir } = server;
      const gate = await startGate(t, {
        hba: setting.hba,
        ident: 'm alice postgres\n',
        upstream: { host: setting.unix ? socketDir : host, port },
      });
      const how: Conninfo = setting.hba.startsWith('hostnossl')
        ? plainConninfo(gate)
        : conninfo(gate, gate.authority.client('alice'));
      const directory = temporaryDirectory(t);
      const count = (setting.megabytes * 1_000_000) / ROW_LENGTH;
      const file = join(directory, 'sent');
      await pipeline(Readable.from(rows(count)), createWriteStream(file));
      const expected = await digestOf(file);

      const out = join(directory, 'copied-out');
      const copiedOut = await psql(
        how,
        ['-c', String.raw`\copy (${SELECT_ROWS(count)}) to '${out}'`],
        patience,
      );
      t.equal(copiedOut.code, 0, copiedOut.stderr);
      t.equal(await digestOf(out), expected, 'out of the database');

      await server.query('drop table if exists arrived; create unlogged table arrived (line text)');
      const copiedIn = await psql(how, ['-c', String.raw`\copy arrived from '${file}'`], patience);
      t.equal(copiedIn.code, 0, copiedIn.stderr);
      t.equal(await digestOf(await copiedDirectly(server, directory)), expected, 'into the database');
      await gate.stop();
      const bytes = gate.log.find(({ msg }) => msg.startsWith('disconnection'));
      t.ok(
        Number(bytes?.['bytes_out']) > setting.megabytes * 1_000_000,
        'the line at the end counts the bytes',
      );
    });
  }
});

/** What the server has, past the gate. */
async function copiedDirectly(server: PostgresServer, directory: string): Promise<string> {
  const file = join(directory, 'read-directly');
  const { code, stderr } = await psql('', ['-c', String.raw`\copy arrived to '${file}'`], {
    env: server.psqlEnv,
    ...patience,
  });
  if (code !== 0) throw new Error(stderr);
  return file;
}
