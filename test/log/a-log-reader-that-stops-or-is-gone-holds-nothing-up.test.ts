// The reader of the log stops, or is gone: sessions go on, lines are dropped and counted, and the log says how many once
// it is read again (contract §7.36).

import { test } from 'tap';
import { openSession, until } from '../session/clients.ts';
import type { Gate } from '../support/run/gate.ts';
import { DROPPED, floodLog, goesOn, REFUSED_LINES, setUp, THROUGH_CAT } from './flood.ts';

for (const workers of [1, 2]) {
  void test(`a reader that stops, with ${workers} workers`, async (t) => {
    const { gate, client } = await setUp(t, THROUGH_CAT, { workers });
    const cat = Number((await gate.waitForLog({ msg: 'cat' }))['cat']);
    t.equal((await gate.metrics()).value(DROPPED), 0);
    process.kill(cat, 'SIGSTOP');
    const dropped = await floodLog(gate, client);
    t.ok(dropped > 0, `${dropped} lines were dropped`);
    t.match(
      gate.stderr,
      /^(pg-gatehouse: the log cannot be written, its lines are dropped: its reader does not read\n)+$/,
    );
    const { client: newcomer } = await openSession(t, gate);
    await goesOn(newcomer);
    process.kill(cat, 'SIGCONT');
    await gate.waitForLog({ msg: /^\d+ log lines were dropped: its reader does not read$/ });
    await until('every lost line is told of', async () => {
      const told = gate.log.reduce((sum, line) => sum + Number(line['dropped'] ?? 0), 0);
      return told === (await gate.metrics()).value(DROPPED);
    });
    t.doesNotThrow(() => parsed(gate), 'every line is whole');
    await gate.admin('/reload', { method: 'POST' });
    await gate.waitForLog({ msg: 'reloading configuration files' }, { from: gate.logLength() - 20 });
  });
}

for (const workers of [1, 2]) {
  void test(`a reader that is gone, with ${workers} workers`, async (t) => {
    const { gate, client } = await setUp(t, THROUGH_CAT, { workers });
    const cat = Number((await gate.waitForLog({ msg: 'cat' }))['cat']);
    process.kill(cat, 'SIGKILL');
    const before = await floodLog(gate, client);
    t.ok(before >= 2 * REFUSED_LINES, `${before} lines were dropped`);
    await openSession(t, gate);
    const after = (await gate.metrics()).value(DROPPED);
    t.ok(after >= before + 2, 'what the process that serves the client has dropped is counted too');
    t.match(
      gate.stderr,
      /^(pg-gatehouse: the log cannot be written, its lines are dropped: Broken pipe\n){1,3}$/,
    );
    gate.signal('SIGINT');
    t.match(await gate.exited, { code: 0 }, 'and it ends as told');
  });
}

/** @throws Error where a line is no JSON */
function parsed(gate: Gate): readonly unknown[] {
  return gate.stdout
    .split('\n')
    .slice(0, -1)
    .map((line): unknown => JSON.parse(line));
}
