// Contract §5 and §7.2, §7.26: each route's status, content type and form, read over real HTTP.

import { test } from 'tap';
import { exampleCertificate, exampleCrl, exampleGate, exampleSession, startAdmin } from './example-gate.ts';

const session = exampleSession();
const certificate = exampleCertificate();
const crl = exampleCrl();
const rule = { file: '/etc/pg_hba.conf', line: 4, rule: 'hostssl all all all cert', hits: 7 };
const gate = exampleGate([session], {
  certificates: async () => ({ certificates: [certificate], crls: [crl] }),
  rules: async () => [rule],
});

const json = 'application/json; charset=utf-8';
const { revokedSerials, ...crlFacts } = crl;
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

interface Expectation {
  readonly request: `${'GET' | 'POST' | 'DELETE'} ${string}`;
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
}

const table: readonly Expectation[] = [
  {
    request: 'GET /metrics',
    status: 200,
    type: 'text/plain; version=0.0.4; charset=utf-8',
    body: 'gatehouse_up 1\n',
  },
  { request: 'GET /healthz', status: 200, type: json, body: { ok: true } },
  { request: 'GET /readyz', status: 200, type: json, body: { ready: true, reasons: [] } },
  { request: 'GET /sessions', status: 200, type: json, body: [session] },
  {
    request: 'GET /certificates',
    status: 200,
    type: json,
    body: asJson({ certificates: [certificate], crls: [{ ...crlFacts, revoked: revokedSerials.size }] }),
  },
  { request: 'GET /rules', status: 200, type: json, body: [rule] },
  {
    request: 'POST /reload',
    status: 200,
    type: json,
    body: { ok: true, reloaded: ['settings', 'tls', 'rules', 'maps'] },
  },
  { request: 'DELETE /sessions/unknown', status: 404, type: json, body: { error: 'no such session' } },
  { request: 'DELETE /sessions/1-17', status: 200, type: json, body: { ok: true } },
  { request: 'DELETE /sessions/1-17', status: 404, type: json, body: { error: 'no such session' } },
  { request: 'GET /nowhere', status: 404, type: json, body: { error: 'not found' } },
  { request: 'POST /metrics', status: 404, type: json, body: { error: 'not found' } },
  { request: 'GET /%zz', status: 400, type: json, body: { error: 'bad request' } },
];

await test('each route in turn', async (t) => {
  const url = await startAdmin(t, gate.view);
  for (const { request, status, type, body } of table) {
    const [method = '', path = ''] = request.split(' ');
    const answer = await fetch(url + path, { method });
    t.equal(answer.status, status, `${request}: status`);
    t.equal(answer.headers.get('content-type'), type, `${request}: content type`);
    t.equal(answer.headers.get('server'), null, `${request}: no Server header`);
    if (status !== 400) {
      const policy = answer.headers.get('content-security-policy') ?? '';
      t.match(policy, "default-src 'none'", `${request}: nothing runs that is not ours`);
      t.match(policy, "frame-ancestors 'none'", `${request}: no page frames it`);
      t.equal(answer.headers.get('x-content-type-options'), 'nosniff', `${request}: is what it says`);
      t.equal(
        answer.headers.get('access-control-allow-origin'),
        null,
        `${request}: no page of others reads it`,
      );
    }
    t.equal(answer.headers.get('x-powered-by'), null, `${request}: no X-Powered-By header`);
    t.strictSame(type === json ? await answer.json() : await answer.text(), body, `${request}: body`);

    if (method !== 'GET') continue;
    const head = await fetch(url + path, { method: 'HEAD' });
    t.equal(head.status, status, `HEAD ${path}: status`);
    t.equal(head.headers.get('content-type'), type, `HEAD ${path}: content type`);
    t.equal(await head.text(), '', `HEAD ${path}: no body`);
  }
  t.strictSame(gate.terminated, ['unknown', '1-17', '1-17']);
  t.equal(gate.reloads, 1);
});
