// A client whose guess waits for the turn of its address (contract §10): it is done with when it leaves, and when
// authentication_timeout is over, long before the turn comes. Its turn is then the next one's.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { connectRaw, type RawClient } from '../support/peers/raw-client.ts';
import { noticeResponse, passwordMessage, startupMessage } from '../support/peers/messages.ts';
import { proxyLine } from '../support/peers/proxy-header.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { codedLines } from './clients.ts';
import { turn } from './logins.ts';

await test('it resets, it closes, its time is over', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    const { parameters } = await connection.readStartup();
    if (parameters['user'] === 'slow') await connection.send(noticeResponse({ S: 'NOTICE', M: 'wait' }));
    else await connection.acceptLogin();
    await connection.stall();
    connection.halfClose();
  });
  const gate = await startGate(t, {
    hba: 'host all all all password\n',
    upstream,
    files: { 'userlist.txt': '"slow" "right"\n"app" "right"\n' },
    config: {
      auth_file: 'userlist.txt',
      proxy_networks: ['127.0.0.1'],
      max_authentication_failures_per_address: 1,
      reload: { watch: 'off' },
    },
  });
  const answered = async (user: string): Promise<RawClient> => {
    const client = await connectRaw(t, gate.port);
    await client.send(proxyLine('203.0.113.7', 40_000, 'TCP4'));
    await client.send(startupMessage({ user }));
    await client.readMessagesUntil('R');
    await client.send(passwordMessage('right'));
    return client;
  };
  // Its turn lasts until the upstream has let it in.
  const slow = await answered('slow');
  await slow.readMessagesUntil('N');

  const ways = {
    resets: (client: RawClient) => client.reset(),
    closes: (client: RawClient) => client.destroy(),
  };
  for (const leave of Object.values(ways)) {
    const from = gate.logLength();
    const client = await answered('app');
    await turn(gate);
    leave(client);
    await gate.waitForLog({ code: 'client-gave-up' }, { from });
  }

  gate.rewrite(
    'gatehouse.yaml',
    `${readFileSync(gate.path('gatehouse.yaml'), 'utf8')}authentication_timeout: 5s\n`,
  );
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
  const late = await answered('app');
  await late.expectClosed();
  await gate.waitForLog({ code: 'authentication-timeout' });

  gate.rewrite(
    'gatehouse.yaml',
    readFileSync(gate.path('gatehouse.yaml'), 'utf8').replace('authentication_timeout: 5s\n', ''),
  );
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
  const next = await answered('app');
  slow.destroy();
  t.equal((await next.readLogin()).error, null, 'no turn is lost');
  t.strictSame(
    codedLines(gate).map(({ code }) => code),
    ['client-gave-up', 'client-gave-up', 'authentication-timeout', 'client-gave-up'],
  );
});
