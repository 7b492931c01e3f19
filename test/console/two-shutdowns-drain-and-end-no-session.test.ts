// SHUTDOWN WAIT_FOR_CLIENTS drains as SIGTERM does, and a second SIGTERM ends sessions at once. Whoever asks twice, or two
// who ask at one moment, mean the drain.

import { test } from 'tap';
import { connectRaw, query } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { startGate } from '../support/run/gate.ts';
import { openConsole } from './at-trusting-console.ts';

const SHUTDOWN = 'SHUTDOWN WAIT_FOR_CLIENTS';

for (const [who, texts] of [
  ['one console, in one message', [`${SHUTDOWN};${SHUTDOWN}`]],
  ['two consoles, in one turn', [SHUTDOWN, SHUTDOWN]],
] as const) {
  await test(who, async (t) => {
    const gate = await startGate(t, {
      hba: 'host all all all trust\n',
      upstream: await scriptedUpstream(t, scripts.trust),
      config: { admin_users: 'dba' },
    });
    const session = await connectRaw(t, gate.port);
    t.equal((await session.login({ user: 'app', database: 'd' })).error, null);
    const consoles = [];
    for (const text of texts) consoles.push({ client: await openConsole(t, gate), text });
    // What arrives while it is stopped is there in one turn.
    gate.signal('SIGSTOP');
    for (const { client, text } of consoles) await client.send(query(text));
    gate.signal('SIGCONT');
    for (const { client } of consoles) await client.readMessagesUntil('Z');
    await gate.waitForLog({ msg: /^draining/ });
    const { client } = consoles[0]!;
    // Each answer is a turn of the gate, in which a second signal would have arrived.
    for (let turn = 0; turn < 20; turn++) {
      await client.send(query('SHOW STATE'));
      await client.readMessagesUntil('Z');
    }
    t.notOk(session.isClosed, 'the session goes on');
    t.notOk(
      gate.log.some(({ msg }) => msg.startsWith('stopping')),
      'nobody was hurried',
    );
    gate.mayEnd();
    session.halfClose();
    t.match(await gate.exited, { code: 0 }, 'the gate ends with it');
  });
}
