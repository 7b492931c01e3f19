// A session was decided on by the host name of its address, or by the failure of that look-up. A reload asks again, as for
// a client that comes: the address may have another name by then, and a resolver that failed may answer.

import { test } from 'tap';
import { gateInProcess, judged } from './in-process.ts';

await test('a reload judges by the name that an address has now', async (t) => {
  const { authority, enter, changed, judge } = await gateInProcess(t, 'hostssl all all all cert\n');
  const renamed = await enter(authority.client('alice'), 'alice');
  const named = await enter(authority.client('bob'), 'bob');
  const { address } = renamed.facts;
  const forward = { state: 'resolved', addresses: [address] };
  Object.assign(renamed, {
    facts: { ...renamed.facts, hostName: { state: 'resolved', name: 'app.example', forward } },
  });
  Object.assign(named, {
    facts: { ...named.facts, hostName: { state: 'unresolvable', reason: 'Name or service not known' } },
    judgement: { kind: 'not-judged', reason: 'its name could not be looked up' },
  });
  judge(
    await changed({
      'pg_hba.conf': 'hostssl all alice app.example cert\nhostssl all bob localhost cert\n',
    }),
  );
  await judged(renamed, 'no-longer-admitted');
  await judged(named, 'admitted');
});
