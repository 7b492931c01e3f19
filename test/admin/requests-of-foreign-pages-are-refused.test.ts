// DNS rebinding and cross-site requests, header by header: which requests reach the gate and which are refused before.

import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { test } from 'tap';
import { refuseForeignRequest } from '../../src/admin/guard.ts';
import { exampleGate, startAdmin } from './example-gate.ts';

/** `PORT` in a header stands for the listener's. */
const table: readonly (readonly [number, string, Readonly<Record<string, string>>])[] = [
  [200, 'GET /sessions', { host: 'localhost' }],
  [200, 'GET /sessions', { host: 'LocalHost:PORT' }],
  [200, 'GET /sessions', { host: '127.0.0.1:PORT' }],
  [200, 'GET /sessions', { host: '127.8.8.8' }],
  [200, 'GET /sessions', { host: '[::1]:9432' }],
  [421, 'GET /sessions', { host: 'evil.example' }],
  [421, 'GET /sessions', { host: 'evil.example:PORT' }],
  [421, 'GET /sessions', { host: '127.0.0.1.evil.example' }],
  [421, 'GET /sessions', { host: 'localhost.evil.example' }],
  [421, 'GET /sessions', { host: 'localhost@evil.example' }],
  [421, 'GET /sessions', { host: '192.0.2.1' }],
  [421, 'GET /', { host: 'evil.example' }],
  [421, 'GET /nowhere', { host: 'evil.example' }],
  [
    421,
    'POST /reload',
    { host: 'evil.example', origin: 'http://evil.example', 'sec-fetch-site': 'same-origin' },
  ],
  [421, 'DELETE /sessions/1-17', { host: 'evil.example' }],
  // As to a proxy: the host of the URL counts.
  [200, 'GET http://127.0.0.1:PORT/sessions', {}],
  [200, 'GET HTTP://localhost:PORT/sessions?x', { host: 'evil.example' }],
  [200, 'GET http://localhost:PORT', {}],
  [404, 'GET http://localhost:PORT/nowhere', {}],
  [421, 'GET http://evil.example/sessions', {}],
  [421, 'GET http://evil.example', {}],
  [421, 'GET http://127.0.0.1:PORT@evil.example/sessions', {}],
  [421, 'POST http://evil.example/reload', {}],
  [403, 'POST http://127.0.0.1:PORT/reload', { origin: 'http://evil.example' }],
  [200, 'POST http://127.0.0.1:PORT/reload?dry_run=false', { origin: 'http://127.0.0.1:PORT' }],
  // Reading is not changing: the browser keeps the answer from the page.
  [200, 'GET /sessions', { origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' }],
  [403, 'POST /reload', { origin: 'http://evil.example' }],
  [403, 'POST /reload', { origin: 'null' }],
  [403, 'POST /reload', { origin: 'http://127.0.0.1:1' }],
  [403, 'POST /reload', { 'sec-fetch-site': 'cross-site' }],
  [403, 'POST /reload', { 'sec-fetch-site': 'same-site' }],
  [403, 'POST /reload', { origin: 'http://127.0.0.1:PORT', 'sec-fetch-site': 'cross-site' }],
  [403, 'DELETE /sessions/1-17', { origin: 'http://evil.example' }],
  [403, 'DELETE /sessions/1-17', { 'sec-fetch-site': 'cross-site' }],
  [200, 'POST /reload', {}],
  [200, 'POST /reload', { 'sec-fetch-site': 'none' }],
  [200, 'POST /reload', { origin: 'http://127.0.0.1:PORT', 'sec-fetch-site': 'same-origin' }],
  [200, 'DELETE /sessions/1-17', { origin: 'http://127.0.0.1:PORT' }],
];

await test('each request in turn', async (t) => {
  const gate = exampleGate();
  const { port } = new URL(await startAdmin(t, gate.view));
  for (const [status, line, template] of table) {
    const [method, path] = line.replace('PORT', port).split(' ');
    const headers: Record<string, string> = { host: `127.0.0.1:${port}` };
    for (const [name, value] of Object.entries(template)) headers[name] = value.replace('PORT', port);
    const changes = gate.reloads + gate.terminated.length;
    const answer = await new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
        text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
      })
        .on('error', reject)
        .end();
    });
    const name = `${line} ${JSON.stringify(template)}`;
    t.equal(answer.status, status, name);
    if (status !== 200) {
      t.equal(gate.reloads + gate.terminated.length, changes, `${name}: nothing was changed`);
      t.type(JSON.parse(answer.body).error, 'string', `${name}: says why`);
    }
  }
});

await test('what admin.listen says is a name of the listener, and a Unix socket needs none', async (t) => {
  const get = { method: 'GET', origin: undefined, secFetchSite: undefined };
  t.equal(refuseForeignRequest({ ...get, host: 'gate.internal:9432' }, 'gate.internal'), null);
  t.equal(refuseForeignRequest({ ...get, host: '[2001:db8::1]:9432' }, '2001:DB8::1'), null);
  t.match(refuseForeignRequest({ ...get, host: 'other.internal' }, 'gate.internal'), { status: 421 });
  t.match(refuseForeignRequest({ ...get, host: undefined }, 'gate.internal'), { status: 421 });
  t.equal(refuseForeignRequest({ ...get, host: 'anything' }, null), null);
  const post = { method: 'POST', host: 'localhost', secFetchSite: undefined };
  t.match(refuseForeignRequest({ ...post, origin: 'http://evil.example' }, null), { status: 403 });
});
