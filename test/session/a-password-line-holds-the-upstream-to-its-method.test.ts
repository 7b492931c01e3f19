// `password`, `md5` and `scram-sha-256` in the gate's rules against what the upstream asks for: at least that strong, or
// 28000 before the client has been asked for anything weaker. First byte by byte, then with real servers and psql.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import {
  authentication,
  authenticationCleartextPassword,
  authenticationMd5Password,
  authenticationOk,
  authenticationSasl,
  backendKeyData,
  decodeErrorResponse,
  errorResponse,
  passwordMessage,
  readyForQuery,
  startupMessage,
} from '../support/peers/messages.ts';
import { HBA, startPostgres } from '../support/servers/postgres.ts';
import { psql } from '../support/peers/psql.ts';
import { scriptedUpstream, type UpstreamConnection } from '../support/peers/scripted-upstream.ts';
import { needs } from '../support/run/tools.ts';
import { codedLines, conninfo, openClient } from './clients.ts';

const METHODS = ['trust', 'password', 'md5', 'scram-sha-256'] as const;
type Method = (typeof METHODS)[number];

/** What a scripted upstream asks for, one after another; its user's name says which. */
const ASKS: Record<string, { readonly requests: readonly Buffer[]; readonly proves: Method }> = {
  nothing: { requests: [], proves: 'trust' },
  'a password in clear': { requests: [authenticationCleartextPassword()], proves: 'password' },
  'an md5 hash': { requests: [authenticationMd5Password()], proves: 'md5' },
  'scram-sha-256': {
    requests: [
      authenticationSasl(),
      authentication(11, Buffer.from('r=')),
      authentication(12, Buffer.from('v=')),
    ],
    proves: 'scram-sha-256',
  },
  'scram-sha-256, and stops in the middle': {
    requests: [authenticationSasl(), authentication(11, Buffer.from('r='))],
    proves: 'trust',
  },
  'SASL of a kind that nobody knows': { requests: [authenticationSasl(['PLAIN'])], proves: 'trust' },
  GSSAPI: { requests: [authentication(7)], proves: 'trust' },
  'the end of an exchange that never began': {
    requests: [authentication(12, Buffer.from('v='))],
    proves: 'trust',
  },
  'scram-sha-256, and ends it before it begins it': {
    requests: [authentication(12, Buffer.from('v=')), authenticationSasl()],
    proves: 'trust',
  },
  'scram-sha-256 or a token in clear, as the client likes': {
    requests: [authenticationSasl(['SCRAM-SHA-256', 'PLAIN']), authentication(12, Buffer.from('v='))],
    proves: 'trust',
  },
  'scram-sha-256 and then a password in clear': {
    requests: [authenticationSasl(), authenticationCleartextPassword()],
    proves: 'password',
  },
};

await test('a table of lines and upstreams', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection: UpstreamConnection) => {
    const { parameters } = await connection.readStartup();
    for (const request of ASKS[parameters['application_name']!]!.requests) {
      await connection.send(request);
      if (wantsAnswer(request)) await connection.readMessage();
    }
    await connection.send(authenticationOk(), backendKeyData(1, Buffer.from('abcd')), readyForQuery());
  });
  const hba = METHODS.map((method) => `hostssl all ${method} 127.0.0.1/32 ${method}\n`).join('');
  const gate = await startGate(t, { hba, upstream });
  for (const demanded of METHODS) {
    for (const [asked, { requests, proves }] of Object.entries(ASKS)) {
      const name = `${demanded} before an upstream that asks for ${asked}`;
      const from = gate.logLength();
      const client = await openClient(t, gate);
      const { code, requested } = await answerAll(client, { user: demanded, application_name: asked });
      const admitted = METHODS.indexOf(proves) >= METHODS.indexOf(demanded);
      if (admitted) {
        t.strictSame({ code, requested }, { code: 'ready', requested: requests.length }, name);
        continue;
      }
      t.equal(code, '28000', name);
      // Up to the request that is too weak the exchange is relayed; that one never reaches the client.
      const passed = requests.findIndex((_, index) => tooWeak(requests[index]!, demanded));
      t.equal(requested, passed < 0 ? requests.length : passed, `${name}: what the client was asked for`);
      t.match(
        await gate.waitForLog({ code: 'upstream-authentication-too-weak' }, { from }),
        { code: 'upstream-authentication-too-weak', user: demanded, sqlstate: '28000' },
        name,
      );
      client.halfClose();
    }
  }
});

/** The end of a SASL exchange is not a request: nobody answers it. */
function wantsAnswer(request: Buffer): boolean {
  return request.readInt32BE(5) !== 12;
}

/** Whether a request for a proof is weaker than a line demands; the steps of an exchange are none. */
function tooWeak(request: Buffer, demanded: Method): boolean {
  const code = request.readInt32BE(5);
  if (code === 11 || code === 12) return false;
  const scram = code === 10 && request.includes('SCRAM-SHA-256') && !request.includes('PLAIN');
  const strength = scram ? 3 : code === 5 ? 2 : code === 3 ? 1 : 0;
  return strength < METHODS.indexOf(demanded);
}

/** Logs in, giving each request any answer. */
async function answerAll(
  client: Awaited<ReturnType<typeof openClient>>,
  parameters: Readonly<Record<string, string>>,
): Promise<{ code: string; requested: number }> {
  await client.send(startupMessage(parameters));
  for (let requested = 0; ;) {
    const message = await client.readMessage();
    if (message.type === 'E') return { code: decodeErrorResponse(message)['C']!, requested };
    if (message.type === 'Z') return { code: 'ready', requested };
    if (message.type !== 'R' || message.body.readInt32BE(0) === 0) continue;
    requested += 1;
    if (message.body.readInt32BE(0) === 12) continue;
    await client.send(passwordMessage('secret'));
  }
}

await test("the upstream's refusal of a password is its own", async (t) => {
  const refusal = errorResponse({
    S: 'FATAL',
    V: 'FATAL',
    C: '28P01',
    M: 'password authentication failed for user "alice"',
  });
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.readStartup();
    await connection.send(authenticationMd5Password());
    await connection.readMessage();
    await connection.send(refusal);
    connection.halfClose();
  });
  const gate = await startGate(t, { hba: 'hostssl all all 127.0.0.1/32 md5\n', upstream });
  const client = await openClient(t, gate);
  t.strictSame(await answerAll(client, { user: 'alice' }), { code: '28P01', requested: 1 });
});

await test('PostgreSQL and psql', needs('psql'), async (t) => {
  await using server = await startPostgres({ version: 15 });
  await server.createUser('alice', { password: 'secret', encryption: 'scram-sha-256' });
  await server.createUser('bob', { password: 'secret', encryption: 'md5' });
  const hba = METHODS.map((method) => `hostssl ${databaseOf(method)} all 127.0.0.1/32 ${method}\n`).join('');
  for (const method of METHODS) await server.createDatabase(databaseOf(method));
  const gate = await startGate(t, { hba, upstream: server });
  const credentials = gate.authority.client('alice');

  for (const served of METHODS) {
    await server.setRules(HBA[served]);
    // The server can do scram-sha-256 only with the secret that fits it.
    const users = served === 'scram-sha-256' ? ['alice'] : ['alice', 'bob'];
    const attempts = METHODS.flatMap((demanded) => users.map((user) => ({ demanded, user })));
    await Promise.all(
      attempts.map(async ({ demanded, user }) => {
        const name = `${user}: ${demanded} before a server that says ${served}`;
        const target = conninfo(gate, credentials, { user, dbname: databaseOf(demanded) });
        const { stdout, stderr } = await psql(target, ['-c', 'select 1'], { env: { PGPASSWORD: 'secret' } });
        const admitted = METHODS.indexOf(asksFor(served, user)) >= METHODS.indexOf(demanded);
        t.equal(stdout, admitted ? '1\n' : '', `${name}: ${stderr}`);
        if (!admitted) t.match(stderr, /FATAL: {2}authentication failed for user/, name);
      }),
    );
  }
  t.strictSame([...new Set(codedLines(gate).map(({ code }) => code))], ['upstream-authentication-too-weak']);

  const from = gate.logLength();
  const wrong = await psql(
    conninfo(gate, credentials, { user: 'alice', dbname: 'scram_sha_256' }),
    ['-c', ''],
    {
      env: { PGPASSWORD: 'guess' },
    },
  );
  t.match(wrong.stderr, /FATAL: {2}password authentication failed for user "alice"/);
  t.match(await gate.waitForLog({ code: 'upstream-refused' }, { from }), { upstream_sqlstate: '28P01' });
  const authenticated = gate.log.filter(({ msg }) =>
    msg.startsWith('connection authenticated: identity="alice"'),
  );
  t.ok(authenticated.length > 0, 'the upstream has proved the name');
  t.notOk(JSON.stringify(gate.log).includes('secret'), 'no password in the log');
});

/** Each line of the gate's rules has a database of its own. */
function databaseOf(method: Method): string {
  return method.replaceAll('-', '_');
}

/** What a server asks a user for whose line says `method`: under md5 it is the stored secret that decides. */
function asksFor(method: Method, user: string): Method {
  return method === 'md5' && user === 'alice' ? 'scram-sha-256' : method;
}

await test('a directory says what password says, and what the gate cannot do admits nobody', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection: UpstreamConnection) => {
    const { parameters } = await connection.readStartup();
    for (const request of ASKS[parameters['application_name']!]!.requests) {
      await connection.send(request);
      if (wantsAnswer(request)) await connection.readMessage();
    }
    await connection.send(authenticationOk(), backendKeyData(1, Buffer.from('abcd')), readyForQuery());
  });
  const hba = [
    'hostssl all lena  127.0.0.1/32 ldap ldapserver=ldap.example ldapbasedn="dc=example"',
    'hostssl all paul  127.0.0.1/32 pam',
    'hostssl all ida   127.0.0.1/32 ident',
    'hostssl all greta 127.0.0.1/32 gss',
    'hostssl all all   127.0.0.1/32 trust',
  ].join('\n');
  const gate = await startGate(t, { hba: `${hba}\n`, upstream });
  for (const user of ['lena', 'paul']) {
    const from = gate.logLength();
    const client = await openClient(t, gate);
    await client.send(startupMessage({ user, database: 'app', application_name: 'nothing' }));
    const refused = decodeErrorResponse(await client.readMessage());
    t.equal(refused['C'], '28000', `${user}, whom the upstream trusts`);
    t.equal((await gate.waitForLog({ code: 'upstream-authentication-too-weak' }, { from }))['user'], user);
  }
  for (const [user, method] of [
    ['ida', 'ident'],
    ['greta', 'gss'],
  ] as const) {
    const from = gate.logLength();
    const client = await openClient(t, gate);
    await client.send(startupMessage({ user, database: 'app', application_name: 'nothing' }));
    const refused = decodeErrorResponse(await client.readMessage());
    t.equal(refused['M'], `authentication method "${method}" is not supported by pg-gatehouse`);
    t.equal(refused['C'], '28000');
    t.equal((await gate.waitForLog({ code: 'hba-method-not-supported' }, { from }))['user'], user);
  }
});
