// A second reload comes while the sessions are judged by the first. What the first has found by then neither marks nor
// ends anybody: the state in force may admit them.

import { test } from 'tap';
import { gateInProcess, judged } from './in-process.ts';

await test('a reload that another has overtaken says nothing of a session', async (t) => {
  const hba = 'hostssl all all all cert\n';
  const { authority, enter, changed, judge, logged } = await gateInProcess(t, hba);
  const alice = await enter(authority.client('alice'), 'alice');
  const bob = await enter(authority.client('bob'), 'bob');
  const mistaken = await changed({ 'pg_hba.conf': 'hostssl all all all reject\n' });
  const mended = await changed({ 'pg_hba.conf': `hostssl all bob all reject\n${hba}` });
  const { facts } = bob;
  // The second one comes once the rules of the first have refused alice, and before they have judged bob.
  Object.defineProperty(bob, 'facts', {
    get: () => {
      Object.defineProperty(bob, 'facts', { value: facts });
      judge(mended);
      return facts;
    },
    configurable: true,
  });
  judge(mistaken);
  await judged(bob, 'no-longer-admitted');
  t.equal(alice.judgement.kind, 'admitted');
  const warned = [...logged().matchAll(/"user":"([a-z]+)","msg":"session would no longer be admitted/g)];
  t.strictSame(
    warned.map(([, user]) => user),
    ['bob'],
  );
});
