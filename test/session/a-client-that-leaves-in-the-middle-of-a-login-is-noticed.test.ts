// A client that closes, half-closes or resets while the upstream waits for its answer, or while it waits for the
// upstream: one line says so, nothing of a half answer reaches the upstream, and nothing stays.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { passwordMessage, startupMessage } from '../support/peers/messages.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { codedLines, openClient, until } from './clients.ts';
import { byHand, PASSWORD_LINES, REQUESTS, turn } from './logins.ts';

const STARTUP = startupMessage({ user: 'alice', database: 'md5' });
const ANSWER = passwordMessage('md5 of a secret');
const WAYS = ['closes', 'half-closes', 'resets'] as const;
/** How much of the answer the client has sent. */
const PARTS = [0, 1, 5, ANSWER.length - 1];

for (const tls of [true, false]) {
  for (const way of WAYS) {
    await test(`${tls ? 'inside TLS' : 'in clear'} it ${way}`, async (t) => {
      const upstream = await scriptedUpstream(t, byHand);
      const gate = await startGate(t, { hba: PASSWORD_LINES, upstream });
      for (const part of PARTS) {
        const client = await openClient(t, gate, { tls });
        await client.send(STARTUP);
        const connection = await upstream.nextConnection();
        await connection.readStartup();
        await connection.send(REQUESTS.md5[0]!);
        await client.readMessage();
        if (part > 0) await client.send(ANSWER.subarray(0, part));
        await turn(gate);
        if (way === 'closes') client.destroy();
        else if (way === 'half-closes') client.halfClose();
        else client.reset();
        await connection.closed;
        t.strictSame(connection.received, STARTUP, `${part} bytes of the answer`);
        connection.destroy();
      }
      let left = PARTS.length;
      await gate.waitForLog(({ code }) => code !== undefined && --left === 0);
      await until('nothing is left', async () => {
        const handshakes = (await gate.metrics()).value('handshakes_in_progress');
        return handshakes === 0 && (await gate.sessions()).length === 0;
      });
      t.strictSame(
        codedLines(gate).map(({ code }) => code),
        PARTS.map(() => 'client-gave-up'),
      );
    });

    await test(`${tls ? 'inside TLS' : 'in clear'} it ${way} before the upstream has said a word`, async (t) => {
      const upstream = await scriptedUpstream(t, byHand);
      const gate = await startGate(t, { hba: PASSWORD_LINES, upstream });
      const client = await openClient(t, gate, { tls });
      await client.send(STARTUP);
      const connection = await upstream.nextConnection();
      await connection.readStartup();
      if (way === 'closes') client.destroy();
      else if (way === 'half-closes') client.halfClose();
      else client.reset();
      // As before PostgreSQL itself, the server hears of it.
      await connection.closed;
      connection.halfClose();
      await gate.waitForLog({ code: 'client-gave-up' });
      t.strictSame(connection.received, STARTUP);
      t.equal(codedLines(gate).length, 1);
    });
  }
}
