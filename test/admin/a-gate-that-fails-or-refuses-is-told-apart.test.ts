// What the listener answers when the gate is not ready, a reload fails in part, or a question of its own goes wrong.

import { test } from 'tap';
import { exampleGate, exampleReload, startAdmin } from './example-gate.ts';

await test('a reload that failed in part answers 422 with every error', async (t) => {
  const url = await startAdmin(
    t,
    exampleGate([], {
      reload: async () =>
        exampleReload({
          ok: false,
          warnings: [{ file: '/etc/gatehouse.yaml', line: 2, message: 'parameter "port" cannot be changed' }],
          reloaded: ['settings', 'tls', 'maps'],
          errors: [
            { file: '/etc/pg_hba.conf', line: 3, message: 'invalid authentication method "crt"' },
            {
              file: '/etc/key.pem',
              line: null,
              message: 'has group access',
              detail: 'It must be 0600.',
              hint: 'chmod it',
            },
          ],
        }),
    }).view,
  );
  const answer = await fetch(`${url}/reload`, { method: 'POST' });
  t.equal(answer.status, 422);
  t.strictSame(await answer.json(), {
    ok: false,
    reloaded: ['settings', 'tls', 'maps'],
    errors: [
      { file: '/etc/pg_hba.conf', line: 3, message: 'invalid authentication method "crt"', hint: null },
      {
        file: '/etc/key.pem',
        line: null,
        message: 'has group access',
        hint: 'chmod it',
        detail: 'It must be 0600.',
      },
    ],
    warnings: [
      { file: '/etc/gatehouse.yaml', line: 2, message: 'parameter "port" cannot be changed', hint: null },
    ],
  });
});

await test('readyz says 503 and why; a failed reload alone is named and leaves it ready', async (t) => {
  for (const readiness of [
    { ready: false, reasons: ['draining', 'the upstream does not answer'] },
    { ready: true, reasons: ['the last reload of rules failed'] },
  ]) {
    const url = await startAdmin(t, exampleGate([], { readiness: async () => readiness }).view);
    const answer = await fetch(`${url}/readyz`);
    t.equal(answer.status, readiness.ready ? 200 : 503);
    t.strictSame(await answer.json(), readiness);
    t.equal((await fetch(`${url}/healthz`)).status, 200, 'the process is healthy all the same');
  }
});

await test('a question that goes wrong is for the log; the client learns nothing of it', async (t) => {
  const failure = new Error('worker 3 at /run/secret.sock is gone');
  const told: unknown[] = [];
  const fails = (): Promise<never> => Promise.reject(failure);
  const { view } = exampleGate([], { sessions: fails, fullSessions: fails });
  const url = await startAdmin(t, view, { onError: (error) => told.push(error) });
  for (const path of ['/sessions', '/']) {
    const answer = await fetch(url + path);
    t.equal(answer.status, 500, path);
    t.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8');
    t.equal(await answer.text(), '{"error":"internal error"}');
  }
  t.strictSame(told, [failure, failure]);
});
