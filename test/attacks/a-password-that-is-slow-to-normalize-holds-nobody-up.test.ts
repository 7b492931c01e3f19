// Thousands of combining marks in the worst order: to put them into the order that SASLprep wants takes a time that grows
// with their square, on the thread that serves everybody. A password of that length is compared as it came.

import { test } from 'tap';
import { connectRaw } from '../support/peers/raw-client.ts';
import { decodeErrorResponse, passwordMessage, startupMessage } from '../support/peers/messages.ts';
import { startGate } from '../support/run/gate.ts';

/** Of different classes, the last ones first. */
const MARKS = ['\u0345', '\u0362', '\u035d', '\u0301', '\u0323', '\u0327', '\u0334'];
/** As long as a password may be (PG_MAX_AUTH_TOKEN_LENGTH). */
const COSTLY = `a${MARKS.map((mark) => mark.repeat(4_680)).join('')}`;
/** It took 0.8 s, and its address was refused only then. */
const MAX_SECONDS = 0.4;

await test('a guess of 65,521 bytes', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all password\n',
    upstream: { host: '127.0.0.1', port: 1 },
    config: { auth_file: 'userlist.txt' },
    files: { 'userlist.txt': '"alice" "geheim"\n' },
  });
  const guess = async (password: string): Promise<void> => {
    const client = await connectRaw(t, gate.port);
    await client.send(startupMessage({ user: 'alice' }));
    await client.readMessage();
    await client.send(passwordMessage(password));
    t.equal(decodeErrorResponse(await client.readMessage())['C'], '28P01');
  };
  const usedSeconds = async (): Promise<number> => (await gate.metrics()).value('process_cpu_seconds_total');
  // Whatever is loaded with the first guess has been.
  await guess('é');
  const before = await usedSeconds();
  await guess(COSTLY);
  const used = (await usedSeconds()) - before;
  t.ok(used < MAX_SECONDS, `${used} s of processor time`);
});
