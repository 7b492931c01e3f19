// kill -9 of a worker: its sessions are gone and counted, the other worker's go on, a new worker takes its place.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw, type RawClient } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

await test('a worker that dies is replaced and its sessions are counted', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'host all all all trust\n', upstream, config: { workers: 2 } });
  const clients: RawClient[] = [];
  for (let index = 0; index < 10; index++) {
    const client = await connectRaw(t, gate.port);
    const { error } = await client.login({ user: 'u', database: 'd' });
    t.equal(error, null);
    clients.push(client);
  }
  const before = await gate.sessions();
  const victim = String(before[0]!.id).split('-')[0];
  const lost = before.filter(({ id }) => String(id).startsWith(`${victim}-`));
  const counted = await gate.metrics();
  const from = gate.logLength();
  process.kill(Number(victim), 'SIGKILL');
  const line = await gate.waitForLog({ code: 'worker-lost' }, { from });
  t.match(line, {
    level: 'error',
    sessions: lost.length,
    msg: `worker process (PID ${victim}) was terminated by signal SIGKILL`,
  });
  t.equal((await gate.sessions()).length, before.length - lost.length, "the other worker's sessions go on");
  const metrics = await gate.metrics();
  t.equal(metrics.value('gatehouse_connections_total', { outcome: 'worker-lost' }), lost.length);
  for (const name of ['rule_hits_total', 'connections_total', 'setup_seconds_count']) {
    const [now, then] = [metrics, counted].map((scrape) => scrape.value(`gatehouse_${name}`));
    t.ok(now! >= then!, `${name} never falls: ${then}, then ${now}`);
  }
  const rules: unknown = JSON.parse((await gate.admin('/rules')).body);
  t.match(rules, [{ hits: clients.length }], 'what the dead worker had counted is still there');

  // The new worker listens: clients are served by two processes again.
  await gate.waitForLog({ msg: /^worker started/ }, { from });
  const workers = new Set<string>();
  for (let index = 0; index < 40 && workers.size < 2; index++) {
    const client = await connectRaw(t, gate.port);
    const { error } = await client.login({ user: 'u', database: 'd' });
    t.equal(error, null);
    clients.push(client);
    for (const { id } of await gate.sessions()) workers.add(String(id).split('-')[0]!);
  }
  t.equal(workers.size, 2);
  t.notOk(workers.has(victim!));
  const [loaded, loadedBefore] = [await gate.metrics(), counted].map((scrape) =>
    scrape.value('reload_last_success_timestamp_seconds'),
  );
  t.ok(loaded! > 0);
  t.equal(loaded, loadedBefore, 'a new worker loads no configuration');

  const ended = gate.processes();
  gate.signal('SIGTERM');
  for (const client of clients) client.destroy();
  t.match(await gate.exited, { code: 0 });
  t.equal(ended.filter((pid) => isAlive(pid)).length, 0, 'no process is left');
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
