// Lifecycle lines of the gate in its own words: a reload names what is new, a drain how many sessions it waits for and
// until when, and nothing says that a database that runs is shut down. `connection authorized` has the fields of the
// closing line, and no id is given twice, in another worker or after a restart (contract §17).

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { openSession } from '../session/clients.ts';

const HBA = 'host all all 127.0.0.1/32 trust\nhost all bob 10.0.0.0/8 reject\n';

await test('what a reload has changed', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: HBA,
    ident: 'm a b\n',
    upstream,
    config: { reload: { watch: 'off' } },
  });
  const yaml = readFileSync(gate.path('gatehouse.yaml'), 'utf8');
  const reloaded = async (): Promise<string> => {
    const from = gate.logLength();
    await gate.admin('/reload', { method: 'POST' });
    return (await gate.waitForLog({ msg: /^reloaded: / }, { from })).msg;
  };
  t.equal(await reloaded(), 'reloaded: nothing has changed');

  gate.rewrite('pg_hba.conf', `${HBA}host all carol 10.0.0.0/8 reject\n`);
  t.equal(await reloaded(), 'reloaded: rules (pg_hba.conf: 3 lines, 1 new)');
  gate.rewrite('pg_hba.conf', `# a comment\n${HBA.replace('bob', 'dave')}`);
  t.equal(await reloaded(), 'reloaded: rules (pg_hba.conf: 2 lines, 1 new, 2 gone)');

  gate.rewrite('gatehouse.yaml', `${yaml}max_connections: 5\nlog_disconnections: off\n`);
  gate.rewrite('pg_ident.conf', 'm a b\nm c d\n');
  t.equal(
    await reloaded(),
    'reloaded: settings (max_connections, log_disconnections), maps (pg_ident.conf: 2 lines)',
  );

  const server = gate.authority.server();
  gate.rewrite('server.crt', server.cert);
  gate.rewrite('server.key', server.key);
  gate.rewrite('pg_hba.conf', 'host all all all certt\n');
  t.equal(await reloaded(), 'reloaded: tls (server.crt, server.key)', 'a part that failed is not among them');
  t.ok(gate.log.some(({ msg }) => msg.endsWith('pg_hba.conf was not reloaded')));
});

await test('reloads that are asked for at once', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: HBA, upstream, config: { reload: { watch: 'off' } } });
  gate.rewrite('pg_hba.conf', `${HBA}host all carol 10.0.0.0/8 reject\n`);
  const asked = await Promise.all(
    [1, 2, 3, 4].map(async () => await gate.admin('/reload', { method: 'POST' })),
  );
  t.strictSame(
    asked.map(({ status }) => status),
    [200, 200, 200, 200],
  );
  // The answers to this come later than the lines, which another descriptor brings.
  const counted = (await gate.metrics()).value('reload_total', { result: 'success' });
  await gate.waitForLog({ msg: /^reloaded: rules / });
  const said = gate.log.map(({ msg }) => msg).filter((msg) => msg.startsWith('reloaded: '));
  const news = said.filter((msg) => msg !== 'reloaded: nothing has changed');
  t.strictSame(news, ['reloaded: rules (pg_hba.conf: 3 lines, 1 new)'], 'what is new is said once');
  t.equal(counted, said.length, 'each load is counted once');
  t.ok(counted < asked.length, 'those who wait share one');
});

await test('what a drain waits for', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  for (const workers of [1, 2]) {
    const gate = await startGate(t, { hba: HBA, upstream, config: { workers, shutdown_timeout: '1h' } });
    const { client } = await openSession(t, gate);
    const authorized = await gate.waitForLog({ msg: /^connection authorized: / });
    t.match(authorized, {
      id: /^\d+-[a-p]{12}-1$/,
      host: '127.0.0.1',
      port: client.raw.localPort,
      user: 'alice',
      database: 'alice',
      rule: `${gate.path('pg_hba.conf')}:1`,
    });
    const begun = Date.now();
    gate.signal('SIGTERM');
    const line = await gate.waitForLog({ msg: /^draining: 1 session, until \d\d:\d\d:\d\d$/ });
    const written = Date.parse(String(line['time']));
    const untils: string[] = [];
    for (let at = begun - (begun % 1000); at <= written; at += 1000)
      untils.push(new Date(at + 3_600_000).toISOString().slice(11, 19));
    t.ok(
      untils.some((time) => line.msg.endsWith(time)),
      'an hour from then, which is between the signal and its line',
    );
    client.destroy();
    await gate.exited;
    t.equal(gate.log.at(-1)?.msg, 'stopped');
    t.notOk(gate.stdout.includes('database system'), 'the database goes on');
  }
});

/** Of the processes that gave these ids. */
function namesOf(ids: readonly string[]): ReadonlySet<string | undefined> {
  return new Set(ids.map((id) => id.split('-')[1]));
}

await test('an id is given once', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  // The kernel chooses a connection's worker by its port: twelve may all get the same one, a hundred never do.
  const idsOf = async (gate: Gate, workers: number): Promise<readonly string[]> => {
    const ids: string[] = [];
    while (ids.length < 12 || (namesOf(ids).size < workers && ids.length < 100)) {
      const from = gate.logLength();
      const client = await connectRaw(t, gate.port);
      await client.login({ user: 'alice' });
      const { localPort: port } = client.raw;
      const received = await gate.waitForLog(
        ({ msg }) => msg.startsWith('connection received') && msg.endsWith(` port=${port}`),
        { from },
      );
      ids.push(String(received['id']));
      client.destroy();
    }
    return ids;
  };
  const first = await startGate(t, { hba: HBA, upstream, config: { workers: 2 } });
  const ids = [...(await idsOf(first, 2))];
  await first.stop();
  ids.push(...(await idsOf(await startGate(t, { hba: HBA, upstream }), 1)));
  t.equal(new Set(ids).size, ids.length);
  t.equal(namesOf(ids).size, 3, 'each process has a name that no other had');
});
