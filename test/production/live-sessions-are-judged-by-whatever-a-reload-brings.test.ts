// A removed CA, a changed rule, a changed map, TLS now demanded, an outdated list: each is asked again of the sessions
// that run, and of nothing else than them.

import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { decodeErrorResponse } from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { openSession, until } from '../session/clients.ts';
import { answering, answers, judgements, reloaded, states } from './clients.ts';

const RULES = 'hostssl all alice all cert map=m\nhost all bob all trust\n';
const MAP = 'm alice-cert alice\n';

await test('what a reload takes away and gives back', async (t) => {
  const authority = testAuthority(t);
  const foreign = testAuthority(t, { cn: 'Another CA' });
  const gate = await startGate(t, {
    hba: RULES,
    ident: MAP,
    upstream: await scriptedUpstream(t, answering),
    authority,
    config: { reload: { watch: 'off' } },
  });
  const credentials = authority.client('alice-cert');
  const { client: alice } = await openSession(t, gate, { credentials, parameters: { user: 'alice' } });
  const { client: bob } = await openSession(t, gate, { tls: false, parameters: { user: 'bob' } });

  const table: readonly (readonly [file: string, content: string, user: string, objection: RegExp])[] = [
    [
      'ca.crt',
      foreign.cert,
      'alice',
      /certificate verification failed: self-signed certificate in certificate chain/,
    ],
    [
      'pg_hba.conf',
      `hostssl all all all cert map=m\n`,
      'bob',
      /no pg_hba.conf entry for host "127.0.0.1", user "bob"/,
    ],
    ['pg_hba.conf', `host all alice all reject\n${RULES}`, 'alice', /pg_hba.conf rejects connection/],
    ['pg_hba.conf', RULES.replace('host all bob', 'hostssl all bob'), 'bob', /no pg_hba.conf entry/],
    [
      'pg_ident.conf',
      'm somebody-else alice\n',
      'alice',
      /certificate authentication failed for user "alice"/,
    ],
  ];
  const original: Readonly<Record<string, string>> = {
    'ca.crt': authority.cert,
    'pg_hba.conf': RULES,
    'pg_ident.conf': MAP,
  };
  for (const [file, content, user, objection] of table) {
    const from = gate.logLength();
    gate.rewrite(file, content);
    t.match(await reloaded(gate), { ok: true });
    const line = await gate.waitForLog({ msg: /^session would no longer be admitted: / }, { from });
    t.match(line, { user, msg: objection });
    const rows = await gate.sessions();
    t.strictSame(states(rows), { alice: 'idle', bob: 'idle' });
    t.strictSame(judgements(rows), { alice: 'admitted', bob: 'admitted', [user]: 'no-longer-admitted' });
    t.match(
      rows.find((row) => row['user'] === user),
      { no_longer_admitted: true, judgement_reason: objection },
    );
    gate.rewrite(file, original[file] ?? '');
    await reloaded(gate);
    await untilAllPass(gate);
  }
  t.ok((await answers(alice)) && (await answers(bob)), 'reload.sessions is keep');
  t.equal(
    gate.log.filter(({ msg }) => msg.startsWith('session would')).length,
    table.length,
    'one line each',
  );
});

await test('terminate ends each of many once, within a few seconds', async (t) => {
  const count = 8;
  const gate = await startGate(t, {
    hba: RULES,
    upstream: await scriptedUpstream(t, answering),
    config: { reload: { watch: 'off', sessions: 'terminate' } },
  });
  const clients = [];
  for (let index = 0; index < count; index++) {
    clients.push((await openSession(t, gate, { tls: false, parameters: { user: 'bob' } })).client);
  }
  // Each waits for its end before there is one, so that the moment is known.
  const ends = clients.map(async (client) => {
    const [error] = (await client.readMessagesUntil('E', 60_000)).slice(-1);
    client.halfClose();
    return { sqlstate: decodeErrorResponse(error!)['C'], at: performance.now() };
  });
  gate.rewrite('pg_hba.conf', 'host all all all reject\n');
  await reloaded(gate);
  const ended = await Promise.all(ends);
  t.strictSame(
    ended.map(({ sqlstate }) => sqlstate),
    clients.map(() => '57P01'),
  );
  const times = ended.map(({ at }) => at);
  const overMs = Math.max(...times) - Math.min(...times);
  t.ok(overMs > 1000 && overMs < 10_000, `not all at one moment: over ${Math.round(overMs)} ms`);
  await until('none is left', async () => (await gate.sessions()).length === 0);
  // A session is gone from the list before its client has hung up, and its closing line is written after that.
  const lines = (): number => gate.log.filter(({ code }) => code === 'admin-terminated').length;
  await until('each has its closing line', async () => {
    // Asking the gate lets the test's own input come in.
    await gate.sessions();
    return lines() >= count;
  });
  t.equal(lines(), count, 'each ends once');
});

async function untilAllPass(gate: Gate): Promise<void> {
  await until(
    'every session passes',
    async () => (await gate.metrics()).value('sessions_no_longer_admitted') === 0,
  );
}
