// A stranger's user name with line breaks, refused by the gate's own check of passwords: the DETAIL has lines of its own
// in the log, and none of them is the stranger's.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { passwordMessage, startupMessage } from '../support/peers/messages.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

const FAILED = 'password-authentication-failed';

await test('each kind of refusal', async (t) => {
  const names = ['x\nFAKE LINE', 'plain\r\nFAKE LINE', 'hashed\nFAKE LINE'];
  const gate = await startGate(t, {
    hba: 'host all all all password\n',
    upstream: await scriptedUpstream(t, scripts.trust),
    files: {
      'userlist.txt': `"${names[1]}" "right"\n"${names[2]}" "md5${'0'.repeat(32)}"\n`,
    },
    config: { auth_file: 'userlist.txt' },
  });
  for (const user of names) {
    const client = await connectRaw(t, gate.port);
    await client.send(startupMessage({ user }));
    await client.readMessagesUntil('R');
    await client.send(passwordMessage('wrong'));
    await client.readMessagesUntil('E');
    const { detail } = await gate.waitForLog({
      msg: new RegExp(`"${user.slice(0, 1)}[^"]*FAKE`),
      code: FAILED,
    });
    t.match(detail, /^(?:Role|Password).*FAKE LINE.*\nConnection matched file.*$/, user.slice(0, 6));
  }
});
