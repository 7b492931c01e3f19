// ALPN on both ways into TLS: direct TLS demands `postgresql`, SSLRequest only forbids others without it (semantics
// §1.9, §1.10, contract §7.18).

import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { cancelRequest } from '../support/peers/raw-client.ts';
import { psql } from '../support/peers/psql.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { needs } from '../support/run/tools.ts';
import { assertOneEndingEach, visit } from '../support/peers/visitor.ts';

type Outcome = 'session' | 'alert' | 'closed inside TLS';

const offers: readonly [offer: string[] | null, direct: Outcome, requested: Outcome][] = [
  [['postgresql'], 'session', 'session'],
  [['h2', 'postgresql'], 'session', 'session'],
  [['postgresql', 'postgresql'], 'session', 'session'],
  [['http/1.1', 'h2', 'x'.repeat(255), 'postgresql'], 'session', 'session'],
  [null, 'closed inside TLS', 'session'],
  [['h2'], 'alert', 'alert'],
  [['PostgreSQL'], 'alert', 'alert'],
  [['postgresql '], 'alert', 'alert'],
  [['postgres', 'postgresql2', 'ostgresql'], 'alert', 'alert'],
  [['x\n\u001b'], 'alert', 'alert'],
];

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  await test(version, async (t) => {
    const upstream = await scriptedUpstream(t, scripts.trust);
    const gate = await startGate(t, {
      hba: 'host all all all trust',
      upstream,
      config: { log_level: 'debug' },
    });
    for (const [offer, direct, requested] of offers) {
      for (const [way, outcome] of [
        ['direct', direct],
        ['requested', requested],
      ] as const) {
        const name = `${way}, ALPN ${JSON.stringify(offer)}`;
        const client = await visit(t, gate);
        if (way === 'requested') await client.requestTls();
        const before = upstream.connections.length;
        const options = {
          minVersion: version,
          maxVersion: version,
          servername: 'db.test',
          ...(offer === null ? {} : { ALPNProtocols: offer }),
        };
        switch (outcome) {
          case 'session': {
            const tls = await client.startTls(options);
            t.equal(tls.alpnProtocol, offer === null ? false : 'postgresql', name);
            t.equal((await client.login({ user: 'alice' })).error, null, name);
            break;
          }
          case 'closed inside TLS':
            await client.startTls(options);
            t.strictSame(await client.expectClosed(), { how: 'end' }, name);
            t.match(await client.ending(), {
              code: 'direct-tls-without-alpn',
              level: 'info',
              msg: 'received direct SSL connection request without ALPN protocol negotiation extension',
              sni: 'db.test',
              versions: [version],
            });
            break;
          case 'alert':
            await t.rejects(client.startTls(options), /alert no application protocol|alert number 120/, name);
            t.match(await client.ending(), {
              code: 'tls-alpn-mismatch',
              level: 'info',
              sni: 'db.test',
              alpn: offer?.map((each) => each.replace('\n\u001b', String.raw`\x0a\x1b`)),
              versions: [version],
            });
        }
        const admitted = outcome === 'session' ? 1 : 0;
        t.equal(upstream.connections.length - before, admitted, `${name}: the upstream's connections`);
      }
    }
    const cancel = await visit(t, gate);
    await cancel.startTls({ ALPNProtocols: ['postgresql'], maxVersion: version });
    await cancel.send(cancelRequest(1, Buffer.from('nobody’s')));
    await cancel.expectClosed();
    await assertOneEndingEach(t, gate);
  });
}

await test('with ssl off a direct TLS connection is closed without a byte', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust',
    upstream: { host: '127.0.0.1', port: 1 },
    config: { ssl: 'off' },
  });
  const client = await visit(t, gate);
  await t.rejects(client.startTls({ ALPNProtocols: ['postgresql'] }));
  t.equal(client.raw.bytesRead, 0);
  t.match(await client.ending(), { code: 'direct-tls-disabled', level: 'info' });
  await assertOneEndingEach(t, gate);
});

await test('libpq 18 with sslnegotiation=direct', needs('psql'), async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'hostssl all all all cert', upstream });
  const { certFile, keyFile } = gate.authority.client('alice');
  const conninfo = {
    host: 'localhost',
    hostaddr: '127.0.0.1',
    port: gate.port,
    user: 'alice',
    sslmode: 'verify-full',
    sslnegotiation: 'direct',
    sslrootcert: gate.authority.caFile,
    sslcert: certFile,
    sslkey: keyFile,
  };
  const ran = await psql(conninfo, ['-c', String.raw`\conninfo`], { libpq: 18 });
  t.match(ran, { code: 0, stdout: /SSL connection/ }, ran.stderr);
});
