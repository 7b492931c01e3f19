// User and database are judged cut to 63 bytes. The upstream, which may cut them elsewhere or not at all, gets them as
// they were judged, and so do the log, /sessions and whoever asks for the database by leaving it out.

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { int32, startupMessage, type Parameters } from '../support/peers/messages.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { letIn, openSession } from './clients.ts';

/** 69 bytes, of which the rules see 63. */
const LONG = 'x'.repeat(63) + 'admin!';
const CUT = 'x'.repeat(63);
/** The 63rd byte is the first of the two that are an ä. */
const UMLAUT = 'y'.repeat(62) + 'ä';
const CUT_UMLAUT = Buffer.from(UMLAUT).subarray(0, 63);

const HBA = `
host ${CUT},all,d ${CUT} 127.0.0.1/32 trust
host replication ${CUT} 127.0.0.1/32 trust
host all /^y{62} 127.0.0.1/32 trust
host all short 127.0.0.1/32 trust
`;

const cases: readonly (readonly [string, Parameters, Parameters])[] = [
  ['a long user and its database', { user: LONG, database: 'd' }, { user: CUT, database: 'd' }],
  ['a long database', { database: LONG, user: 'short' }, { database: CUT, user: 'short' }],
  ['a database that is filled in from a long user', { user: LONG }, { user: CUT, database: CUT }],
  ['an empty database', { database: '', user: LONG }, { database: CUT, user: CUT }],
  ['63 bytes', { user: CUT, database: CUT }, { user: CUT, database: CUT }],
  ['64 bytes', { user: `${CUT}x`, database: `${CUT}x` }, { user: CUT, database: CUT }],
  [
    'a cut in the middle of a character',
    { user: UMLAUT },
    [
      ['user', CUT_UMLAUT],
      ['database', CUT_UMLAUT],
    ],
  ],
  [
    'repeated names, the last of which is long',
    [
      ['user', 'short'],
      ['database', 'd'],
      ['user', LONG],
      ['database', LONG],
    ],
    { user: CUT, database: CUT },
  ],
  [
    'a standby, whose database no rule sees',
    { user: LONG, replication: 'true', database: LONG },
    { user: CUT, replication: 'true', database: CUT },
  ],
  [
    'a logical replication connection',
    { user: LONG, replication: 'database', database: LONG },
    { user: CUT, replication: 'database', database: CUT },
  ],
  [
    'other parameters, which nobody judges',
    { user: 'short', database: 'd', application_name: LONG, options: LONG },
    { user: 'short', database: 'd', application_name: LONG, options: LONG },
  ],
];

for (const tls of [true, false]) {
  await test(tls ? 'inside TLS' : 'in clear', async (t) => {
    const upstream = await scriptedUpstream(t, letIn);
    const gate = await startGate(t, { hba: HBA, upstream });
    for (const [name, sent, expected] of cases) {
      const { client } = await openSession(t, gate, { tls, parameters: sent });
      const connection = await upstream.nextConnection();
      t.strictSame(connection.received, startupMessage(expected), name);
      client.destroy();
    }
  });
}

await test('a name that no packet has room for is not filled in', async (t) => {
  const upstream = await scriptedUpstream(t, letIn);
  const gate = await startGate(t, { hba: HBA, upstream });
  const parameters = { user: 'short', options: '' };
  const room = 10_004 - startupMessage(parameters).length;
  const full = { ...parameters, options: 'x'.repeat(room) };
  await openSession(t, gate, { parameters: full });
  const { received } = await upstream.nextConnection();
  t.strictSame(received, startupMessage(full));
  t.strictSame(received.subarray(0, 4), int32(10_004));
});

await test('the log and /sessions name whom the upstream has got', async (t) => {
  const upstream = await scriptedUpstream(t, letIn);
  const gate = await startGate(t, { hba: HBA, upstream });
  await openSession(t, gate, { parameters: { user: LONG } });
  t.match(await gate.sessions(), [{ user: CUT, database: CUT }]);
  const { msg } = await gate.waitForLog({ msg: /^connection authorized/ });
  t.match(msg, new RegExp(`user=${CUT} database=${CUT} `));
});
