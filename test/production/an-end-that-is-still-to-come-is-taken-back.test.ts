// Sessions that a reload ends go one by one over some seconds. A second reload that admits them again spares those that
// are still there.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import type { RawClient } from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { openSession, until } from '../session/clients.ts';
import { answering, answers, reloaded, states } from './clients.ts';

const RULES = 'host all all all trust\n';
const FEW = 6;
/** So many that the others have most of the seconds, in whichever worker they are, also on a machine that is slow. */
const MANY = 60;

async function several(
  name: string,
  count: number,
  enter: (user: string) => Promise<RawClient>,
): Promise<readonly RawClient[]> {
  const clients: RawClient[] = [];
  for (let index = 0; index < count; index++) clients.push(await enter(`${name}${index}`));
  return clients;
}

async function hangUpWhenTold(client: RawClient): Promise<void> {
  await client.readMessagesUntil('E', 60_000);
  client.halfClose();
}

for (const workers of [1, 2]) {
  await test(`with ${workers} of workers`, async (t) => {
    const gate = await startGate(t, {
      hba: RULES,
      upstream: await scriptedUpstream(t, answering),
      config: { workers, reload: { watch: 'off', sessions: 'terminate' } },
    });
    const enter = async (user: string) =>
      (await openSession(t, gate, { tls: false, parameters: { user } })).client;
    // Those who come first go first, in each worker: the others have some seconds.
    const first = await several('first', MANY, enter);
    const spared = await several('spared', FEW, enter);
    const last = await several('last', FEW, enter);
    const gone = Promise.all([...first, ...last].map(hangUpWhenTold));

    gate.rewrite('pg_hba.conf', 'host all all all reject\n');
    await reloaded(gate);
    await until('all are judged', async () => {
      const left = Object.entries(states(await gate.sessions()));
      return left.every(([, state]) => state === 'terminating');
    });
    gate.rewrite('pg_hba.conf', `host all "/^(first|last)" all reject\n${RULES}`);
    await reloaded(gate);
    await gone;
    const left = states(await gate.sessions());
    for (const [index, client] of spared.entries()) {
      t.equal(left[`spared${index}`], 'idle');
      t.ok(await answers(client), `spared${index}`);
    }
  });
}
