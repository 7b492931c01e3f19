// admin.status_listen (contract §17): /metrics, /healthz and /readyz over plain HTTP on any address, nothing else, no name
// of a client or user, and bounded as the admin listener is.

import { connect } from 'node:net';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { test } from 'tap';
import { createStatusServer } from '../../src/admin/server.ts';
import { LoadError } from '../../src/base/problems.ts';
import type { GateView } from '../../src/admin/gate-view.ts';
import { startGate } from '../support/run/gate.ts';
import { openSession } from '../session/clients.ts';
import { answering, reloaded } from '../production/clients.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { exampleGate } from './example-gate.ts';

const ROUTES = ['/metrics', '/healthz', '/readyz'];

await test('three routes, and none of a client', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: await scriptedUpstream(t, answering),
    config: { admin: { listen: '127.0.0.1:0', status_listen: '127.0.0.1:0' }, reload: { watch: 'off' } },
  });
  const { url } = await gate.waitForLog({ msg: /^status listener on http:/ });
  const ask = async (path: string, method = 'GET') => {
    const answer = await fetch(`${String(url)}${path}`, { method });
    return { status: answer.status, body: await answer.text() };
  };
  await openSession(t, gate, {
    tls: false,
    parameters: { user: 'hidden-user', application_name: 'hidden-app' },
  });
  const [session] = await gate.sessions();
  t.equal(session?.['user'], 'hidden-user');

  for (const path of ROUTES) {
    t.equal((await ask(path)).status, 200, path);
    t.strictSame(await ask(path, 'HEAD'), { status: 200, body: '' });
    for (const method of ['POST', 'DELETE', 'PUT', 'OPTIONS'])
      t.equal((await ask(path, method)).status, 404, `${method} ${path}`);
  }
  const id = String(session?.id);
  for (const path of [
    '/',
    '/sessions',
    '/rules',
    '/certificates',
    '/refusals',
    '/bans',
    '/page.js',
    '/metrics/',
    `/sessions/${id}`,
  ])
    t.equal((await ask(path)).status, 404, path);
  for (const [method, path] of [
    ['POST', '/reload'],
    ['DELETE', `/sessions/${id}`],
    ['DELETE', '/sessions?all=true'],
  ] as const)
    t.equal((await ask(path, method)).status, 404, `${method} ${path}`);
  t.equal((await gate.sessions()).length, 1, 'nothing was ended');

  // What was not reloaded stands there with its place. An error quotes the file; operators alone read that.
  gate.rewrite('pg_hba.conf', 'host all /^hidden-user( all trust\n');
  t.match(await reloaded(gate), { ok: false });
  const place = `last reload failed: ${gate.path('pg_hba.conf')}:1`;
  t.strictSame(JSON.parse((await ask('/readyz')).body), { ready: true, reasons: [place] });
  const full: { reasons: string[] } = JSON.parse((await gate.admin('/readyz')).body);
  t.equal(full.reasons.length, 1);
  t.match(full.reasons[0], `${place}: invalid regular expression "^hidden-user("`);
  const metrics = await ask('/metrics');
  t.match(metrics.body, /^gatehouse_sessions 1$/m);
  for (const { body } of [metrics, await ask('/readyz'), await ask('/healthz')]) t.notMatch(body, 'hidden');
});

async function start(
  t: { teardown: (end: () => Promise<void>) => void },
  listen: string,
  changes: Partial<GateView> = {},
) {
  const server = await createStatusServer(
    exampleGate([], changes).view,
    {
      admin: { status_listen: listen },
      placeOf: () => ({ source: 'configuration file', file: '/etc/gatehouse.yaml', line: 7 }),
    },
    { limits: { connections: 4 } },
  );
  t.teardown(() => server.close());
  return server;
}

await test('it stands on any address, and answers to any name', async (t) => {
  const { url } = await start(t, '*:0');
  const { port } = new URL(url);
  const own = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ family, scopeid = 0 }) => family === 'IPv4' || scopeid === 0)
    .map(({ address, family }) => (family === 'IPv6' ? `[${address}]` : address));
  for (const host of own) t.equal((await fetch(`http://${host}:${port}/healthz`)).status, 200, host);
  const socket = connect({ host: '127.0.0.1', port: Number(port) });
  socket.end('GET /readyz HTTP/1.1\r\nHost: gate-0.gate.databases.svc:9433\r\nConnection: close\r\n\r\n');
  const [first] = await once(socket, 'data');
  t.match(String(first), /^HTTP\/1\.1 200 /);
  const keeping = connect({ host: '127.0.0.1', port: Number(port) });
  keeping.write('GET /healthz HTTP/1.1\r\nHost: gate\r\n\r\n');
  const [answer] = await once(keeping, 'data');
  t.match(String(answer), /^connection: close\r$/im, 'a connection is one request, so nobody holds a place');
  keeping.destroy();
  const error: unknown = await start(t, `*:${port}`).catch((thrown: unknown) => thrown);
  t.match(error instanceof LoadError ? error.problems : error, [
    {
      file: '/etc/gatehouse.yaml',
      line: 7,
      message: /could not bind the status listener to .*: Address already in use/,
      hint: /admin\.status_listen/,
    },
  ]);
});

await test('strangers at it keep no probe out, and many scrapes cost one', async (t) => {
  let scrapes = 0;
  const { url } = await start(t, '127.0.0.1:0', {
    metricsText: async () => ({ contentType: 'text/plain', body: `scrapes ${++scrapes}\n` }),
  });
  const { hostname, port } = new URL(url);
  for (let silent = 0; silent < 8; silent++) {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on('error', () => {});
    t.teardown(() => socket.destroy());
    await once(socket, 'connect');
  }
  t.equal((await fetch(`${url}/healthz`)).status, 200);
  const begun = performance.now();
  const bodies = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const answer = await fetch(`${url}/metrics`, { headers: { connection: 'close' } }).catch(() => null);
      return answer === null ? '' : await answer.text();
    }),
  );
  const seconds = (performance.now() - begun) / 1000;
  t.ok(
    bodies.some((body) => /^scrapes \d+\n$/.test(body)),
    'some of them are answered',
  );
  // Of a second, and no more: a machine that is slow with the requests may need several.
  t.ok(scrapes <= 1 + seconds, `${scrapes} scrapes for 20 requests in ${seconds} s`);
});

await test('readers that do not read their answers keep no probe out', async (t) => {
  const { url } = await start(t, '127.0.0.1:0', {
    metricsText: async () => ({ contentType: 'text/plain', body: '#'.repeat(32 * 1024 * 1024) }),
  });
  const { hostname, port } = new URL(url);
  for (let stalled = 0; stalled < 8; stalled++) {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on('error', () => {});
    t.teardown(() => socket.destroy());
    socket.write('GET /metrics HTTP/1.1\r\nHost: gate\r\n\r\n');
    // The answer has begun, and the rest of it waits.
    await once(socket, 'readable');
  }
  t.equal((await fetch(`${url}/healthz`)).status, 200);
});
