// The engine of a console may be killed from outside, by the kernel for one, while nobody asks it anything. The next
// statement gets another. A console that is closed in its statement leaves nothing that waits for it.

import { test } from 'tap';
import { Engine } from '../../src/console/engine.ts';
import type { EngineRequest } from '../../src/console/engine-messages.ts';
import { until } from '../session/clients.ts';
import { ask, openConsole, trustingConsole } from './at-trusting-console.ts';

await test('killed between two statements', async (t) => {
  const gate = await trustingConsole(t);
  const client = await openConsole(t, gate);
  const answered = ['T', 'D', 'C SELECT 1', 'Z I'];
  t.strictSame(await ask(client, 'SELECT 1'), answered);
  const [engine, ...others] = gate.processes().filter((pid) => pid !== gate.pid);
  t.ok(engine !== undefined && others.length === 0, 'one engine');
  process.kill(engine!, 'SIGKILL');
  await until('it is gone', async () => gate.processes().length === 1);
  t.strictSame(await ask(client, 'SELECT 1'), answered);
});

await test('closed in a statement', async (t) => {
  const request: EngineRequest = {
    sql: 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n',
    parameters: [],
    tables: [],
    describes: false,
    constants: {},
    settings: {},
    done: {},
  };
  const engine = new Engine();
  const timers = t.capture(globalThis, 'setTimeout', globalThis.setTimeout);
  const answer = engine.run(request);
  const begun = timers().length;
  engine.close();
  t.match(await answer, { kind: 'error', sqlstate: '57014', message: 'the console is closed' });
  t.strictSame(timers(), [], `no timer beside the ${begun} of the statement`);
});
