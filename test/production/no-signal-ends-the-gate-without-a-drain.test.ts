// Signals at any moment: a reload, an end, or nothing, as the signal says; never a dead process, never a debugger.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'tap';
import { letIn, openSession, takeOver, TRUST } from '../session/clients.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { query, type RawClient } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';

/** Each would end a process that does not listen for it, but for the last three, which Node ignores or nobody minds. */
const LOGGED = ['SIGUSR2', 'SIGALRM', 'SIGVTALRM', 'SIGPROF', 'SIGIO', 'SIGSTKFLT', 'SIGUSR1'] as const;
const SILENT = ['SIGPIPE', 'SIGXFSZ', 'SIGWINCH'] as const;

async function gateWithSession(t: Scope, workers: number) {
  const upstream = await scriptedUpstream(t, async (connection) => {
    await letIn(connection);
    const socket = takeOver(connection);
    socket.pipe(socket);
  });
  const gate = await startGate(t, { hba: TRUST, upstream, via: 'dist', config: { workers } });
  const { client } = await openSession(t, gate);
  return { gate, client };
}

async function goesOn(client: RawClient): Promise<void> {
  const bytes = query('select 1');
  await client.send(bytes);
  await client.read(bytes.length);
}

/** The gate's own process, and one of its workers where it has any. */
function processes(gate: Gate): readonly number[] {
  return [
    gate.pid,
    ...gate
      .processes()
      .filter((pid) => pid !== gate.pid)
      .slice(0, 1),
  ];
}

for (const workers of [1, 2]) {
  void test(`what means nothing to the gate is logged and ignored, with ${workers} workers`, async (t) => {
    const { gate, client } = await gateWithSession(t, workers);
    for (const pid of processes(gate)) {
      for (const signal of [...SILENT, ...LOGGED]) process.kill(pid, signal);
      for (const signal of LOGGED) {
        const line = await gate.waitForLog(
          (each) => each['pid'] === pid && each.msg === `received ${signal}: ignored`,
        );
        t.equal(line.level, 'info', signal);
      }
    }
    await goesOn(client);
    t.equal(gate.stderr, '', 'and no debugger listens');
    t.notOk(gate.log.some(({ code }) => code === 'worker-lost'));
  });
}

void test('SIGQUIT is SIGINT', async (t) => {
  const { gate, client } = await gateWithSession(t, 1);
  gate.signal('SIGQUIT');
  await client.expectClosed().catch(() => undefined);
  await gate.waitForLog({ msg: /^stopping: / });
  t.match(await gate.exited, { code: 0, signal: null });
});

interface SignalAtLoad {
  readonly env: Readonly<Record<string, string>>;
  /** How many processes have sent themselves the signal. */
  readonly count: () => number;
}

/** A process sends itself a signal at the moment at which a module of the program is about to be loaded. */
function signalAtLoad(t: Scope, module: string, signal: NodeJS.Signals): SignalAtLoad {
  const hook = join(temporaryDirectory(t), 'hook.mjs');
  const sent = `${hook}.sent`;
  writeFileSync(
    hook,
    `import { appendFileSync } from 'node:fs';
    import { registerHooks } from 'node:module';
    registerHooks({
      load(url, context, next) {
        if (url.endsWith(${JSON.stringify(module)})) {
          appendFileSync(${JSON.stringify(sent)}, 'x');
          process.kill(process.pid, ${JSON.stringify(signal)});
        }
        return next(url, context);
      },
    });`,
  );
  return {
    env: { NODE_OPTIONS: `--import=${pathToFileURL(hook).href}` },
    count: () => (existsSync(sent) ? readFileSync(sent).length : 0),
  };
}

void test('SIGHUP while the program is loaded is a reload once it has started', async (t) => {
  const { env, count } = signalAtLoad(t, '/dist/cli.js', 'SIGHUP');
  const gate = await startGate(t, {
    hba: TRUST,
    upstream: { host: '127.0.0.1', port: 9 },
    via: 'dist',
    env,
  });
  t.equal(count(), 1);
  await gate.waitForLog({ msg: 'reloading configuration files' });
  t.equal(gate.stderr, '');
});

void test('no signal to a worker that is being loaded ends it', async (t) => {
  for (const signal of ['SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const) {
    const { env, count } = signalAtLoad(t, '/workers/worker.js', signal);
    const gate = await startGate(t, {
      hba: TRUST,
      upstream: { host: '127.0.0.1', port: 9 },
      via: 'dist',
      config: { workers: 2 },
      env,
    });
    t.equal(count(), 2, 'each worker got it');
    t.equal(gate.stderr, '', signal);
    t.notOk(gate.log.some(({ code }) => code === 'worker-lost'));
    await gate.stop();
  }
});
