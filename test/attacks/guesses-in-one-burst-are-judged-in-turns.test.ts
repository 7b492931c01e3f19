// Many clients of one address are asked for a password and answer at one moment. No more of them are looked at than the
// address may get wrong (contract §10), and the one that guesses right cannot be told from those that were not looked at.

import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { connectRaw, decodeErrorResponse, type RawClient } from '../support/peers/raw-client.ts';
import {
  authenticationCleartextPassword,
  errorResponse,
  passwordMessage,
  startupMessage,
} from '../support/peers/messages.ts';
import { proxyLine } from '../support/peers/proxy-header.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { runProgram } from '../support/run/program.ts';
import type { Scope } from '../support/run/scope.ts';

const LIMIT = 3;
const GUESSES = 24;
const ADDRESS = '203.0.113.7';
const BANNED = 'too many authentication failures';

const config = {
  proxy_networks: ['127.0.0.1'],
  max_authentication_failures_per_address: LIMIT,
  authentication_ban_time: '1h',
  reload: { watch: 'off' },
};

/** The gate's own secrets, or the upstream's word. */
async function gateThatChecks(t: Scope, how: 'secret' | 'upstream', workers: number): Promise<Gate> {
  const upstream = await scriptedUpstream(t, how === 'secret' ? scripts.trust : judging);
  const secret =
    how === 'upstream' ? null : await runProgram(['secret', 'app', '--scram'], { input: 'right\n' });
  return await startGate(t, {
    hba: 'host all app all password\n',
    upstream,
    files: secret === null ? {} : { 'userlist.txt': secret.stdout },
    config: { ...config, workers, ...(secret === null ? {} : { auth_file: 'userlist.txt' }) },
  });
}

const judging: Parameters<typeof scriptedUpstream>[1] = async (connection) => {
  await connection.readStartup();
  await connection.send(authenticationCleartextPassword());
  const { body } = await connection.readMessage();
  if (body.toString('latin1') === 'right\0') return await connection.acceptLogin();
  const wrong = { S: 'FATAL', V: 'FATAL', C: '28P01', M: 'password authentication failed for user "app"' };
  await connection.send(errorResponse(wrong));
};

async function asked(t: Scope, gate: Gate): Promise<RawClient> {
  const client = await connectRaw(t, gate.port);
  await client.send(proxyLine(ADDRESS, 40_000, 'TCP4'));
  await client.send(startupMessage({ user: 'app' }));
  await client.readMessagesUntil('R');
  return client;
}

/** What each is told who answers with these passwords at one moment; null = it is in. */
async function answers(t: Scope, gate: Gate, passwords: readonly string[]): Promise<(string | null)[]> {
  const clients = await Promise.all(passwords.map(async () => await asked(t, gate)));
  await Promise.all(
    clients.map(async (client, index) => await client.send(passwordMessage(passwords[index] ?? ''))),
  );
  return await Promise.all(
    clients.map(async (client) => {
      const last = (await client.readMessagesUntil('ZE')).at(-1);
      client.destroy();
      return last?.type === 'E' ? (decodeErrorResponse(last)['M'] ?? '') : null;
    }),
  );
}

for (const how of ['secret', 'upstream'] as const) {
  for (const workers of [1, 2]) {
    await test(`the ${how} decides, workers: ${workers}`, async (t) => {
      const gate = await gateThatChecks(t, how, workers);
      const right = Array.from({ length: GUESSES }, () => 'right');
      t.strictSame(
        await answers(t, gate, right),
        right.map(() => null),
        'a pool that knows the password waits for its turns and gets in',
      );
      const told = await answers(
        t,
        gate,
        right.map((password, index) => (index === GUESSES - 2 ? password : `guess${index}`)),
      );
      const judged = told.filter((text) => text !== BANNED);
      t.equal(judged.length, LIMIT, `${judged.length} were looked at`);
      t.equal(told.at(-2), BANNED, 'the right one is told what the others are told');
    });
  }
}
