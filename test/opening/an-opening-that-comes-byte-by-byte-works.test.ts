// Every opening in the smallest pieces that a network can make of it: one byte a segment, the TLS handshake included.

import { test } from 'tap';
import { dribbleTo } from '../support/peers/dribble.ts';
import { startGate } from '../support/run/gate.ts';
import { cancelRequest, gssencRequest, sslRequest, startupMessage } from '../support/peers/raw-client.ts';
import { connectRaw, type RawClient } from '../support/peers/raw-client.ts';
import { psql } from '../support/peers/psql.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { needs } from '../support/run/tools.ts';

const openings: Readonly<Record<string, (client: RawClient) => Promise<unknown>>> = {
  StartupMessage: async () => undefined,
  SSLRequest: (client) => client.openTls(),
  'GSSENCRequest, StartupMessage': async (client) => {
    await client.send(gssencRequest());
    await client.read(1);
  },
  'GSSENCRequest, SSLRequest': async (client) => {
    await client.send(gssencRequest());
    await client.read(1);
    await client.openTls();
  },
  'SSLRequest with the ClientHello after it': async (client) => {
    await client.send(sslRequest());
    await client.read(1);
    await client.startTls({ maxVersion: 'TLSv1.2' });
  },
  'direct TLS': (client) => client.startTls({ ALPNProtocols: ['postgresql'] }),
};

await test('logins', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'host all all all trust', upstream });
  const port = await dribbleTo(t, gate.port);
  for (const [name, open] of Object.entries(openings)) {
    const client = await connectRaw(t, port);
    await open(client);
    const login = await client.login({ user: 'alice' });
    t.equal(login.error, null, name);
    t.strictSame(
      (await upstream.nextConnection()).received,
      startupMessage({ user: 'alice', database: 'alice' }),
      `${name}: the upstream gets the startup and nothing else`,
    );
  }
});

await test('a cancel request, in clear and inside TLS', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    if (connection.index === 0) await scripts.trust(connection);
    else {
      await connection.readCancelRequest();
      connection.halfClose();
    }
  });
  const gate = await startGate(t, { hba: 'host all all all trust', upstream });
  const port = await dribbleTo(t, gate.port);
  const { key } = await (await connectRaw(t, port)).login({ user: 'alice' });
  await upstream.nextConnection();
  for (const tls of [false, true]) {
    const client = await connectRaw(t, port);
    if (tls) await client.openTls();
    await client.send(cancelRequest(key!.pid, key!.key));
    await client.expectClosed();
    const { received } = await upstream.nextConnection();
    t.strictSame(received, cancelRequest(key!.pid, Buffer.from('0badcafe', 'hex')));
  }
});

await test('psql over TLS', needs('psql'), async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'hostssl all all all cert', upstream });
  const { certFile, keyFile } = gate.authority.client('alice');
  const ran = await psql(
    {
      host: 'localhost',
      hostaddr: '127.0.0.1',
      port: await dribbleTo(t, gate.port),
      user: 'alice',
      sslmode: 'verify-full',
      sslrootcert: gate.authority.caFile,
      sslcert: certFile,
      sslkey: keyFile,
    },
    ['-c', String.raw`\conninfo`],
  );
  t.match(ran.stdout, /SSL connection \(protocol: TLSv1\.3/);
  t.equal(ran.code, 0);
});
