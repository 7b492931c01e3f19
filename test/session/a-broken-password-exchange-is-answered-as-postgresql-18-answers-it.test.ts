// A client that breaks the exchange of its password, before the gate and before PostgreSQL 18 with the same rules and the
// same users: SQLSTATE, message and DETAIL are the same.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import {
  cstring,
  decodeErrorResponse,
  int32,
  message,
  query,
  startupMessage,
} from '../support/peers/messages.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';

const SCRAM = 'SCRAM-SHA-256';
const PLUS = 'SCRAM-SHA-256-PLUS';
const BINDING = 'p=tls-server-end-point,,n=,r=abc';
/** 32 bytes that prove nothing. */
const NO_PROOF = Buffer.alloc(32, 7).toString('base64');

/** Secrets of passwords that nobody knows. */
const MD5_SECRET = `md5${'a'.repeat(32)}`;
const SCRAM_SECRET = `SCRAM-SHA-256$4096:${Buffer.alloc(16, 1).toString('base64')}$${NO_PROOF}:${NO_PROOF}`;

interface Case {
  /** Which line decides. */
  readonly database?: string;
  readonly user?: string;
  readonly tls?: boolean;
  /** What is sent, one after the other, each after a request; a function gets the server's nonce. */
  readonly sends: readonly (Buffer | ((nonce: string) => Buffer))[];
}

function initial(mechanism: string, data: string | null, { length }: { length?: number } = {}): Buffer {
  const bytes = Buffer.from(data ?? '', 'latin1');
  const size = length ?? (data === null ? -1 : bytes.length);
  return message('p', cstring(mechanism), int32(size), bytes);
}

function answer(text: string): Buffer {
  return message('p', Buffer.from(text, 'latin1'));
}

function first(data: string, mechanism = SCRAM): Case {
  return { sends: [initial(mechanism, data)] };
}

/** After a first message that is right. */
function final(text: (nonce: string) => string, begin = 'n,,n=,r=abc', mechanism = SCRAM): Case {
  return { sends: [initial(mechanism, begin), (nonce) => answer(text(nonce))] };
}

function password(body: Buffer, database = 'password'): Case {
  return { database, sends: [body] };
}

const CASES: Readonly<Record<string, Case>> = {
  'a query in place of the first message': { sends: [query('select 1')] },
  'a query in place of the last message': { sends: [initial(SCRAM, 'n,,n=,r=abc'), query('select 1')] },
  'an unknown mechanism': first('n,,n=,r=abc', 'SCRAM-SHA-1'),
  'PLUS in clear': { tls: false, sends: [initial(PLUS, BINDING)] },
  'a mechanism without an end': { sends: [message('p', Buffer.from(SCRAM))] },
  'an unknown mechanism and nothing more': { sends: [message('p', cstring('BOGUS'))] },
  'an unknown mechanism and a wrong length': { sends: [initial('BOGUS', 'n,,n=,r=abc', { length: 100 })] },
  'no length after the mechanism': { sends: [message('p', cstring(SCRAM), Buffer.from([0, 0]))] },
  'a length beyond the message': { sends: [initial(SCRAM, 'n,,n=,r=abc', { length: 100 })] },
  'a negative length': { sends: [initial(SCRAM, 'n,,n=,r=abc', { length: -5 })] },
  'bytes after the data': { sends: [initial(SCRAM, 'n,,n=,r=abc', { length: 3 })] },
  'bytes after no data': { sends: [initial(SCRAM, 'n,,n=,r=abc', { length: -1 })] },
  'no data, and then an empty message': { sends: [initial(SCRAM, null), answer('')] },
  'no data, and then a wrong flag': { sends: [initial(SCRAM, null), answer('z,,n=,r=abc')] },
  'empty data': first(''),
  'a NUL inside': first('n,,n=,r=a\0bc'),
  'flag n with PLUS': first('n,,n=,r=abc', PLUS),
  'flag y with PLUS': first('y,,n=,r=abc', PLUS),
  'flag y in TLS': first('y,,n=,r=abc'),
  'flag p without PLUS': first(BINDING),
  'an unknown flag': first('x,,n=,r=abc'),
  'a flag that is not printable': first('\x01,,n=,r=abc'),
  'a flag above ASCII': first('\xe9,,n=,r=abc'),
  'no comma after the flag': first('nx,n=,r=abc'),
  'the flag alone': first('n'),
  'p without a value': first('p,,n=,r=abc', PLUS),
  'p alone': first('p', PLUS),
  'another binding': first('p=tls-unique,,n=,r=abc', PLUS),
  'a long binding that is not printable': first(`p=${'\x02x'.repeat(30)},,n=,r=abc`, PLUS),
  'an authorization identity': first('n,a=bob,n=,r=abc'),
  'something else after the flag': first('n,xn=,r=abc'),
  'nothing after the flag': first('n,'),
  'an extension': first('n,,m=1,n=,r=abc'),
  'no name': first('n,,r=abc'),
  'another attribute for the name': first('n,,x=,r=abc'),
  'the name alone': first('n,,n=bob'),
  'a name without a value': first('n,,n'),
  'a nonce without a value': first('n,,n=,r'),
  'another attribute for the nonce': first('n,,n=,x=abc'),
  'a nonce that is not printable': first('n,,n=,r=a\x01b'),
  'a nonce above ASCII': first('n,,n=,r=a\xe9b'),
  'a blank in the nonce': first('n,,n=,r=a b'),
  'an extension that is not a letter': first('n,,n=,r=abc,1=x'),
  'an extension without a value': first('n,,n=,r=abc,x'),
  'an end after a comma': first('n,,n=,r=abc,'),
  'a message that is too long': first(`n,,n=,r=${'a'.repeat(1_100)}`),
  'an empty last message': final(() => ''),
  'a NUL in the last message': final(() => 'c=biws\0'),
  'no channel binding': final((nonce) => `r=${nonce},p=${NO_PROOF}`),
  'another channel binding': final((nonce) => `c=eSws,r=${nonce},p=${NO_PROOF}`),
  'a channel binding that is not base64': final((nonce) => `c=!,r=${nonce},p=${NO_PROOF}`),
  'no nonce': final(() => `c=biws,p=${NO_PROOF}`),
  'another nonce': final((nonce) => `c=biws,r=${nonce}x,p=${NO_PROOF}`),
  "the client's nonce alone": final(() => `c=biws,r=abc,p=${NO_PROOF}`),
  'no proof': final((nonce) => `c=biws,r=${nonce}`),
  'no proof, and a comma': final((nonce) => `c=biws,r=${nonce},`),
  'an extension and no proof': final((nonce) => `c=biws,r=${nonce},x=1`),
  'a short proof': final((nonce) => `c=biws,r=${nonce},p=AAAA`),
  'a long proof': final((nonce) => `c=biws,r=${nonce},p=${Buffer.alloc(33).toString('base64')}`),
  'a proof that is not base64': final((nonce) => `c=biws,r=${nonce},p=!!!!`),
  'an empty proof': final((nonce) => `c=biws,r=${nonce},p=`),
  'bytes after the proof': final((nonce) => `c=biws,r=${nonce},p=${NO_PROOF},x=1`),
  'a comma after the proof': final((nonce) => `c=biws,r=${nonce},p=${NO_PROOF},`),
  'a wrong proof': final((nonce) => `c=biws,r=${nonce},p=${NO_PROOF}`),
  'a wrong proof after an extension': final((nonce) => `c=biws,r=${nonce},x=1,p=${NO_PROOF}`),
  'an extension that is not a letter in the last message': final((nonce) => `c=biws,r=${nonce},1=x`),
  "another certificate's digest": final((nonce) => `c=AAAA,r=${nonce},p=${NO_PROOF}`, BINDING, PLUS),
  'no digest with PLUS': final((nonce) => `c=biws,r=${nonce},p=${NO_PROOF}`, BINDING, PLUS),
  'a last message that is too long': final((nonce) => `c=biws,r=${nonce},x=${'a'.repeat(1_100)}`),
  'a user who does not exist': {
    ...final((nonce) => `c=biws,r=${nonce},p=${NO_PROOF}`),
    user: 'nobody',
  },
  'a user with an md5 secret at SCRAM': {
    ...final((nonce) => `c=biws,r=${nonce},p=${NO_PROOF}`),
    user: 'old',
  },
  'a user without a password': {
    ...final((nonce) => `c=biws,r=${nonce},p=${NO_PROOF}`),
    user: 'empty',
  },
  'an empty password': password(message('p', cstring(''))),
  'a password without an end': password(message('p', Buffer.from('secret'))),
  'a password with bytes after its end': password(message('p', cstring('sec'), cstring('ret'))),
  'no password at all': password(message('p')),
  'a query in place of a password': password(query('select 1')),
  'a wrong password': password(message('p', cstring('guess'))),
  'a password of nobody': { ...password(message('p', cstring('guess'))), user: 'nobody' },
  'a wrong password of an md5 user': { ...password(message('p', cstring('guess'))), user: 'old' },
  'a wrong md5 hash': { ...password(message('p', cstring(`md5${'0'.repeat(32)}`)), 'md5'), user: 'old' },
  'a short md5 hash': { ...password(message('p', cstring('md5')), 'md5'), user: 'old' },
  'md5 asked of nobody': { ...first('n,,m=1'), database: 'md5', user: 'nobody' },
  'md5 asked of a SCRAM user': { ...first('n,,m=1'), database: 'md5', user: 'modern' },
  'a wrong password of a SCRAM user': { ...password(message('p', cstring('guess'))), user: 'modern' },
  'a wrong proof of a SCRAM user': {
    ...final((nonce) => `c=biws,r=${nonce},p=${NO_PROOF}`),
    user: 'modern',
  },
};

const HBA = ['scram-sha-256', 'password', 'md5']
  .flatMap((method) => ['hostssl', 'hostnossl'].map((type) => `${type} "${method}" all all ${method}\n`))
  .join('');

await test('each case', async (t) => {
  const ports = await startBoth(t);
  for (const [name, each] of Object.entries(CASES)) {
    const [theirs, ours] = await Promise.all([outcome(t, ports.server, each), outcome(t, ports.gate, each)]);
    t.strictSame(ours, theirs, name);
    t.ok(
      theirs.error !== null || theirs.asked === each.sends.length,
      `${name}: the case ends where it should`,
    );
  }
});

/** PostgreSQL 18 and a gate with its rules and users. The gate's upstream is never asked. */
async function startBoth(t: Scope): Promise<{ server: number; gate: number }> {
  const gate = await startGate(t, {
    hba: HBA,
    upstream: { host: '127.0.0.1', port: 1 },
    config: { auth_file: 'userlist.txt' },
    files: {
      'userlist.txt': `"alice" "secret"\n"old" "${MD5_SECRET}"\n"modern" "${SCRAM_SECRET}"\n"empty" ""\n`,
    },
  });
  const { cert, key } = gate.authority.server();
  const server = await startPostgres({ version: 18, hba: HBA, ssl: { cert, key } });
  t.after(() => server.stop());
  await server.query(
    `create role alice login password 'secret'; create role empty login;
     create role old login password '${MD5_SECRET}'; create role modern login password '${SCRAM_SECRET}'`,
  );
  for (const database of ['scram-sha-256', 'password', 'md5']) await server.createDatabase(database);
  return { server: server.port, gate: gate.port };
}

interface Outcome {
  /** Requests that were met. */
  readonly asked: number;
  /** Null = closed without a word. */
  readonly error: Readonly<Record<string, string | undefined>> | null;
}

/** Plays one case. */
async function outcome(
  t: Scope,
  port: number,
  { database = SCRAM.toLowerCase(), user = 'alice', tls = true, sends }: Case,
): Promise<Outcome> {
  const client = await connectRaw(t, port);
  if (tls) await client.openTls({ servername: 'localhost' });
  await client.send(startupMessage({ user, database }));
  let nonce = '';
  let asked = 0;
  for (;;) {
    const reply = await client.readMessage().catch(() => null);
    if (reply === null) return { asked, error: null };
    if (reply.type === 'E') {
      const { S, V, C, M, D, H } = decodeErrorResponse(reply);
      client.destroy();
      return { asked, error: { S, V, C, M, D, H } };
    }
    nonce = /^r=([^,]+)/.exec(reply.body.toString('latin1', 4))?.[1] ?? nonce;
    const next = sends[asked];
    if (next === undefined) {
      client.destroy();
      return { asked, error: null };
    }
    asked += 1;
    await client.send(typeof next === 'function' ? next(nonce) : next);
  }
}
