// `terminate` (contract §17) at a gate of two workers: by several ids, by user, those that a reload would no longer admit,
// and all; and a slip of the finger ends nobody.

import { test } from 'tap';
import { connectRaw, type RawClient } from '../support/peers/raw-client.ts';
import { runProgram, type Finished } from '../support/run/program.ts';
import { gateWithSessions } from '../workers/workers.ts';

async function ended(client: RawClient): Promise<boolean> {
  return (await client.readMessage()).body.includes('57P01');
}

await test('by ids, by user, no longer admitted, all', async (t) => {
  const { gate, clients } = await gateWithSessions(t);
  const terminate = async (...args: readonly string[]): Promise<Finished> =>
    await runProgram(['terminate', ...args, '--admin', gate.adminUrl]);
  const logIn = async (user: string): Promise<RawClient> => {
    const client = await connectRaw(t, gate.port);
    await client.login({ user });
    return client;
  };
  const users = async (): Promise<readonly string[]> =>
    (await gate.sessions()).map(({ user }) => String(user)).toSorted();

  const [ann, bob, carol, dan] = [
    await logIn('ann'),
    await logIn('bob'),
    await logIn('carol'),
    await logIn('dan'),
  ];
  const idOf = async (user: string): Promise<string> =>
    String((await gate.sessions()).find((row) => row['user'] === user)?.id);
  const [idOfAnn, idOfBob] = [await idOf('ann'), await idOf('bob')];

  for (const wrong of [
    [],
    [idOfAnn, '--all'],
    ['--all', '--user', 'ann'],
    ['--all', '--no-longer-admitted'],
  ]) {
    const { code, stderr } = await terminate(...wrong);
    t.equal(code, 2, wrong.join(' '));
    t.match(stderr, /^pg-gatehouse: /);
  }
  for (const query of [
    '',
    '?',
    '?all=false',
    '?all=true&user=ann',
    '?users=ann',
    '?user=ann&user=bob',
    '?no_longer_admitted=1',
  ])
    t.equal((await gate.admin(`/sessions${query}`, { method: 'DELETE' })).status, 400, query);
  const everybody = await users();
  t.equal(everybody.length, clients.length + 4, 'nobody was ended by any of these');

  const several = await terminate(idOfAnn, 'no-such', idOfBob);
  t.strictSame(several, {
    code: 1,
    signal: null,
    stdout: `session ${idOfAnn} was terminated\nsession ${idOfBob} was terminated\n`,
    stderr: 'pg-gatehouse: no such session: no-such\n',
  });
  t.ok((await ended(ann)) && (await ended(bob)));

  const nobody = await terminate('--user', 'ann');
  t.strictSame([nobody.code, nobody.stderr], [1, 'pg-gatehouse: no session matches\n']);
  const ofUser = await terminate('--user', 'u');
  t.strictSame([ofUser.code, ofUser.stdout], [0, `${clients.length} sessions were terminated\n`]);
  for (const client of clients) t.ok(await ended(client), 'each of both workers');

  const none = await terminate('--no-longer-admitted');
  t.strictSame([none.code, none.stderr], [1, 'pg-gatehouse: no session matches\n']);
  const late = await logIn('carol');
  gate.rewrite('pg_hba.conf', 'host all carol all reject\nhost all all all trust\n');
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
  for (let judged = 0; judged < 2;) {
    judged = (await gate.sessions()).filter((row) => row['no_longer_admitted'] === true).length;
  }
  t.equal((await terminate('--no-longer-admitted', '--user', 'dan')).code, 1, 'both must hold');
  const json = await terminate('--no-longer-admitted', '--json');
  t.equal(json.code, 0);
  const answer: { ok: boolean; terminated: string[] } = JSON.parse(json.stdout);
  t.strictSame([answer.ok, answer.terminated.length], [true, 2]);
  t.ok((await ended(carol)) && (await ended(late)));

  t.strictSame(await users(), ['dan']);
  const all = await terminate('--all');
  t.strictSame([all.code, all.stdout], [0, '1 session was terminated\n']);
  t.ok(await ended(dan));
  t.equal((await terminate('--all')).code, 1);
});
