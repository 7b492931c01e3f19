// The admin listener: raw bytes to its port, in pieces. It answers every request that is one, changes nothing for a
// foreign page, and never fails inside.

import { connect } from 'node:net';
import { createAdminServer } from '../../src/admin/server.ts';
import { adminSettings, exampleGate } from '../../test/admin/example-gate.ts';
import { Draws, pieces } from '../draws.ts';
import { invariant, tokens, type Target } from '../target.ts';

const LOCAL = 'Host: 127.0.0.1\r\n';

const SEEDS = [
  `GET /metrics HTTP/1.1\r\n${LOCAL}\r\n`,
  `GET /sessions HTTP/1.1\r\n${LOCAL}\r\nGET / HTTP/1.1\r\n${LOCAL}Connection: close\r\n\r\n`,
  `DELETE /sessions/1-17 HTTP/1.1\r\n${LOCAL}\r\n`,
  `POST /reload HTTP/1.1\r\n${LOCAL}Content-Length: 2\r\nContent-Type: application/json\r\n\r\n{}`,
  `POST /reload HTTP/1.1\r\n${LOCAL}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  'GET /?sort=user&order=desc HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\n\r\n',
  `GET /%2e%2e/%00?a[]=1 HTTP/1.0\r\n${LOCAL}Upgrade: websocket\r\nConnection: Upgrade\r\nExpect: 100-continue\r\n\r\n`,
];

const WORDS = [
  ...tokens('GET ¦POST ¦DELETE ¦HEAD ¦OPTIONS ¦CONNECT ¦/¦/metrics¦/healthz¦/readyz¦/sessions¦/sessions/'),
  ...tokens(
    '/reload¦/certificates¦/rules¦/style.css¦ HTTP/1.1\r\n¦ HTTP/1.0\r\n¦Host: ¦Origin: ¦Content-Length: ',
  ),
  ...tokens(
    'Transfer-Encoding: chunked\r\n¦Sec-Fetch-Site: same-origin\r\n¦Connection: close\r\n¦\r\n¦\r\n\r\n¦%00¦%2f',
  ),
  ...tokens('localhost¦[::1]¦127.0.0.1:80¦evil.example¦?sort=¦&order=¦Expect: 100-continue\r\n¦0\r\n\r\n'),
];

export async function adminTarget(): Promise<Target> {
  const gate = exampleGate();
  const failures: unknown[] = [];
  const server = await createAdminServer(gate.view, adminSettings('127.0.0.1:0'), {
    onError: (error) => void failures.push(error),
  });
  const port = Number(new URL(server.url).port);
  return {
    maxLength: 4_096,
    limitMs: 1_000,
    seeds: SEEDS.map((text) => Buffer.from(`\0\0\0${text}`)),
    dictionary: WORDS,
    run: async (input) => {
      const draws = new Draws(input);
      const pattern = draws.take(3);
      const bytes = draws.rest();
      const before = { terminated: gate.terminated.length, reloads: gate.reloads };
      const answer = await ask(port, pieces(bytes, pattern));
      const [failure] = failures.splice(0);
      if (failure !== undefined) throw failure;
      invariant(answer === '' || /^HTTP\/1\.1 [1-5]\d\d /.test(answer), 'an answer is HTTP');
      invariant(!/^HTTP\/1\.1 5/m.test(answer), 'nothing fails inside');
      const asked = bytes.toString('latin1');
      // Any address of the loopback network is this machine.
      const isLocal = /^host:\s*(127\.|localhost|\[::1\])/im.test(asked);
      invariant(
        gate.terminated.length === before.terminated || (isLocal && /DELETE\s/.test(asked)),
        'who ends a session says so',
      );
      invariant(gate.reloads === before.reloads || (isLocal && /POST\s/.test(asked)), 'who reloads says so');
    },
    close: () => server.close(),
  };
}

/** Sends it all, closes the sending side, and reads until the other end has closed too. */
async function ask(port: number, parts: readonly Buffer[]): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const received: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => void received.push(chunk));
  // A listener that has read enough closes under a sender, and then there is an error before the close.
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  for (const part of parts) {
    if (socket.writable) await new Promise<void>((resolve) => socket.write(part, () => resolve()));
  }
  socket.end();
  await closed;
  return Buffer.concat(received).toString('latin1');
}
