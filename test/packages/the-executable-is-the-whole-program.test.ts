// The single executable: workers and the console's engine are itself, its flags are built in, and nobody adds one.

import { chownSync, copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { t as tap, test } from 'tap';
import { psql } from '../support/peers/psql.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { requirePackages } from '../support/run/packages.ts';
import { runToEnd } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';
import { conninfo, until } from '../session/clients.ts';

const { executable, version } = requirePackages(tap);

await test('a gate with two workers, whose file is replaced meanwhile', needs('psql'), async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const program = join(temporaryDirectory(t), 'pg-gatehouse');
  copyFileSync(executable, program);
  const gate = await startGate(t, {
    command: [program],
    hba: 'hostssl all all all cert\n',
    upstream,
    config: { workers: 2, admin_users: 'alice' },
    // SECURITY: neither may be heeded: one opens a debugger, the other loads code.
    env: { NODE_OPTIONS: '--inspect=127.0.0.1:0 --require /nonexistent.js' },
  });
  t.equal(gate.processes().length, 3);
  t.notMatch(gate.stderr, /Debugger/);
  for (const pid of gate.processes()) t.equal(environmentOf(pid)['MALLOC_ARENA_MAX'], '2');

  const { body } = await gate.admin('/errors');
  t.match(body, 'Look at', 'docs/errors.md is in it');

  await t.test('a worker that dies is replaced by the very same program', async (step) => {
    rmSync(program);
    const before = workersOf(gate);
    process.kill(before[0]!, 'SIGKILL');
    await gate.waitForLog({ msg: /^worker started/ }, { from: gate.logLength() });
    const after = workersOf(gate);
    step.equal(after.length, 2);
    step.ok(after.includes(before[1]!) && !after.includes(before[0]!), 'the other one goes on');
  });

  await t.test('the console computes, and its process ends with the gate', async (step) => {
    const { stdout, stderr } = await psql(
      conninfo(gate, gate.authority.client('alice'), { user: 'alice', dbname: 'gatehouse' }),
      ['-Atc', 'select count(*) from pg_stat_activity'],
    );
    step.equal(stdout, '1\n', stderr);
    gate.signal('SIGKILL');
    await gate.exited;
    await until('every process of the gate to end', async () => {
      await new Promise(setImmediate);
      return gate.processes().length === 0;
    });
  });
});

await test('what is for its own processes only', async (t) => {
  for (const part of ['worker', 'console-engine']) {
    const { code, stderr } = await runToEnd(executable, [`--forkchild=${part}`]);
    t.equal(code, 2);
    t.match(stderr, `unknown option '--forkchild=${part}'`);
  }
});

await test('flags of Node are arguments like any other', async (t) => {
  const { code, stderr } = await runToEnd(executable, ['check', '--inspect']);
  t.equal(code, 2);
  t.match(stderr, "unknown option '--inspect'");
  t.notMatch(stderr, /Debugger/);
  const said = await runToEnd(executable, ['--version'], { env: { NODE_OPTIONS: '--no-such-flag' } });
  t.strictSame([said.code, said.stdout, said.stderr], [0, `${version}\n`, '']);
});

await test('the demo says how to get what it needs, and runs nothing of another user', async (t) => {
  const folder = temporaryDirectory(t);
  const demo = async (): Promise<string> => {
    const { code, stderr } = await runToEnd(executable, ['demo'], { cwd: folder });
    t.equal(code, 1);
    return stderr;
  };
  t.match(await demo(), 'npm install @electric-sql/pglite @electric-sql/pglite-socket');
  mkdirSync(join(folder, 'node_modules'));
  t.match(await demo(), 'npm install @electric-sql/pglite @electric-sql/pglite-socket here');
  if (process.getuid?.() !== 0) return;
  chownSync(join(folder, 'node_modules'), 65534, 65534);
  t.match(await demo(), 'in a folder of your own');
});

function workersOf(gate: Gate): number[] {
  return gate.processes().filter((pid) => pid !== gate.pid);
}

function environmentOf(pid: number): Record<string, string | undefined> {
  const pairs = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  return Object.fromEntries(pairs.map((pair) => pair.split('=', 2)));
}
