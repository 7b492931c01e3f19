// A stranger who guesses passwords from one address of a real network is refused from there, with the right password too.
// His neighbours are not, nor is loopback, however often it fails, and IPv6 counts by its /64 (contract §10).

import t from 'tap';
import {
  connectRaw,
  decodeErrorResponse,
  passwordMessage,
  startupMessage,
} from '../support/peers/raw-client.ts';
import { startGate } from '../support/run/gate.ts';
import { requireNetworkNamespace } from '../support/servers/network-namespace.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

requireNetworkNamespace(t, { hosts: '127.0.0.1 localhost\n' });

const LIMIT = 3;
const BANNED = 'too many authentication failures';
const WRONG = 'password authentication failed for user "app"';

await t.test('guesses', async (sub) => {
  const upstream = await scriptedUpstream(sub, scripts.trust);
  const gate = await startGate(sub, {
    hba: 'host all app all password\n',
    upstream,
    files: { 'userlist.txt': '"app" "right"\n' },
    config: {
      listen_addresses: ['10.55.0.2', '127.0.0.1', '::1'],
      auth_file: 'userlist.txt',
      max_authentication_failures_per_address: LIMIT,
      reload: { watch: 'off' },
    },
  });
  /** What a client from there is told; null = it is in. */
  const logIn = async (localAddress: string, password: string): Promise<string | null> => {
    const isV6 = localAddress.includes(':');
    const host = isV6 ? '::1' : localAddress.startsWith('127.') ? '127.0.0.1' : '10.55.0.2';
    const port = gate.listeners.find(({ address }) => address === host)?.port ?? 0;
    const client = await connectRaw(sub, { host, port, localAddress });
    await client.openTls({ ca: gate.authority.cert, servername: 'localhost' });
    await client.send(startupMessage({ user: 'app' }));
    const [first] = await client.readMessagesUntil('RE');
    if (first?.type === 'E') return decodeErrorResponse(first)['M'] ?? '';
    await client.send(passwordMessage(password));
    const { error } = await client.readLogin();
    client.destroy();
    return error?.['M'] ?? null;
  };
  for (const [guesser, neighbour] of [
    ['10.77.0.1', '10.77.0.2'],
    ['2001:db8:1::1', '2001:db8:1:1::1'],
  ] as const) {
    for (let guess = 0; guess < LIMIT; guess++) sub.equal(await logIn(guesser, `guess${guess}`), WRONG);
    sub.equal(await logIn(guesser, 'right'), BANNED, `${guesser} is refused`);
    sub.equal(await logIn(neighbour, 'right'), null, `${neighbour} is not`);
  }
  sub.equal(await logIn('2001:db8:1::ffff', 'right'), BANNED, 'the same /64');
  for (const loopback of ['127.0.0.1', '127.0.0.9', '::1']) {
    for (let guess = 0; guess < LIMIT + 2; guess++) sub.equal(await logIn(loopback, `guess${guess}`), WRONG);
    sub.equal(await logIn(loopback, 'right'), null, `${loopback} is never refused`);
  }
  const rows: { address: string }[] = JSON.parse((await gate.admin('/bans')).body);
  sub.strictSame(
    rows.map(({ address }) => address),
    ['10.77.0.1', '2001:db8:1::/64'],
  );
});
