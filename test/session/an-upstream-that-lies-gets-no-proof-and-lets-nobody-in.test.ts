// The gate logs in with a secret of auth_file, and what answers is not an honest server (contract §12): the client is told one
// text, the log says what was wrong, and the lie gets no further answer.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import {
  authentication,
  authenticationCleartextPassword,
  authenticationMd5Password,
  authenticationOk,
  authenticationSasl,
  backendKeyData,
  errorResponse,
  readyForQuery,
} from '../support/peers/messages.ts';
import { HBA, startPostgres } from '../support/servers/postgres.ts';
import { psql } from '../support/peers/psql.ts';
import { scriptedUpstream, type UpstreamConnection } from '../support/peers/scripted-upstream.ts';
import { needs } from '../support/run/tools.ts';
import { openClient } from './clients.ts';

const REPLY = 'could not log in to the upstream server';
const SALT = Buffer.alloc(16, 3).toString('base64');
const SIGNATURE = Buffer.alloc(32, 5).toString('base64');

/** Answers the client's first SCRAM message; `text` gets the client's nonce. */
async function scram(upstream: UpstreamConnection, text: (nonce: string) => string): Promise<void> {
  await upstream.send(authenticationSasl());
  const { body } = await upstream.readMessage();
  const nonce = /r=([^,]+)$/.exec(body.toString('latin1'))?.[1] ?? '';
  await upstream.send(authentication(11, Buffer.from(text(nonce))));
}

const honest = (nonce: string): string => `r=${nonce}server,s=${SALT},i=4096`;

interface Lie {
  readonly play: (upstream: UpstreamConnection) => Promise<void>;
  readonly code: string;
  readonly log: string | RegExp;
  /** Answers that the upstream gets. */
  readonly answers: number;
}

const untrusted = {
  code: 'upstream-untrusted',
  log: 'the upstream server did not prove that it knows the secret',
};
const violation = {
  code: 'upstream-protocol-violation',
  log: /^the upstream server violated the protocol: /,
};

/** Answers the first message with `text`, which no server sends. */
function challenge(text: (nonce: string) => string): Lie {
  return { ...violation, answers: 1, play: async (upstream) => await scram(upstream, text) };
}

const LIES: Readonly<Record<string, Lie>> = {
  'a wrong proof': {
    ...untrusted,
    answers: 2,
    play: async (upstream) => {
      await scram(upstream, honest);
      await upstream.readMessage();
      await upstream.send(authentication(12, Buffer.from(`v=${SIGNATURE}`)), authenticationOk());
    },
  },
  'an error for a proof': {
    ...untrusted,
    answers: 2,
    play: async (upstream) => {
      await scram(upstream, honest);
      await upstream.readMessage();
      await upstream.send(authentication(12, Buffer.from('e=other-error')), authenticationOk());
    },
  },
  'no proof': {
    ...untrusted,
    answers: 2,
    play: async (upstream) => {
      await scram(upstream, honest);
      await upstream.readMessage();
      await upstream.send(authenticationOk());
    },
  },
  'no exchange after its beginning': {
    ...untrusted,
    answers: 1,
    play: async (upstream) => await upstream.send(authenticationSasl(), authenticationOk()),
  },
  'one iteration too many': {
    code: 'upstream-untrusted',
    log: 'the upstream server asks for 100001 SCRAM iterations, more than 100000',
    answers: 1,
    play: async (upstream) => await scram(upstream, (nonce) => `r=${nonce}server,s=${SALT},i=100001`),
  },
  "the client's nonce alone": challenge((nonce) => `r=${nonce},s=${SALT},i=4096`),
  'another nonce': challenge(() => `r=server,s=${SALT},i=4096`),
  'a nonce of 600 bytes': challenge((nonce) => `r=${nonce}${'x'.repeat(600)},s=${SALT},i=4096`),
  'a salt that is not base64': challenge((nonce) => `r=${nonce}server,s=!,i=4096`),
  'no salt': challenge((nonce) => `r=${nonce}server,s=,i=4096`),
  'no iterations': challenge((nonce) => `r=${nonce}server,s=${SALT},i=0`),
  'iterations that are not a number': challenge((nonce) => `r=${nonce}server,s=${SALT},i=1e3`),
  'more after the iterations': challenge((nonce) => `${honest(nonce)},x=1`),
  'a challenge that was not begun': {
    ...violation,
    answers: 0,
    play: async (upstream) => await upstream.send(authentication(11, Buffer.from('r='))),
  },
  'a proof that was not begun': {
    ...violation,
    answers: 0,
    play: async (upstream) => await upstream.send(authentication(12, Buffer.from('v='))),
  },
  'a salt of three bytes': {
    ...violation,
    answers: 0,
    play: async (upstream) => await upstream.send(authentication(5, Buffer.from('abc'))),
  },
  'a second question after the answer': {
    ...violation,
    answers: 1,
    play: async (upstream) => {
      await upstream.send(authenticationMd5Password());
      await upstream.readMessage();
      await upstream.send(authenticationCleartextPassword());
    },
  },
  'cleartext in the middle of SCRAM': {
    ...violation,
    answers: 1,
    play: async (upstream) => {
      await upstream.send(authenticationSasl());
      await upstream.readMessage();
      await upstream.send(authenticationCleartextPassword());
    },
  },
  GSSAPI: {
    code: 'upstream-login-impossible',
    log: 'the upstream server asks for authentication method 7, which the gate cannot answer',
    answers: 0,
    play: async (upstream) => await upstream.send(authentication(7)),
  },
  'a mechanism that nobody knows': {
    code: 'upstream-login-impossible',
    log: 'the upstream server offers no SASL mechanism that the gate knows: PLAIN, SCRAM-SHA-512',
    answers: 0,
    play: async (upstream) => await upstream.send(authenticationSasl(['PLAIN', 'SCRAM-SHA-512'])),
  },
  'a refusal of the secret': {
    code: 'upstream-login-refused',
    log: 'the upstream server refused the login: not this one of 10.0.0.9',
    answers: 1,
    play: async (upstream) => {
      await upstream.send(authenticationMd5Password());
      await upstream.readMessage();
      await upstream.send(
        errorResponse({ S: 'FATAL', V: 'FATAL', C: '28P01', M: 'not this one of 10.0.0.9' }),
      );
    },
  },
};

await test('each lie', async (t) => {
  let answers = 0;
  const upstream = await scriptedUpstream(t, async (connection) => {
    const { parameters } = await connection.readStartup();
    const counted = countingAnswers(connection, () => (answers += 1));
    await LIES[parameters['application_name'] ?? '']?.play(counted);
    // Whatever more the gate says to it.
    for (;;) await counted.readMessage();
  });
  const gate = await startGate(t, {
    hba: 'hostssl all all all trust\n',
    upstream,
    config: { auth_file: 'userlist.txt' },
    files: { 'userlist.txt': '"alice" "correct-horse"\n' },
  });
  for (const [name, lie] of Object.entries(LIES)) {
    answers = 0;
    const from = gate.logLength();
    const client = await openClient(t, gate);
    const { error, messages } = await client.login({ user: 'alice', application_name: name });
    const reply =
      lie.code === 'upstream-protocol-violation' ? 'the upstream server violated the protocol' : REPLY;
    t.equal(error?.['M'], reply, name);
    t.strictSame(
      messages.map(({ type }) => type),
      ['E'],
      `${name}: the client sees nothing else`,
    );
    t.match(await gate.waitForLog({ code: lie.code }, { from }), { msg: lie.log, user: 'alice' }, name);
    // The gate hangs up after its last answer, so whatever it has said is here by then.
    await (
      await upstream.nextConnection()
    ).closed;
    t.equal(answers, lie.answers, `${name}: what the upstream was answered`);
    client.destroy();
  }
  t.notOk(gate.stdout.includes('correct-horse'), 'no password in the log');
});

/** The same connection, with each whole message counted. */
function countingAnswers(connection: UpstreamConnection, onAnswer: () => void): UpstreamConnection {
  const read = connection.readMessage.bind(connection);
  connection.readMessage = async () => {
    const message = await read();
    onAnswer();
    return message;
  };
  return connection;
}

await test('an error before any question, and one after the login, are the client’s', async (t) => {
  const error = errorResponse({ S: 'FATAL', V: 'FATAL', C: '3D000', M: 'database "none" does not exist' });
  const upstream = await scriptedUpstream(t, async (connection) => {
    const { parameters } = await connection.readStartup();
    if (parameters['application_name'] === 'late') {
      await connection.send(authenticationMd5Password());
      await connection.readMessage();
      await connection.send(authenticationOk());
    }
    await connection.send(error);
    connection.halfClose();
  });
  const gate = await startGate(t, {
    hba: 'hostssl all all all trust\n',
    upstream,
    config: { auth_file: 'userlist.txt' },
    files: { 'userlist.txt': '"alice" "correct-horse"\n' },
  });
  for (const name of ['early', 'late']) {
    const client = await openClient(t, gate);
    const login = await client.login({ user: 'alice', application_name: name });
    t.equal(login.error?.['C'], '3D000', name);
    client.destroy();
  }
});

await test('warnings between AuthenticationOk and ParameterStatus pass', async (t) => {
  const notice = Buffer.concat([errorResponse({ S: 'WARNING', V: 'WARNING', C: '01000', M: 'md5 is old' })]);
  notice.write('N', 0, 'latin1');
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.readStartup();
    await connection.send(authenticationMd5Password());
    await connection.readMessage();
    await connection.send(
      authenticationOk(),
      notice,
      backendKeyData(1, Buffer.from('abcd')),
      readyForQuery(),
    );
    await connection.stall();
  });
  const gate = await startGate(t, {
    hba: 'hostssl all all all trust\n',
    upstream,
    config: { auth_file: 'userlist.txt' },
    files: { 'userlist.txt': '"alice" "correct-horse"\n' },
  });
  const client = await openClient(t, gate);
  const { messages } = await client.login({ user: 'alice' });
  t.equal(messages.map(({ type }) => type).join(''), 'RNKZ');
});

await test('a secret of another salt or number of iterations', needs('psql'), async (t) => {
  await using server = await startPostgres({ version: 18, hba: HBA['scram-sha-256'] });
  await server.createUser('alice', { password: 'correct-horse', encryption: 'scram-sha-256' });
  const [row] = await server.query(`select rolpassword from pg_authid where rolname = 'alice'`);
  const gate = await startGate(t, {
    hba: 'host all all all scram-sha-256\n',
    upstream: server,
    config: { auth_file: 'userlist.txt' },
    files: { 'userlist.txt': `"alice" "${String(row?.['rolpassword'])}"\n` },
  });
  const attempt = async () =>
    await psql(`host=127.0.0.1 port=${gate.port} dbname=postgres user=alice`, ['-c', 'select 1'], {
      env: { PGPASSWORD: 'correct-horse' },
    });
  t.equal((await attempt()).stdout, '1\n');
  for (const [setting, what] of [
    ['4096', 'salt'],
    ['5000', 'number of iterations'],
  ] as const) {
    await server.query(`set scram_iterations = ${setting}; alter role alice password 'correct-horse'`);
    if (what !== 'salt') await keepSalt(server, String(row?.['rolpassword']));
    const from = gate.logLength();
    t.match((await attempt()).stderr, REPLY);
    t.match(await gate.waitForLog({ code: 'upstream-login-impossible' }, { from }), {
      msg: `the SCRAM secret of "alice" has another ${what} than the upstream server's`,
    });
  }
});

/** Gives alice a secret that differs in its iterations alone. */
async function keepSalt(server: { query: (sql: string) => Promise<unknown> }, secret: string): Promise<void> {
  await server.query(`alter role alice password '${secret.replace('$4096:', '$5000:')}'`);
}
