// The session with the catalogue at a server that says what no server says: each question fails, the session is over, and
// this very process, in which the gate's code runs, lives on. Answers are also mutated at random.

import { join } from 'node:path';
import { test } from 'tap';
import { SaltedPasswords } from '../../src/auth/scram-keys.ts';
import { CatalogSession } from '../../src/catalog/catalog-session.ts';
import { askMemberships, askSecret } from '../../src/catalog/questions.ts';
import { loadSnapshot } from '../../src/config/snapshot.ts';
import { Dialer } from '../../src/session/dial.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { within } from '../support/run/waiting.ts';
import {
  authentication,
  authenticationCleartextPassword,
  authenticationOk,
  authenticationSasl,
  cstring,
  errorResponse,
  message,
  readyForQuery,
  scriptedUpstream,
  type UpstreamConnection,
} from '../support/peers/scripted-upstream.ts';
import { answer, hex, SET } from './catalog-server.ts';

const GOOD = answer(2, [[hex('alice'), hex('staff')]]);

/** What the server says to a question. */
const ANSWERS: Readonly<Record<string, Buffer>> = {
  'bytes that are not a message': Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
  'a message of a negative length': Buffer.from('T\xff\xff\xff\xf0rest of it', 'latin1'),
  'a message of no length': Buffer.from('T\0\0\0\0\0\0', 'latin1'),
  'a description that is cut short': message('T', Buffer.from([0, 9, 0, 0])),
  'rows that nobody has described': message('D', Buffer.from([0, 200])),
  'a row that is longer than it is': Buffer.concat([
    GOOD.subarray(0, 20),
    message('D', Buffer.from([0, 2, 127, 255, 255, 255])),
  ]),
  'a copy that nobody has asked for': message('G', Buffer.from([0, 0, 1])),
  'an error without its end': message('E', Buffer.from('SERROR\0C42501\0Mno\0')),
  'a message of a gigabyte': Buffer.from('D\x40\0\0\0', 'latin1'),
  'an error without fields': message('E', Buffer.from([0])),
  'an authentication message': authenticationCleartextPassword(),
  'names of half a byte': answer(2, [['6', '']]),
  'one column': answer(1, [[hex('alice')]]),
  'FATAL, and the end': errorResponse({ S: 'FATAL', C: '57P01', M: 'terminating connection' }),
};

/** What the server says to the startup packet. */
const LOGINS: Readonly<Record<string, readonly Buffer[]>> = {
  'a password in clear': [authenticationCleartextPassword()],
  'more iterations than are computed': [
    authenticationSasl(),
    authentication(11, Buffer.from('r=x,s=YQ==,i=2000000000')),
  ],
  'rows before the login': [GOOD],
  'ReadyForQuery before AuthenticationOk': [readyForQuery()],
  'parameters without end': [
    authenticationOk(),
    ...Array.from({ length: 20 }, () => message('S', cstring('x'.repeat(60_000)), cstring(''))),
  ],
  'an error': [errorResponse({ S: 'FATAL', C: '53300', M: 'sorry' })],
};

/** Lets the gate in, answers its first statements, says these bytes to its first question, and closes. */
async function saysOnce(connection: UpstreamConnection, bytes: Buffer): Promise<void> {
  await connection.readStartup();
  await connection.acceptLogin();
  await connection.readMessage();
  await connection.send(SET);
  // The gate asks without parameters in one message, and with parameters up to Sync.
  for (let { type } = await connection.readMessage(); type !== 'Q' && type !== 'S';)
    ({ type } = await connection.readMessage());
  await connection.send(bytes);
  connection.halfClose();
}

const said =
  (bytes: Buffer) =>
  async (connection: UpstreamConnection): Promise<void> =>
    await saysOnce(connection, bytes);

await test('a server that lies', async (t) => {
  let script: (connection: UpstreamConnection) => Promise<void> = said(GOOD);
  const upstream = await scriptedUpstream(t, async (connection) => await script(connection));
  const authority = testAuthority(t);
  writeGateFiles(authority.directory, authority, {
    hba: 'host all all all trust\n',
    upstream,
    config: {
      auth_user: 'reader',
      auth_query: 'select $1',
      auth_file: 'userlist.txt',
    },
    files: { 'userlist.txt': '"reader" "md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"\n' },
  });
  const { snapshot } = await loadSnapshot(join(authority.directory, 'gatehouse.yaml'));
  const access = { dialer: new Dialer(() => []), salted: new SaltedPasswords() };
  const open = async (): Promise<CatalogSession> =>
    await CatalogSession.open(access, snapshot, new AbortController().signal);

  script = said(GOOD);
  const good = await open();
  t.same([...(await askMemberships(good)).roles], [['alice', ['staff']]], 'a server that does not lie');
  good.close();

  for (const [what, bytes] of Object.entries(ANSWERS)) {
    script = said(bytes);
    const session = await open();
    await t.rejects(within(askMemberships(session), what), what);
    session.close();
    await within(session.over, `the end after ${what}`);
  }

  for (const [what, messages] of Object.entries(LOGINS)) {
    script = async (connection) => {
      await connection.readStartup();
      for (const each of messages) await connection.send(each);
      connection.halfClose();
    };
    await t.rejects(within(open(), what), what);
  }

  script = said(answer(2, [['alice', 'x'.repeat(300_000)]]));
  const long = await open();
  await t.rejects(askSecret(long, 'select $1', 'alice'), /too long/, 'an answer without end');
  await within(long.over, 'the end');

  let seed = 20_266;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  for (let round = 0; round < 300; round++) {
    const bytes = Buffer.from(GOOD);
    for (let change = 0; change <= random(4); change++) bytes[random(bytes.length)] = random(256);
    script = said(bytes.subarray(0, bytes.length - random(3)));
    const session = await open();
    await within(
      askMemberships(session).catch(() => null),
      `an end of round ${round}`,
    );
    session.close();
  }
  t.pass('300 mutated answers');
});
