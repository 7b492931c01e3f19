// Slow, silent, large, broken and many requests, over raw sockets: each costs one bounded connection and no more.

import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'tap';
import { within } from '../support/run/waiting.ts';
import { createAdminServer } from '../../src/admin/server.ts';
import { adminSettings, exampleGate, startAdmin } from './example-gate.ts';

async function dial(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** Everything the listener sends until it closes, with a reset or without: it may close before all is written. */
async function exchange(url: string, bytes: string): Promise<string> {
  const socket = await dial(url);
  let received = '';
  socket.setEncoding('utf8').on('data', (piece: string) => (received += piece));
  const closed = new Promise((resolve) => socket.on('error', () => {}).once('close', resolve));
  socket.write(bytes);
  await within(closed, 'the listener to close');
  return received;
}

const host = 'Host: localhost\r\n';

await test('what is not an acceptable request is answered in JSON and closed', async (t) => {
  const gate = exampleGate();
  const url = await startAdmin(t, gate.view);
  const close = 'Connection: close\r\n';
  const table: readonly (readonly [string, number, RegExp])[] = [
    ['\x16\x03\x01\x02\x00\x01', 400, /\r\n\r\n\{"error":"bad request"\}$/],
    ['GET /healthz HTTP/1.1\r\n\r\n', 400, /^HTTP\/1\.1 400/],
    [
      `GET /healthz HTTP/1.1\r\n${host}X: ${'x'.repeat(9000)}\r\n\r\n`,
      431,
      /\{"error":"request header fields too large"\}$/,
    ],
    [
      `POST /reload HTTP/1.1\r\n${host}${close}Content-Length: 2000\r\n\r\n${'x'.repeat(2000)}`,
      413,
      /\{"error":"[^"]*too large"\}$/,
    ],
    [
      `POST /reload HTTP/1.1\r\n${host}${close}Transfer-Encoding: chunked\r\n\r\n7d0\r\n${'x'.repeat(2000)}\r\n`,
      413,
      /\{"error":"[^"]*too large"\}$/,
    ],
    [
      `POST /reload HTTP/1.1\r\n${host}${close}Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc`,
      200,
      /"ok":true/,
    ],
    [
      `POST /reload HTTP/1.1\r\n${host}${close}Content-Type: application/json\r\nContent-Length: 0\r\n\r\n`,
      200,
      /"ok":true/,
    ],
    ['GET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n', 421, /\{"error":"[^"]+"\}$/],
    [`GET /healthz HTTP/1.0\r\n${close}\r\n`, 421, /\{"error":"[^"]+"\}$/],
  ];
  for (const [bytes, status, answer] of table) {
    const received = await exchange(url, bytes);
    t.match(received, new RegExp(`^HTTP/1\\.1 ${status} `), JSON.stringify(bytes.slice(0, 60)));
    t.match(received, answer);
    t.notMatch(received, / at .*\.(ts|js):/, 'no stack trace');
  }
  t.equal(gate.reloads, 2, 'the refused ones reached no route');
});

await test('a client that is slow with its request, or silent, loses its connection', async (t) => {
  const limits = { headersTimeoutMs: 100, requestTimeoutMs: 200, timeoutCheckMs: 20 };
  const url = await startAdmin(t, exampleGate().view, { limits });
  for (const begin of [
    '',
    'GET /healthz HTTP/1.1\r\nHo',
    `POST /reload HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nabc`,
  ]) {
    const received = await exchange(url, begin);
    t.match(received, /^(HTTP\/1\.1 408 .*\{"error":"request timeout"\})?$/s, JSON.stringify(begin));
  }
  const idle = { keepAliveTimeoutMs: 50 };
  const received = await exchange(
    await startAdmin(t, exampleGate().view, { limits: idle }),
    `GET /healthz HTTP/1.1\r\n${host}\r\n`,
  );
  t.match(
    received,
    /^HTTP\/1\.1 200 .*\{"ok":true\}$/s,
    'a connection kept alive is closed after its answer',
  );
});

await test('requests that do not wait for answers are not carried out all at once', async (t) => {
  let asked = 0;
  const gate = exampleGate([], {
    fullSessions: async () => {
      asked += 1;
      return [];
    },
  });
  const url = await startAdmin(t, gate.view);
  await exchange(url, `GET / HTTP/1.1\r\n${host}\r\n`.repeat(1000));
  // The connection is closed before anything is asked for, and one that comes later is asked for later.
  t.equal((await fetch(url, { headers: { connection: 'close' } })).status, 200);
  t.equal(asked, 2, 'the first one only, and the later one');
  const socket = await dial(url);
  for (let turn = 0; turn < 3; turn++) {
    const answered = once(socket, 'data');
    socket.write(`GET /healthz HTTP/1.1\r\n${host}\r\n`);
    t.match(String(await within(answered, 'an answer')), /^HTTP\/1\.1 200/, 'one after another is as ever');
  }
  socket.destroy();
});

await test('a body that goes on after its refusal ends with the connection', async (t) => {
  const url = await startAdmin(t, exampleGate().view);
  for (const path of ['/reload', '/nowhere']) {
    const begin = `POST ${path} HTTP/1.1\r\n${host}Content-Length: 100000000\r\n\r\n`;
    t.match(await exchange(url, begin), /^HTTP\/1\.1 4.*\r\nconnection: close\r\n/is, path);
  }
});

await test('a client that leaves in the middle of an answer is not a failure', async (t) => {
  const told: unknown[] = [];
  const rows = Array.from({ length: 20_000 }, () => ({ file: 'x'.repeat(500), line: 1, rule: '', hits: 0 }));
  const gate = exampleGate([], { rules: async () => rows });
  const url = await startAdmin(t, gate.view, { onError: (error) => told.push(error) });
  const socket = await dial(url);
  socket.write(`GET /rules HTTP/1.1\r\n${host}\r\n`);
  await within(once(socket, 'data'), 'the beginning');
  socket.resetAndDestroy();
  t.equal((await fetch(`${url}/healthz`)).status, 200);
  t.strictSame(told, []);
});

await test('above the limit the oldest that has asked for nothing gives way', async (t) => {
  const asked: (() => void)[] = [];
  const view = exampleGate([], { rules: () => new Promise(() => asked.shift()?.()) }).view;
  const url = await startAdmin(t, view, { limits: { connections: 3 } });
  const silent = [await dial(url), await dial(url), await dial(url)];
  t.teardown(() => silent.forEach((socket) => socket.destroy()));
  const healthz = `GET /healthz HTTP/1.1\r\n${host}Connection: close\r\n\r\n`;
  t.match(await exchange(url, healthz), /^HTTP\/1\.1 200 /, 'the fourth is answered');
  t.equal(await within(text(silent[0]!), 'the oldest to be closed'), '');
  silent[1]!.write(healthz);
  t.match(await within(text(silent[1]!), 'the answer'), /^HTTP\/1\.1 200 /, 'the others stay');

  const waiting: Promise<string>[] = [];
  for (let count = 0; count < 3; count++) {
    const routed = Promise.withResolvers<void>();
    asked.push(routed.resolve);
    waiting.push(exchange(url, `GET /rules HTTP/1.1\r\n${host}\r\n`));
    await within(routed.promise, 'the request to arrive');
  }
  t.equal(await exchange(url, healthz), '', 'who has asked for something gives way to nobody');
  t.teardown(() => void Promise.allSettled(waiting));
});

await test('close() ends what is still open', async (t) => {
  const started = Promise.withResolvers<void>();
  const view = exampleGate([], {
    rules: () => {
      started.resolve();
      return new Promise(() => {});
    },
  }).view;
  const server = await createAdminServer(view, adminSettings('127.0.0.1:0'));
  const silent = await dial(server.url);
  const waiting = exchange(server.url, `GET /rules HTTP/1.1\r\n${host}\r\n`);
  await started.promise;
  await within(server.close(), 'close()');
  t.equal(await waiting, '');
  t.equal(await within(text(silent), 'the silent connection to close'), '');
  await t.rejects(dial(server.url), { code: 'ECONNREFUSED' });
});
