// An address may send a few cancel requests with unknown keys. Of further ones a few wait and the others are closed
// without a look at the keys there are, in every worker, so that nobody guesses a key. Known keys cost nothing, and other
// addresses are not affected.

import { test } from 'tap';
import { CancelGuesses } from '../../src/session/cancel-guesses.ts';
import { startGate } from '../support/run/gate.ts';
import { backendKeyData, cancelRequest } from '../support/peers/messages.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { authenticationOk, readyForQuery, scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { openSession } from './clients.ts';

/** So many that the ten that are forgotten in a second do not matter, however slowly they are sent. */
const GUESSES = 300;

for (const workers of [1, 2]) {
  await test(`workers: ${workers}`, async (t) => {
    const upstream = await scriptedUpstream(t, async (connection) => {
      if ((await connection.readPacket()).readInt32BE(0) === 80877102) return connection.halfClose();
      await connection.send(authenticationOk(), backendKeyData(5, Buffer.from('abcd')), readyForQuery());
    });
    const gate = await startGate(t, {
      hba: 'host all all 127.0.0.0/8 trust\n',
      upstream,
      config: { workers },
    });
    const { login } = await openSession(t, gate);
    const cancel = async (key: Buffer, localAddress = '127.0.0.1'): Promise<void> => {
      const client = await connectRaw(t, { host: '127.0.0.1', port: gate.port, localAddress });
      await client.send(cancelRequest(5, key));
      await client.expectClosed();
      client.halfClose();
    };
    const outcome = async (name: string): Promise<number> =>
      (await gate.metrics()).value('cancel_requests_total', { outcome: name });

    const { key } = login.key!;
    for (let index = 0; index < 60; index++) await cancel(key);
    t.equal(await outcome('forwarded'), 60, 'known keys cost nothing');

    const guess = Buffer.from(key);
    guess[0]! ^= 1;
    await Promise.all(Array.from({ length: GUESSES }, async () => await cancel(guess)));
    const [unknown, dropped] = [await outcome('unknown-key'), await outcome('too-many')];
    t.equal(unknown + dropped, GUESSES);
    t.ok(dropped > 0, `${dropped} of ${GUESSES} were not looked up`);

    const before = await outcome('forwarded');
    await cancel(key);
    t.equal(await outcome('forwarded'), before + 1, 'after the flood a known key works again');
    await cancel(key, '127.0.0.2');
    t.equal(await outcome('forwarded'), before + 2, 'another address is not affected');
  });
}

await test('by the clock', async (t) => {
  let now = 0;
  const told: string[] = [];
  const wait = async (ms: number): Promise<void> => void (now += ms);
  const guesses = new CancelGuesses({ onUnknown: (address) => told.push(address), now: () => now, wait });
  let asked = 0;
  const guess = async (address: string): Promise<unknown> =>
    await guesses.lookUp(address, async () => {
      asked++;
      return null;
    });
  // All at once: each is counted before the next is looked up.
  const answers = await Promise.all(Array.from({ length: 80 }, async () => await guess('2001:db8::/64')));
  t.equal(asked, 55);
  t.equal(told.length, 55, 'the other processes are told of each');
  t.strictSame(answers.slice(50, 75), Array(25).fill('too-many'));
  t.equal(now, 500, 'five have waited, a tenth of a second for each guess');
  t.equal(await guess('192.0.2.1'), null, 'another address');
  t.equal(now, 500, 'does not wait');
  t.strictSame(await guesses.lookUp('2001:db8::/64', async () => ({ a: 1 })), { a: 1 }, 'a known key, later');
  t.equal(now, 600);
  for (let index = 0; index < 30; index++) await guesses.lookUp('2001:db8::/64', async () => ({}));
  t.equal(now, 600, 'known keys cost nothing');

  for (let index = 0; index < 60; index++) guesses.unknown('192.0.2.7');
  await guess('192.0.2.7');
  t.equal(now, 1_700, 'those of other processes count');
  for (let index = 0; index < 5_000; index++) await guess(`10.0.${index >> 8}.${index & 255}`);
  await guess('192.0.2.7');
  t.equal(now, 1_700, 'addresses that guessed long ago are forgotten');

  await t.rejects(
    guesses.lookUp('192.0.2.9', () => Promise.reject(new Error('gone'))),
    /gone/,
  );
  t.strictSame(
    await guesses.lookUp('192.0.2.9', async () => ({ a: 1 })),
    { a: 1 },
    'a failure holds nobody up',
  );
});
