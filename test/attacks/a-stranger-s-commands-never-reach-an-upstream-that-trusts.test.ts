// A password line before an upstream that trusts: a client that sends commands ahead of the login is refused, and the upstream
// has got the startup packet and not one byte more. For every password method, every cut, with and without TLS.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { decodeErrorResponse, passwordMessage, query, startupMessage } from '../support/peers/messages.ts';
import { printable } from '../support/peers/byte-channel.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { codedLines, openClient } from '../session/clients.ts';
import {
  byHand,
  LET_IN,
  PASSWORD_LINES,
  PASSWORD_METHODS,
  REQUESTS,
  sendCut,
  turn,
} from '../session/logins.ts';

const COMMAND = query("copy t from program 'id'");

for (const method of PASSWORD_METHODS) {
  for (const tls of [true, false]) {
    await test(`${method}, ${tls ? 'inside TLS' : 'in clear'}`, async (t) => {
      const startup = startupMessage({ user: 'alice', database: method });
      const ahead = Buffer.concat([startup, COMMAND]);
      const upstream = await scriptedUpstream(t, byHand);
      const gate = await startGate(t, { hba: PASSWORD_LINES, upstream });
      const cuts = [...Array(ahead.length).keys(), 'bytes'] as const;
      for (const cut of cuts) {
        const client = await openClient(t, gate, { tls });
        await sendCut(gate, client, ahead, cut);
        const connection = await upstream.nextConnection();
        await connection.readStartup();
        await turn(gate);
        await connection.send(...LET_IN);
        const answer = await client.readMessage();
        await connection.closed;
        if (!connection.received.equals(startup))
          t.fail(`cut ${cut}: the upstream got ${printable(connection.received)}`);
        if (answer.type !== 'E' || decodeErrorResponse(answer)['C'] !== '28000')
          t.fail(`cut ${cut}: ${answer.type}`);
        client.destroy();
      }
      t.equal(upstream.connections.length, cuts.length);
      t.strictSame(
        [...new Set(codedLines(gate).map(({ code }) => code))],
        ['upstream-authentication-too-weak'],
      );
    });
  }
}

await test('an upstream that asks and does not wait for the answer has checked nothing', async (t) => {
  const upstream = await scriptedUpstream(t, byHand);
  const gate = await startGate(t, { hba: PASSWORD_LINES, upstream });
  for (const method of PASSWORD_METHODS) {
    const startup = startupMessage({ user: 'alice', database: method });
    const client = await openClient(t, gate);
    await client.send(startup);
    const connection = await upstream.nextConnection();
    await connection.readStartup();
    await connection.send(...REQUESTS[method].slice(0, 1), ...LET_IN);
    const [request, answer] = [await client.readMessage(), await client.readMessage()];
    t.equal(request.type, 'R', method);
    t.match(decodeErrorResponse(answer), { C: '28000' }, method);
    await client.send(passwordMessage('secret'), COMMAND);
    await connection.closed;
    t.strictSame(connection.received, startup, method);
    client.destroy();
  }
});
