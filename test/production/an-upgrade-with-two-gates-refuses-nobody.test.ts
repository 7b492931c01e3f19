// The upgrade chapter of docs/operations.md: a second gate with the same files on a port of its own, clients that name
// both, and a drain of the first. New clients get in throughout, the open session finishes, and the first gate ends with
// it; then the same the other way round. A second gate on the same port is refused.

import { join } from 'node:path';
import { test } from 'tap';
import { freePort } from '../support/run/free-port.ts';
import { psql } from '../support/peers/psql.ts';
import { connectRaw, query, terminate } from '../support/peers/raw-client.ts';
import { Gate, startGate } from '../support/run/gate.ts';
import { cleanEnvironment, programCommand, runProgram } from '../support/run/program.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { supervise } from '../support/run/supervise.ts';
import { needs } from '../support/run/tools.ts';
import { startPostgres } from '../support/servers/postgres.ts';

/** Another gate with the files of this one, as the page starts it. */
async function beside(t: Scope, first: Gate, port: number): Promise<Gate> {
  const config = join(first.directory, 'gatehouse.yaml');
  const sets = ['--set', `port=${port}`, '--set', 'admin.listen=127.0.0.1:0'];
  const [command, ...args] = programCommand('dist');
  const child = await supervise({
    command,
    args: [...args, 'serve', '--config', config, ...sets],
    cwd: first.directory,
    env: cleanEnvironment(),
    stopSignal: 'SIGINT',
  });
  const gate = new Gate(t, first.directory, first.authority, child);
  atEnd(t, () => gate.stop());
  await gate.ready();
  return gate;
}

await test('there and back', needs('psql'), async (t) => {
  const server = await startPostgres({ version: 10 });
  atEnd(t, () => server.stop());
  const old = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: server,
    // Nobody else is given this port while the first gate is gone.
    config: { shutdown_timeout: '8h', port: await freePort() },
    via: 'dist',
  });
  const both = { dbname: 'postgres', user: 'postgres', sslmode: 'disable' };
  const ask = async (...ports: readonly number[]) =>
    await psql({ ...both, host: ports.map(() => '127.0.0.1').join(), port: ports.join() }, [
      '-Atc',
      'select 1',
    ]);

  const config = join(old.directory, 'gatehouse.yaml');
  const same = await runProgram([
    'serve',
    '--config',
    config,
    '--set',
    `port=${old.port}`,
    '--set',
    'admin.listen=',
  ]);
  t.equal(same.code, 1);
  t.match(same.stdout + same.stderr, /Address already in use/);

  const second = await beside(t, old, 0);
  /** Drains a gate with a session in it, while clients name both. */
  const drain = async (leaving: Gate, staying: Gate): Promise<void> => {
    const session = await connectRaw(t, leaving.port);
    t.equal((await session.login({ user: 'postgres', database: 'postgres' })).error, null);
    leaving.signal('SIGTERM');
    await leaving.waitForLog({ msg: /^draining|^received smart/ });
    const alone = await ask(leaving.port);
    t.match(alone.stderr, /FATAL: {2}the database system is shutting down/, 'a client that knows it alone');
    t.equal((await ask(leaving.port, staying.port)).stdout, '1\n', 'a client that knows both');
    await session.send(query('select 2'));
    t.equal((await session.readMessagesUntil('Z')).at(-1)?.type, 'Z', 'the open session goes on');
    await session.send(terminate());
    session.halfClose();
    t.match(await leaving.exited, { code: 0 }, 'and the gate ends with it');
    t.equal(
      (await ask(leaving.port, staying.port)).stdout,
      '1\n',
      'a port where nobody listens is passed over',
    );
  };
  await drain(old, second);
  await drain(second, await beside(t, old, old.port));
});
