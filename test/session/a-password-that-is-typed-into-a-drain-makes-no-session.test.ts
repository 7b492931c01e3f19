// A client that is at its password when the drain begins is told 57P03 once it has answered, whether the gate or the
// upstream checks the password: nothing waits for a session that begins after a drain.

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
import { openSession } from './clients.ts';

for (const config of [{}, { auth_file: 'userlist.txt' }]) {
  await test('auth_file' in config ? 'the gate checks it' : 'the upstream checks it', async (t) => {
    const upstream = await scriptedUpstream(t, async (connection) => {
      const { parameters } = await connection.readStartup();
      if (parameters['user'] === 'typist' && !('auth_file' in config)) {
        await connection.send(authenticationCleartextPassword());
        await connection.readMessage();
      }
      await connection.acceptLogin();
      await connection.stall();
      connection.halfClose();
    });
    const gate = await startGate(t, {
      hba: 'host all typist all password\nhost all all all trust\n',
      upstream,
      files: { 'userlist.txt': '"typist" "secret"\n' },
      config,
    });
    const { client: session } = await openSession(t, gate, { tls: false });
    const typist = await connectRaw(t, gate.port);
    await typist.send(startupMessage({ user: 'typist' }));
    await typist.readMessagesUntil('R');
    gate.signal('SIGTERM');
    await gate.waitForLog({ msg: /^draining: / });
    await typist.send(passwordMessage('secret'));
    t.match((await typist.readLogin()).error, { C: '57P03', M: 'the database system is shutting down' });
    t.equal((await gate.sessions()).length, 1, 'the one of before');
    session.halfClose();
    t.strictSame(await within(gate.exited, 'the gate to end'), { code: 0, signal: null });
  });
}
