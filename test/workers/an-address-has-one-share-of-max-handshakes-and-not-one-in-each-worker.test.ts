// An address whose guesses an upstream is slow to judge fills max_handshakes from all workers, in none of them with more
// than a share of the whole. For a client of another address one of them goes, and not the client (contract §7.20, §7.34).

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import {
  authenticationCleartextPassword,
  connectRaw,
  passwordMessage,
  startupMessage,
} from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { within } from '../support/run/waiting.ts';

const LIMIT = 10;
const CROWD = '127.0.0.2';

await test('an address has one share of max_handshakes', async (t) => {
  const allAnswered = Promise.withResolvers<void>();
  let answered = 0;
  const upstream = await scriptedUpstream(t, async (connection) => {
    const { parameters } = await connection.readStartup();
    await connection.send(authenticationCleartextPassword());
    await connection.readMessage();
    if (parameters['user'] !== 'crowd') await connection.acceptLogin();
    else if (++answered === LIMIT) allAnswered.resolve();
    await connection.stall();
  });
  const gate = await startGate(t, {
    hba: 'host all all all password\n',
    upstream,
    // So many that the kernel gives none of them half of the crowd.
    config: { workers: 4, max_handshakes: LIMIT },
  });
  for (let index = 0; index < LIMIT; index++) {
    const guesser = await connectRaw(t, { host: '127.0.0.1', port: gate.port, localAddress: CROWD });
    await guesser.send(startupMessage({ user: 'crowd' }));
    await guesser.readMessagesUntil('R');
    await guesser.send(passwordMessage('a guess'));
  }
  await within(allAnswered.promise, 'the crowd to have answered');
  const client = await connectRaw(t, gate.port);
  t.match(await gate.waitForLog({ code: 'handshake-evicted' }), { host: CROWD });
  await client.send(startupMessage({ user: 'alice' }));
  await client.readMessagesUntil('R');
  await client.send(passwordMessage('secret'));
  t.equal((await client.readLogin()).error, null);
  t.equal(gate.log.filter(({ code }) => code === 'handshake-evicted').length, 1);
});
