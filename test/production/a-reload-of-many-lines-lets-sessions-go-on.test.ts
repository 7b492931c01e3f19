// A pg_hba.conf and a pg_ident.conf of 20,000 lines each are read again while a session runs: its bytes go back and forth
// many times before the reload is over, because the lines are parsed in slices of a few milliseconds.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';

const LINES = 20_000;
/** With slices there are some hundred. A reload in one go leaves a few, while the files themselves are read. */
const MIN_ROUND_TRIPS = 40;
const MAX_RELOADS = 5;

const rules = (round: number): string =>
  [
    ...Array.from(
      { length: LINES },
      (_, i) => `host db${i} u${i},v${round} 10.${i >> 8}.${i & 255}.0/24 reject`,
    ),
    'host all all all trust',
  ].join('\n');
const maps = (round: number): string =>
  Array.from({ length: LINES }, (_, i) => `m${round} /^user${i}$ u${i}`).join('\n');

await test('a session during reloads', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.readStartup();
    await connection.acceptLogin();
    for (;;) await connection.send(await connection.read(1));
  });
  const gate = await startGate(t, {
    hba: rules(0),
    ident: maps(0),
    upstream,
    config: { reload: { watch: 'off' } },
  });
  const client = await connectRaw(t, gate.port);
  t.equal((await client.login({ user: 'u', database: 'd' })).error, null);

  // A machine that is busy elsewhere gives the session fewer turns, so the best of several reloads counts.
  const counts: number[] = [];
  for (
    let round = 1;
    round <= 2 || (round <= MAX_RELOADS && Math.max(...counts) < MIN_ROUND_TRIPS);
    round += 1
  ) {
    writeFileSync(join(gate.directory, 'pg_hba.conf'), rules(round));
    writeFileSync(join(gate.directory, 'pg_ident.conf'), maps(round));
    const over = new AbortController();
    const reload = gate.admin('/reload', { method: 'POST', timeoutMs: 60_000 }).finally(() => over.abort());
    let roundTrips = 0;
    while (!over.signal.aborted) {
      await client.send(Buffer.from('x'));
      t.equal((await client.read(1)).toString(), 'x');
      roundTrips += 1;
    }
    t.equal((await reload).status, 200);
    t.comment(`${roundTrips} round trips in reload ${round}`);
    counts.push(roundTrips);
  }
  t.ok(Math.max(...counts) >= MIN_ROUND_TRIPS, `${counts.join(', ')} round trips`);
});
