// The salts that the gate makes up, for users it does not know and for plain secrets (login.md §9.3): one name always gets
// the same one, so that asking twice tells a stranger nothing.

import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { cstring, int32, message, startupMessage } from '../support/peers/messages.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { testAuthority } from '../support/certificates/certificates.ts';

const USERS = ['nobody', 'plain', 'old', 'empty'] as const;
const SECRETS = `"plain" "correct-horse"\n"old" "md5${'a'.repeat(32)}"\n"empty" ""\n`;

interface Options {
  readonly workers?: number;
  readonly ssl?: 'on' | 'off';
}

await test('restarts, reloads, other lines and workers make no difference', async (t) => {
  const authority = testAuthority(t);
  const server = authority.server();
  const start = async ({ workers = 1, ssl = 'on' }: Options = {}): Promise<Gate> =>
    await startGate(t, {
      authority,
      server,
      hba: 'host all all all scram-sha-256\n',
      upstream: { host: '127.0.0.1', port: 1 },
      config: { auth_file: 'userlist.txt', workers, ssl, scram_iterations: 5_000 },
      files: { 'userlist.txt': SECRETS },
    });
  const gate = await start();
  const salts = await saltsOf(t, gate);
  t.equal(new Set(Object.values(salts).map(({ salt }) => salt)).size, USERS.length, 'each user has one');
  for (const { salt, iterations } of Object.values(salts)) {
    t.equal(Buffer.from(salt, 'base64').length, 16);
    t.equal(iterations, 5_000);
  }
  t.strictSame(await saltsOf(t, gate), salts, 'asked again');
  gate.rewrite('userlist.txt', `"other" "x"\n${SECRETS}`);
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
  t.strictSame(await saltsOf(t, gate), salts, 'after a reload');
  await gate.stop();
  t.strictSame(await saltsOf(t, await start()), salts, 'after a restart');

  const several = await start({ workers: 2 });
  for (let i = 0; i < 8; i++) t.strictSame(await saltsOf(t, several), salts, 'whichever worker');

  // Without a private key there is a nonce for each start, and all workers share it.
  const clear = await start({ workers: 2, ssl: 'off' });
  const own = await saltsOf(t, clear);
  t.notSame(own, salts);
  for (let i = 0; i < 8; i++) t.strictSame(await saltsOf(t, clear), own, 'whichever worker, without TLS');
});

/** What each user is asked with. */
async function saltsOf(
  t: Scope,
  gate: Gate,
): Promise<Record<string, { readonly salt: string; readonly iterations: number }>> {
  const found: Record<string, { salt: string; iterations: number }> = {};
  for (const user of USERS) {
    const client = await connectRaw(t, gate.port);
    await client.send(startupMessage({ user }));
    await client.readMessage();
    const first = Buffer.from('n,,n=,r=abc');
    await client.send(message('p', cstring('SCRAM-SHA-256'), int32(first.length), first));
    const { body } = await client.readMessage();
    const [, salt = '', iterations] = /,s=([^,]+),i=(\d+)$/.exec(body.toString('latin1')) ?? [];
    found[user] = { salt, iterations: Number(iterations) };
    client.destroy();
  }
  return found;
}
