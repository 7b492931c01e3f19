// What a certificate can be bound with is read of the first client that is asked for a password, and kept. Where that
// client has gone meanwhile its socket has no certificate any more. Those after it are offered channel binding all the
// same: without it a client that demands it stays out, and one that prefers it can be told that there is none.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw, startupMessage, type RawClient } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

await test('a client that is gone before it is asked', async (t) => {
  const gate = await startGate(t, {
    hba: 'hostssl all all all scram-sha-256\n',
    upstream: await scriptedUpstream(t, scripts.stall),
    // The first process is asked whether there is room, and the client leaves in that time.
    config: { workers: 2, max_connections: 100, auth_file: 'userlist.txt' },
    files: { 'userlist.txt': '"alice" "correct-horse"\n' },
  });
  const open = async (): Promise<RawClient> => {
    const client = await connectRaw(t, gate.port);
    await client.openTls({ ca: gate.authority.cert, servername: 'localhost' });
    await client.send(startupMessage({ user: 'alice' }));
    return client;
  };
  gate.signal('SIGSTOP');
  const from = gate.logLength();
  const leaving: RawClient[] = [];
  while (leaving.length < 10) leaving.push(await open());
  for (const client of leaving) client.reset();
  gate.signal('SIGCONT');
  const ended = (): number => gate.log.slice(from).filter(({ code }) => code !== undefined).length;
  while (ended() < leaving.length) await gate.waitForLog(() => true, { from: gate.logLength() });
  for (let count = 0; count < 10; count++) {
    const client = await open();
    const messages = await client.readMessagesUntil('R');
    t.match(messages.at(-1)?.body.toString('latin1'), 'SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0');
  }
});
