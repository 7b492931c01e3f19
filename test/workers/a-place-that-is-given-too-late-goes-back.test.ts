// A worker asks the first process for the place of a session and gives up after ten seconds. A first process that was stopped
// meanwhile gives the place all the same when it goes on, to a client that is gone. It is free again then.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw, passwordMessage, startupMessage } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { askedForPassword, until } from '../session/clients.ts';

await test('the only place there is', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all password\n',
    upstream: await scriptedUpstream(t, scripts.trust),
    config: { workers: 2, max_connections: 1, auth_file: 'userlist.txt' },
    files: { 'userlist.txt': '"u" "secret"\n' },
  });
  const client = await askedForPassword(t, gate, 'u');
  gate.signal('SIGSTOP');
  await client.send(passwordMessage('secret'));
  await client.expectClosed(60_000);
  gate.signal('SIGCONT');
  await gate.waitForLog({ code: 'internal-error' });
  await until('the place is free', async () => {
    const next = await connectRaw(t, gate.port);
    await next.send(startupMessage({ user: 'u' }));
    const asked = (await next.readMessagesUntil('RE')).at(-1);
    if (asked?.type === 'R') await next.send(passwordMessage('secret'));
    const isIn = asked?.type === 'R' && (await next.readLogin()).error === null;
    next.destroy();
    return isIn;
  });
  t.pass('somebody else has it');
});
