// Protocol downgrade: anyone who strips TLS off a connection, on any way in, must meet the line that demands it; and a
// line that forbids TLS must not be met through it (semantics §5.1, §6.3, §8.1).

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { gssencRequest, sslRequest } from '../support/peers/raw-client.ts';
import { psql } from '../support/peers/psql.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { needs } from '../support/run/tools.ts';
import { assertOneEndingEach, visit, type Visitor } from '../support/peers/visitor.ts';

const hba = `
hostssl    tls     all  all  trust
hostnossl  clear   all  all  trust
host       either  all  all  trust
`;

const answered = async (client: Visitor, request: Buffer, answer: string): Promise<void> => {
  await client.send(request);
  const byte = (await client.read(1)).toString('latin1');
  if (byte !== answer) throw new Error(`answered ${byte}`);
};

/** Each way to a StartupMessage, and whether it is inside TLS there. */
const ways: readonly [
  name: string,
  ssl: 'on' | 'off',
  inTls: boolean,
  come: (client: Visitor) => Promise<unknown>,
][] = [
  ['in clear', 'on', false, async () => undefined],
  ['in clear, after GSSENCRequest', 'on', false, (client) => answered(client, gssencRequest(), 'N')],
  ['in clear, ssl off', 'off', false, async () => undefined],
  ['in clear, after SSLRequest answered N', 'off', false, (client) => answered(client, sslRequest(), 'N')],
  [
    'in clear, behind both',
    'off',
    false,
    async (client) => {
      await answered(client, gssencRequest(), 'N');
      await answered(client, sslRequest(), 'N');
    },
  ],
  ['TLS', 'on', true, (client) => client.openTls()],
  [
    'TLS, after GSSENCRequest',
    'on',
    true,
    async (client) => {
      await answered(client, gssencRequest(), 'N');
      await client.openTls();
    },
  ],
  ['direct TLS', 'on', true, (client) => client.startTls({ ALPNProtocols: ['postgresql'] })],
  [
    'direct TLS, where N does not mean clear',
    'on',
    true,
    async (client) => {
      await client.startTls({ ALPNProtocols: ['postgresql'] });
      await answered(client, sslRequest(), 'N');
      await answered(client, gssencRequest(), 'N');
    },
  ],
];

await test('each way to each line', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gates = {
    on: await startGate(t, { hba, upstream }),
    off: await startGate(t, { hba, upstream, config: { ssl: 'off' } }),
  };
  let admitted = 0;
  for (const [name, ssl, inTls, come] of ways) {
    for (const database of ['tls', 'clear', 'either']) {
      const client = await visit(t, gates[ssl]);
      await come(client);
      const { error } = await client.login({ user: 'alice', database });
      if (database === 'either' || database === (inTls ? 'tls' : 'clear')) {
        admitted += 1;
        t.equal(error, null, `${name}: ${database}`);
      } else {
        const encryption = inTls ? 'SSL encryption' : 'no encryption';
        t.match(
          error,
          {
            C: '28000',
            M: `no pg_hba.conf entry for host "127.0.0.1", user "alice", database "${database}", ${encryption}`,
          },
          `${name}: ${database}`,
        );
        t.match(await client.ending(), { code: 'hba-no-entry' });
      }
    }
  }
  t.equal(upstream.connections.length, admitted);
  await assertOneEndingEach(t, gates.on);
  await assertOneEndingEach(t, gates.off);
});

await test('the startup packet in clear on a connection that speaks TLS', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba, upstream, config: { log_level: 'debug' } });
  for (const come of [
    (client: Visitor) => client.openTls({ maxVersion: 'TLSv1.2' }),
    (client: Visitor) => client.startTls({ ALPNProtocols: ['postgresql'], maxVersion: 'TLSv1.2' }),
  ]) {
    const client = await visit(t, gate);
    await come(client);
    // Below TLS, where somebody in between could write.
    client.raw.write(Buffer.from('0000001300030000757365720061006c6963650000', 'hex'));
    await client.closed;
    t.match(await client.ending(), {
      code: 'tls-handshake-failed',
      level: 'info',
      msg: 'SSL error: wrong version number',
    });
  }
  t.strictSame(upstream.connections, []);
  await assertOneEndingEach(t, gate);
});

await test(
  'psql: sslmode=prefer and allow find the line, disable and require do not',
  needs('psql'),
  async (t) => {
    const upstream = await scriptedUpstream(t, scripts.trust);
    const gate = await startGate(t, { hba, upstream });
    const table: [sslmode: string, dbname: string, stderr: RegExp | null][] = [
      ['prefer', 'tls', null],
      ['prefer', 'clear', null],
      ['allow', 'tls', null],
      ['allow', 'clear', null],
      [
        'disable',
        'tls',
        /no pg_hba\.conf entry for host "127\.0\.0\.1", user "alice", database "tls", no encryption/,
      ],
      ['require', 'clear', /no pg_hba\.conf entry for .* database "clear", SSL encryption/],
    ];
    for (const [sslmode, dbname, stderr] of table) {
      const ran = await psql({ host: '127.0.0.1', port: gate.port, user: 'alice', sslmode, dbname }, [
        '-c',
        String.raw`\conninfo`,
      ]);
      t.equal(ran.code, stderr === null ? 0 : 2, `${sslmode}, ${dbname}`);
      if (stderr !== null) t.match(ran.stderr, stderr);
    }
  },
);
