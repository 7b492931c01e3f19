// A rule has let it come as far as its password, and a reload has taken the rule away: it is judged again as every
// session is, though it is none yet when the reload is over.

import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import {
  connectRaw,
  decodeErrorResponse,
  passwordMessage,
  startupMessage,
  type RawClient,
} from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { until } from '../session/clients.ts';
import { reloaded } from './clients.ts';

async function parkedAtPassword(
  t: Scope,
  options: { readonly workers: number; readonly sessions: 'keep' | 'terminate' },
): Promise<{ readonly gate: Gate; readonly client: RawClient }> {
  const { workers, sessions } = options;
  const gate = await startGate(t, {
    hba: 'host all all all password\n',
    upstream: await scriptedUpstream(t, scripts.password),
    config: { workers, reload: { watch: 'off', sessions } },
  });
  const client = await connectRaw(t, gate.port);
  await client.send(startupMessage({ user: 'alice' }));
  await client.readMessagesUntil('R');
  gate.rewrite('pg_hba.conf', 'host all bob all password\n');
  await reloaded(gate);
  return { gate, client };
}

for (const workers of [1, 2]) {
  void test(`keep: it is listed as one that is no longer admitted, workers: ${workers}`, async (t) => {
    const { gate, client } = await parkedAtPassword(t, { workers, sessions: 'keep' });
    await client.send(passwordMessage('secret'));
    t.equal((await client.readLogin()).error, null);
    await until(
      'the session is marked',
      async () => (await gate.sessions())[0]?.['no_longer_admitted'] === true,
    );
    t.match(await gate.waitForLog({ msg: /^session would no longer be admitted: / }), { user: 'alice' });
  });

  void test(`terminate: it is ended, workers: ${workers}`, async (t) => {
    const { gate, client } = await parkedAtPassword(t, { workers, sessions: 'terminate' });
    await client.send(passwordMessage('secret'));
    const last = (await client.readMessagesUntil('E')).at(-1);
    t.match(last && decodeErrorResponse(last), { C: '57P01' });
    client.halfClose();
    t.match(await gate.waitForLog({ code: 'admin-terminated' }), { user: 'alice' });
  });
}
