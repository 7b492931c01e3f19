// Passwords, SASL payloads, cancel secrets, private keys and queries pass through the gate; none of them may be in its
// log, whatever goes wrong and however much it logs (contract §4).

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import {
  cancelRequest,
  cstring,
  int32,
  message,
  passwordMessage,
  query,
  type Login,
} from '../support/peers/raw-client.ts';
import {
  authentication,
  authenticationCleartextPassword,
  authenticationMd5Password,
  authenticationOk,
  authenticationSasl,
  scriptedUpstream,
  type UpstreamConnection,
} from '../support/peers/scripted-upstream.ts';
import { assertOneEndingEach, visit, type Visitor } from '../support/peers/visitor.ts';

const secrets = {
  password: 'correct-horse-battery',
  md5: 'md5a1b2c3d4e5f60718293a4b5c6d7e8f90',
  saslInitial: 'n,,n=,r=clientNonceQ2xpZW50',
  saslFinal: 'c=biws,r=clientNonceQ2xpZW50server,p=cHJvb2ZvZnRoZXBhc3N3b3Jk',
  serverNonce: 'r=clientNonceQ2xpZW50server,s=c2FsdHlzYWx0,i=4096',
  serverProof: 'v=c2VydmVyc2lnbmF0dXJl',
  query: "alter role alice password 'new-secret-of-alice'",
  startupPassword: 'libpq-never-sends-this',
} as const;
const PID = 31337;
const KEY = Buffer.from('5ec4e7c0ffee5ec4e7c0ffee', 'hex');

const saslInitial = message(
  'p',
  cstring('SCRAM-SHA-256'),
  int32(secrets.saslInitial.length),
  Buffer.from(secrets.saslInitial),
);

/** How the upstream asks, by the database that the client names, and what becomes of it. */
const logins: Readonly<Record<string, (upstream: UpstreamConnection) => Promise<void>>> = {
  cleartext: async (upstream) => {
    await upstream.send(authenticationCleartextPassword());
    await upstream.readMessage();
    await upstream.acceptLogin({ pid: PID, key: KEY });
  },
  md5: async (upstream) => {
    await upstream.send(authenticationMd5Password());
    await upstream.readMessage();
    await upstream.acceptLogin({ pid: PID, key: KEY });
  },
  scram: async (upstream) => {
    await upstream.send(authenticationSasl());
    await upstream.readMessage();
    await upstream.send(authentication(11, Buffer.from(secrets.serverNonce)));
    await upstream.readMessage();
    await upstream.send(authentication(12, Buffer.from(secrets.serverProof)));
    await upstream.acceptLogin({ pid: PID, key: KEY });
  },
  // The upstream goes away, lies or breaks the protocol with the secret in its hands.
  vanishes: async (upstream) => {
    await upstream.send(authenticationCleartextPassword());
    await upstream.readMessage();
    upstream.reset();
  },
  breaks: async (upstream) => {
    await upstream.send(authenticationCleartextPassword());
    const { body } = await upstream.readMessage();
    await upstream.send(Buffer.concat([Buffer.from('!\0\0\0\x40'), body, Buffer.alloc(60)]));
    upstream.halfClose();
  },
  weak: async (upstream) => {
    await upstream.send(authenticationOk());
    await upstream.stall();
  },
};

const answers: Readonly<Record<string, readonly Buffer[]>> = {
  cleartext: [passwordMessage(secrets.password)],
  md5: [passwordMessage(secrets.md5)],
  scram: [saslInitial, message('p', Buffer.from(secrets.saslFinal))],
  vanishes: [passwordMessage(secrets.password)],
  breaks: [passwordMessage(secrets.password)],
  // Sent before it is asked for.
  weak: [],
};

/** The next bytes that come. Asked for before they are provoked, or they could be missed. */
async function nextBytes({ socket }: Visitor): Promise<void> {
  await new Promise<void>((resolve) => socket.once('data', () => resolve()));
}

/** Sends each reply when the gate has said something since the one before. @returns null where it does not end in words */
async function logIn(
  client: Visitor,
  parameters: Readonly<Record<string, string>>,
  replies: readonly Buffer[],
): Promise<Login | null> {
  let said = nextBytes(client);
  const login = client.login(parameters).catch(() => null);
  for (const reply of replies) {
    await said;
    said = nextBytes(client);
    await client.send(reply);
  }
  return await login;
}

await test('at log_level trace', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    const packet = await connection.readPacket();
    const database = /\0database\0([^\0]*)\0/.exec(packet.toString('latin1'))?.[1];
    // A CancelRequest names none, and is answered by closing.
    if (database !== undefined) {
      await logins[database]?.(connection);
      await connection.stall();
    }
    connection.halfClose();
  });
  const gate = await startGate(t, {
    hba: 'hostssl weak all all scram-sha-256\nhostssl scram all all scram-sha-256\nhostssl all all all trust\n',
    upstream,
    config: { log_level: 'trace' },
  });
  const { cert, key } = gate.authority.client('alice');
  let relayed = 0;
  const keys: Buffer[] = [KEY];
  for (const [database, replies] of Object.entries(answers)) {
    const client = await visit(t, gate);
    await client.openTls({ cert, key });
    const parameters = { user: 'alice', database, password: secrets.startupPassword };
    const outcome = await logIn(client, parameters, replies);
    if (outcome?.error === null) {
      relayed += 1;
      await client.send(query(secrets.query));
      const { key: given } = outcome.key!;
      keys.push(given);
      for (const guess of [given, KEY, Buffer.concat([KEY, KEY])]) {
        const cancel = cancelRequest(PID, guess);
        const canceller = await visit(t, gate);
        await canceller.send(cancel);
        await canceller.ending();
      }
    }
    client.destroy();
    await client.ending();
  }
  t.equal(relayed, 3, 'the secrets were used');
  // What comes where a startup packet should be is not echoed either.
  const confused = await visit(t, gate);
  await confused.send(passwordMessage(secrets.password));
  await confused.ending();
  await assertOneEndingEach(t, gate);

  const hidden = {
    ...secrets,
    'half of the password': 'battery',
    'the proof alone': 'cHJvb2Zv',
    ...Object.fromEntries(keys.flatMap((each, index) => Object.entries(written(each, index)))),
    'a private key': 'PRIVATE KEY',
    'the client’s key': key.split('\n')[1]!,
    'a Buffer': '"type":"Buffer"',
  };
  for (const [name, secret] of Object.entries(hidden))
    t.notOk(gate.stdout.includes(secret) || gate.stderr.includes(secret), name);
});

/** A cancel key, the upstream's or the gate's, in the forms that a log line might give it. */
function written(key: Buffer, index: number): Readonly<Record<string, string>> {
  const hex = key.toString('hex');
  return {
    [`cancel key ${index} in hex`]: hex,
    [`its first word ${index}`]: hex.slice(0, 8),
    [`the same as a number ${index}`]: String(key.readInt32BE()),
    [`unsigned ${index}`]: String(key.readUInt32BE()),
    [`in base64 ${index}`]: key.toString('base64'),
    [`as a list ${index}`]: [...key.subarray(0, 4)].join(','),
  };
}

/** A key of 32 bytes as a SCRAM secret writes it. */
function salted(byte: number): string {
  return Buffer.alloc(32, byte).toString('base64');
}

await test('secrets of auth_file, at log_level trace', async (t) => {
  const scram = `SCRAM-SHA-256$4096:${salted(1).slice(0, 24)}$${salted(2)}:${salted(3)}`;
  const kept = { plain: 'staple-of-plain', md5: `md5${'5eC4'.toLowerCase().repeat(8)}`, scram };
  const sent: string[] = [];
  const upstream = await scriptedUpstream(t, async (connection) => {
    const { parameters } = await connection.readStartup();
    await (parameters['application_name'] === 'scram'
      ? connection.send(authenticationSasl())
      : connection.send(authenticationMd5Password()));
    sent.push((await connection.readMessage()).body.toString('latin1'));
    if (parameters['application_name'] === 'scram') {
      const nonce = /r=([^,]+)$/.exec(sent.at(-1) ?? '')?.[1] ?? '';
      await connection.send(authentication(11, Buffer.from(`r=${nonce}x,s=c2FsdHlzYWx0,i=4096`)));
      sent.push((await connection.readMessage()).body.toString('latin1'));
      await connection.send(authentication(12, Buffer.from(secrets.serverProof)));
    } else await connection.acceptLogin({ pid: PID, key: KEY });
    await connection.stall();
    connection.halfClose();
  });
  const gate = await startGate(t, {
    hba: 'hostssl trust all all trust\nhostssl password all all password\nhostssl all all all scram-sha-256\n',
    upstream,
    config: { log_level: 'trace', auth_file: 'userlist.txt' },
    files: {
      'userlist.txt': Object.entries(kept)
        .map(([user, secret]) => `"${user}" "${secret}"\n`)
        .join(''),
    },
  });
  const play = async (user: string, database: string, how: string, replies: readonly Buffer[]) => {
    const client = await visit(t, gate);
    await client.openTls();
    await logIn(client, { user, database, application_name: how }, replies);
    client.destroy();
    await client.ending();
  };
  await play('plain', 'trust', 'md5', []);
  await play('plain', 'trust', 'scram', []);
  await play('md5', 'trust', 'md5', []);
  await play('scram', 'trust', 'md5', []);
  await play('plain', 'password', 'md5', [passwordMessage(kept.plain)]);
  await play('plain', 'password', 'md5', [passwordMessage(secrets.password)]);
  await play('nobody', 'password', 'md5', [passwordMessage(secrets.password)]);
  await play('scram', 'scram', 'md5', [saslInitial, message('p', Buffer.from(secrets.saslFinal))]);
  t.equal(sent.length, 5, 'the secrets were used');
  const hidden = [
    ...Object.values(kept),
    ...scram.split(/[$:]/).slice(2),
    ...Object.values(secrets),
    ...sent.map((answer) => answer.replaceAll('\0', '')).filter((answer) => answer !== ''),
    ...sent.flatMap((answer) => /r=[^,]+|p=.+/.exec(answer) ?? []),
    'battery',
    '"type":"Buffer"',
  ];
  const { body: metrics } = await gate.admin('/metrics');
  for (const secret of hidden) {
    t.notOk(
      [gate.stdout, gate.stderr, metrics].some((text) => text.includes(secret)),
      secret,
    );
  }
});
