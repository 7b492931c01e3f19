// admin.ssl_*: the listener speaks TLS, and lets nobody as far as HTTP who has no certificate of its own CA; judged as
// the database's clients are, at every request, by what is in force then.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { TLSSocket } from 'node:tls';
import { test } from 'tap';
import { testAuthority, type Credentials, type TestAuthority } from '../support/certificates/certificates.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { runProgram } from '../support/run/program.ts';
import type { Scope } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly connection: string | undefined;
  readonly serverSerial: string;
}

interface House {
  readonly gate: Gate;
  readonly server: TestAuthority;
  readonly admins: TestAuthority;
}

/** A gate whose admin listener has a CA of its own; its clients' lists stand in lists.crl. */
async function startHouse(t: Scope): Promise<House> {
  const server = testAuthority(t);
  const admins = testAuthority(t, { cn: 'Administrators' });
  const own = server.server();
  const gate = await startGate(t, {
    hba: 'hostssl all all all cert\n',
    upstream: await scriptedUpstream(t, scripts.trust),
    authority: server,
    config: {
      ssl_crl_file: 'lists.crl',
      reload: { watch: 'off' },
      admin: {
        listen: '127.0.0.1:0',
        ssl_cert_file: 'admin.crt',
        ssl_key_file: 'admin.key',
        ssl_ca_file: 'admins.crt',
      },
    },
    files: {
      'admin.crt': own.cert,
      'admin.key': own.key,
      'admins.crt': admins.cert,
      'lists.crl': server.crl() + admins.crl(),
    },
  });
  return { gate, server, admins };
}

/** One request; rejects when the handshake or the connection fails. */
async function ask(
  { gate, server }: House,
  path: string,
  credentials: Credentials | null,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const certificate = credentials === null ? {} : { cert: credentials.cert, key: credentials.key };
  const asking = request(`${gate.adminUrl}${path}`, {
    ...certificate,
    ca: server.cert,
    agent: false,
    servername: 'localhost',
    method,
    headers,
  });
  asking.end();
  // Where the handshake fails this rejects with the error.
  const [response]: IncomingMessage[] = await once(asking, 'response');
  const { socket, statusCode = 0, headers: answered } = response!;
  const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  return {
    status: statusCode,
    body: await text(response!),
    connection: answered.connection,
    serverSerial: shown?.serialNumber.toLowerCase() ?? '',
  };
}

await test('who gets in', async (t) => {
  const house = await startHouse(t);
  const { gate, server, admins } = house;
  t.match(gate.adminUrl, /^https:\/\/127\.0\.0\.1:/);
  const good = admins.client('root');
  t.match(await ask(house, '/healthz', good), { status: 200, body: '{"ok":true}', connection: 'close' });
  t.match((await ask(house, '/metrics', good)).body, /gatehouse_sessions 0/);

  const strangers: readonly (readonly [string, Credentials | null])[] = [
    ['no certificate', null],
    ['a database client', server.client('alice')],
    ['another CA of that name', testAuthority(t, { cn: 'Administrators' }).client('root')],
    ['expired', admins.client('root', { expired: true })],
    ['not yet valid', admins.client('root', { notYetValid: true })],
    ['for servers', admins.client('root', { extendedKeyUsage: ['serverAuth'] })],
    ['self-signed', admins.client('root', { selfSigned: true })],
  ];
  for (const [name, credentials] of strangers) {
    await t.rejects(
      ask(house, '/healthz', credentials),
      { code: /^(ECONNRESET|ERR_SSL_|EPROTO|EPIPE)/ },
      name,
    );
  }
  const plain = connect({ port: Number(new URL(gate.adminUrl).port), host: '127.0.0.1' });
  plain.on('error', () => undefined);
  plain.write('GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n');
  const said: Buffer[] = [];
  plain.on('data', (chunk: Buffer) => said.push(chunk));
  await once(plain, 'close');
  t.notMatch(Buffer.concat(said).toString('latin1'), /gatehouse|HTTP\/1.1 200/, 'in clear there is nothing');
});

await test('other names are as good as its own, other pages are not', async (t) => {
  const house = await startHouse(t);
  const good = house.admins.client('root');
  t.match(await ask(house, '/healthz', good, { headers: { host: 'gate.example' } }), { status: 200 });
  const headers = { origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' };
  t.match(await ask(house, '/reload', good, { method: 'POST', headers }), { status: 403 });
});

await test('a revoked certificate is refused after the reload', async (t) => {
  const house = await startHouse(t);
  const { gate, server, admins } = house;
  const [leaving, staying] = [admins.client('leaving'), admins.client('staying')];
  t.match(await ask(house, '/healthz', leaving), { status: 200 });
  gate.rewrite('lists.crl', server.crl() + admins.crl({ revoked: [leaving] }));
  t.match(await ask(house, '/reload', leaving, { method: 'POST' }), { status: 200 });
  await t.rejects(ask(house, '/healthz', leaving));
  t.match(await ask(house, '/healthz', staying), { status: 200 });
});

await test('its own certificate is rotated as the other one is', async (t) => {
  const house = await startHouse(t);
  const { gate, server, admins } = house;
  const good = admins.client('root');
  const before = (await ask(house, '/healthz', good)).serverSerial;
  const next = server.server();
  gate.rewrite('admin.crt', next.cert);
  const failed = await ask(house, '/reload', good, { method: 'POST' });
  t.equal(failed.status, 422, 'half of a pair');
  const { errors }: { errors: readonly { line: number; message: string }[] } = JSON.parse(failed.body);
  t.match(errors, [
    { line: Number, message: /could not load private key file ".*admin\.key": key values mismatch/ },
  ]);
  t.equal((await ask(house, '/healthz', good)).serverSerial, before);
  t.match((await ask(house, '/readyz', good)).body, /last reload failed/);

  gate.rewrite('admin.key', next.key);
  t.match(await ask(house, '/reload', good, { method: 'POST' }), { status: 200 });
  t.equal((await ask(house, '/healthz', good)).serverSerial, next.serial.toString(16));
  t.match((await ask(house, '/certificates', good)).body, new RegExp(String(next.serial)), 'and listed');
});

await test('the command line shows a certificate too', async (t) => {
  const { gate, server, admins } = await startHouse(t);
  const { certFile, keyFile } = admins.client('root');
  const tls = ['--admin', gate.adminUrl, '--ca', server.caFile];
  const good = await runProgram(['sessions', ...tls, '--cert', certFile, '--key', keyFile]);
  t.match(good, { code: 0, stdout: /\(0 sessions\)/ }, good.stderr);
  t.match(await runProgram(['sessions', ...tls]), { code: 1, stderr: /could not reach the gate at https:/ });
  const missing = await runProgram(['sessions', ...tls, '--cert', certFile]);
  t.match(missing, { code: 2, stderr: /--cert and --key go together/ });
  const unreadable = await runProgram(['sessions', ...tls, '--cert', certFile, '--key', '/nonexistent']);
  t.match(unreadable, { code: 1, stderr: /could not open file "\/nonexistent": No such file or directory/ });
});
