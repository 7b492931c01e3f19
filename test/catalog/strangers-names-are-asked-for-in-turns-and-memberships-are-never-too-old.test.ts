// What bounds the questions to the catalogue: askers take turns, connections of one asker share a question that has not been
// sent, and memberships are asked for again before they are too old. With a clock of the test's own, and no server.

import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { FairQuestions } from '../../src/catalog/fair-questions.ts';
import { FreshRoles, type DatedMemberships } from '../../src/catalog/fresh-roles.ts';

await test('askers take turns, one question at a time', async (t) => {
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  const questions = new FairQuestions(async (user) => {
    asked.push(user);
    await new Promise<void>((resolve) => void answers.push(resolve));
    return `secret of ${user}`;
  });
  const flood = Array.from({ length: 1_200 }, (_, i) => questions.get(`name-${i}`, 'stranger'));
  const outcomes = Promise.allSettled(flood);
  const first = questions.get('alice', 'neighbour');
  const second = questions.get('alice', 'neighbour');
  const running = questions.get('name-0', 'neighbour');
  t.same(asked, ['name-0'], 'one is under way');
  const answer = async (): Promise<void> => {
    answers.shift()?.();
    await turn();
  };
  await answer();
  await answer();
  t.same(asked.slice(0, 3), ['name-0', 'name-1', 'alice'], 'the neighbour comes after one of the stranger');
  await answer();
  t.same(await Promise.all([first, second]), ['secret of alice', 'secret of alice'], 'one question for two');
  await answer();
  t.equal(asked[4], 'name-0', 'a question that was under way is asked again for who came later');
  await answer();
  t.equal(await running, 'secret of name-0');
  const again = questions.get('alice', 'neighbour');
  while (asked.filter((user) => user === 'alice').length < 2) await answer();
  await answer();
  t.equal(await again, 'secret of alice', 'nothing is kept');
  while (answers.length > 0) await answer();
  const refused = (await outcomes).filter(({ status }) => status === 'rejected').length;
  t.ok(refused >= 200 && refused < 210, `${refused} of the flood were too many, and nobody else`);
});

await test('a failing question fails its own asker alone', async (t) => {
  const questions = new FairQuestions(async (user) => {
    await turn();
    if (user === 'bad') throw new Error('no');
    return '';
  });
  const [bad, good] = await Promise.allSettled([questions.get('bad', 'a'), questions.get('good', 'a')]);
  t.match([bad, good], [{ status: 'rejected' }, { status: 'fulfilled', value: '' }]);
});

await test('no decision goes by memberships of more than ten seconds', async (t) => {
  let now = 1_000_000;
  let asks = 0;
  let fails = false;
  const roles = new FreshRoles(
    async (): Promise<DatedMemberships> => {
      asks++;
      await turn();
      if (fails) throw new Error('down');
      return { roles: new Map(), version: 'same', askedAt: now };
    },
    () => now,
  );
  const [one, two] = await Promise.all([roles.get(), roles.get()]);
  t.equal(asks, 1, 'decisions at one time ask once');
  t.equal(one.roles, two.roles);
  for (let second = 0; second < 60; second++) {
    now += 500;
    const { askedAt, roles: found } = await roles.get();
    t.ok(now - askedAt < 10_000, `${now - askedAt} ms old`);
    t.equal(found, one.roles, 'the same memberships stay the same object');
    await turn();
    await turn();
  }
  t.ok(asks > 5 && asks < 20, `asked ${asks} times in half a minute`);
  now += 9_000;
  const before = asks;
  t.equal((await roles.get()).askedAt, now, 'after a pause the decision waits');
  t.equal(asks, before + 1);

  fails = true;
  now += 5_000;
  t.ok((await roles.get()).askedAt < now, 'an answer of 5 s ago still counts while the server is down');
  await turn();
  await turn();
  now += 4_000;
  await t.rejects(roles.get(), /down/, 'one of 9 s ago does not');
  fails = false;
  const { askedAt } = await roles.get();
  t.equal(askedAt, now);
  roles.clear();
  const cleared = asks;
  await roles.get();
  t.equal(asks, cleared + 1, 'what was forgotten is asked for');
});
