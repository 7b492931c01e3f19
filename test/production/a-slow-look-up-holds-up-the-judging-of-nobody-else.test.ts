// A reload brings a rule by host name, for a session whose address has a silent name server, and a list that revokes
// another's certificate. The revoked one ends while the name server is still being asked.

import tap, { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { nameServer, reverseName } from '../support/servers/name-server.ts';
import { requireNetworkNamespace } from '../support/servers/network-namespace.ts';
import { connectRaw, decodeErrorResponse } from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { until } from '../session/clients.ts';
import { answering, answers, judgements, reloaded } from './clients.ts';

requireNetworkNamespace(tap, { hosts: '127.0.0.1 localhost\n' });

const SLOW = '10.66.0.1';
const NAMELESS = '10.67.0.1';
const REVOKED = '10.68.0.1';

await test('a silent name server, and one that knows no name', async (t) => {
  const names = await nameServer(t, [
    [reverseName(SLOW), 'silence'],
    [reverseName(REVOKED), 'silence'],
  ]);
  const authority = testAuthority(t);
  const gate = await startGate(t, {
    hba: 'hostssl all all all cert\n',
    upstream: await scriptedUpstream(t, answering),
    authority,
    config: { ssl_crl_file: 'ca.crl', reload: { watch: 'off', sessions: 'terminate' } },
    files: { 'ca.crl': authority.crl() },
  });
  const enter = async (user: string, localAddress: string) => {
    const credentials = authority.client(user);
    const client = await connectRaw(t, { host: '127.0.0.1', port: gate.port, localAddress });
    const { cert, key } = credentials;
    await client.openTls({ ca: authority.cert, servername: 'localhost', cert, key });
    t.equal((await client.login({ user })).error, null, user);
    return { client, credentials };
  };
  const slow = await enter('slow', SLOW);
  const nameless = await enter('nameless', NAMELESS);
  const revoked = await enter('revoked', REVOKED);

  gate.rewrite('pg_hba.conf', 'hostssl all all app.example cert\n');
  gate.rewrite('ca.crl', authority.crl({ revoked: [revoked.credentials] }));
  t.match(await reloaded(gate), { ok: true });
  const [last] = (await revoked.client.readMessagesUntil('E')).slice(-1);
  t.match(decodeErrorResponse(last!), { C: '57P01' });
  revoked.client.halfClose();
  await names.asked(`PTR ${reverseName(SLOW)}`);
  t.match(judgements(await gate.sessions()), { slow: 'admitted' }, 'it is still being asked for');

  for (const [user, reason] of [
    ['nameless', 'the look-up of its host name failed: Name or service not known'],
    ['slow', 'the look-up of its host name or memberships took over 5 s'],
  ] as const) {
    const line = { msg: `session could not be judged again: ${reason}` };
    t.match(await gate.waitForLog(line), { user });
    const row = (await gate.sessions()).find((session) => session['user'] === user);
    t.match(row, { judgement: 'not-judged', judgement_reason: reason, no_longer_admitted: false });
  }
  t.ok((await answers(slow.client)) && (await answers(nameless.client)), 'they go on');

  names.known.set(reverseName(SLOW), { name: 'app.example' });
  names.known.set('app.example', { address: SLOW });
  names.breakSilence(reverseName(SLOW));
  await until('the slow one passes', async () => {
    await reloaded(gate);
    return judgements(await gate.sessions())['slow'] === 'admitted';
  });
  t.ok(await answers(slow.client));
});
