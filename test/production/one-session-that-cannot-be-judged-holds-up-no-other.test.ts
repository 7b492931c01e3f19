// A socket that dies while a reload judges its session, and rules that fail for one session: the others are judged.

import { test } from 'tap';
import { chainOf } from '../../src/tls/judge/presented-chain.ts';
import { gateInProcess, judged } from './in-process.ts';

await test('a dying socket says nothing for the other sessions of its certificate', async (t) => {
  const { authority, enter, changed, judge } = await gateInProcess(t, 'hostssl all all all cert\n');
  const credentials = authority.client('alice');
  const dying = await enter(credentials, 'alice');
  const other = await enter(credentials, 'alice');
  const snapshot = await changed({ 'ca.crl': authority.crl({ revoked: [credentials] }) });
  dying.tls?.socket.destroy();
  judge(snapshot);
  await judged(other, 'no-longer-admitted');
  t.match(other.judgement, { reason: 'client certificate verification failed: certificate revoked' });
});

await test('a certificate that cannot be judged spares nobody whom a rule refuses', async (t) => {
  const { authority, enter, changed, judge } = await gateInProcess(t, 'hostssl all all all cert\n');
  const session = await enter(authority.client('alice'), 'alice');
  const other = await enter(authority.client('bob'), 'bob');
  const chain = chainOf([Buffer.from('no certificate')]);
  for (const one of [session, other]) Object.assign(one, { tls: { ...one.tls, chain } });
  judge(await changed({ 'pg_hba.conf': 'hostssl all bob all cert\n' }));
  await judged(session, 'no-longer-admitted');
  await judged(other, 'not-judged');
});

await test('rules that fail for one session judge the others', async (t) => {
  const hba = 'hostssl all all samehost cert\n';
  const { authority, enter, changed, judge } = await gateInProcess(t, hba);
  const failing = await enter(authority.client('alice'), 'alice');
  const other = await enter(authority.client('bob'), 'bob');
  // The interfaces of this machine cannot be read for one of them.
  const facts = {
    ...failing.facts,
    interfaces: () => {
      throw new Error('no interfaces');
    },
  };
  Object.assign(failing, { facts });
  judge(await changed({ 'pg_hba.conf': `hostssl all bob all reject\n${hba}` }));
  await judged(other, 'no-longer-admitted');
  await judged(failing, 'not-judged');
  t.strictSame(failing.judgement, { kind: 'not-judged', reason: 'no interfaces' });
});
