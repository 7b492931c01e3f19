// The log is a file, and its disk is full: the gate starts and goes on, lines are dropped and counted, and the log says how
// many once there is room again (contract §7.36).

import { readFileSync, truncateSync } from 'node:fs';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { test } from 'tap';
import { letIn, TRUST, until } from '../session/clients.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { freePort } from '../support/run/free-port.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { cleanEnvironment, programCommand } from '../support/run/program.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { atEnd } from '../support/run/scope.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { supervise } from '../support/run/supervise.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { floodLog, goesOn, REFUSED_LINES, setUp } from './flood.ts';

void test('a file that may grow no further, until it is emptied', async (t) => {
  const prelude = [
    ': >log',
    '{ tail -n +1 -f --pid=$$ log & }',
    'exec >>log',
    // Of 512 bytes each.
    'ulimit -f 64',
  ].join('; ');
  const { gate, client } = await setUp(t, prelude);
  const dropped = await floodLog(gate, client);
  t.ok(dropped > REFUSED_LINES, `${dropped} lines were dropped`);
  t.equal(gate.stderr, 'pg-gatehouse: the log cannot be written, its lines are dropped: File too large\n');
  truncateSync(gate.path('log'));
  await until('the log says so', async () => {
    await setImmediate();
    return /"msg":"\d+ log lines were dropped: File too large"/.test(readFileSync(gate.path('log'), 'utf8'));
  });
  await goesOn(client);
});

void test('a disk that was full from the start', async (t) => {
  const upstream = await scriptedUpstream(t, letIn);
  const authority = testAuthority(t);
  const directory = temporaryDirectory(t);
  const port = await freePort();
  const config = { port };
  writeGateFiles(directory, authority, { hba: TRUST, upstream, config });
  const program = [...programCommand('dist'), 'serve', '--config', 'gatehouse.yaml'];
  const gate = await supervise({
    command: '/bin/sh',
    args: ['-c', 'exec "$0" "$@" >/dev/full', ...program],
    cwd: directory,
    env: cleanEnvironment(),
    stopSignal: 'SIGTERM',
  });
  atEnd(t, () => gate.stop());
  const said = text(gate.stderr);
  await until('it listens', async () => await accepts(port));
  const client = await connectRaw(t, port);
  const { error } = await client.login({ user: 'alice' });
  t.equal(error, null, 'it serves');
  client.reset();
  t.match(await gate.stop(), { code: 0 });
  t.equal(
    await said,
    'pg-gatehouse: the log cannot be written, its lines are dropped: No space left on device\n',
  );
});

async function accepts(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, '127.0.0.1');
  socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
