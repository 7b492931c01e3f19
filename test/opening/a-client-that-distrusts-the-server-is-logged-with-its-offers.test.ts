// The alert of a client that does not trust the server's certificate is the commonest failure of all: the line says
// whose it was, and what the client had offered (semantics §2.10, contract §4).

import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startGate } from '../support/run/gate.ts';
import { runToEnd } from '../support/run/program.ts';
import { psql } from '../support/peers/psql.ts';
import { sslRequest } from '../support/peers/raw-client.ts';
import { clientHello, record, recordType } from '../support/peers/tls-bytes.ts';
import { needs, toolPath } from '../support/run/tools.ts';
import { assertOneEndingEach, visit } from '../support/peers/visitor.ts';

const upstream = { host: '127.0.0.1', port: 1 };
const hba = 'hostssl all all all cert';

await test('libpq 15 and 18', needs('psql'), async (t) => {
  const gate = await startGate(t, { hba, upstream });
  const strangers = testAuthority(t, { cn: 'Another CA' });
  for (const { libpq, sslnegotiation, alpn } of [
    { libpq: 15, alpn: [] },
    { libpq: 18, alpn: ['postgresql'] },
    { libpq: 18, alpn: ['postgresql'], sslnegotiation: 'direct' },
  ] as const) {
    const from = gate.logLength();
    const { stderr, code } = await psql(
      {
        host: 'localhost',
        hostaddr: '127.0.0.1',
        port: gate.port,
        user: 'alice',
        sslmode: 'verify-full',
        sslrootcert: strangers.caFile,
        ...(sslnegotiation === undefined ? {} : { sslnegotiation }),
      },
      ['-c', 'select 1'],
      { libpq },
    );
    t.equal(code, 2);
    t.match(stderr, /certificate verify failed/);
    const line = await gate.waitForLog({ code: 'tls-client-alert' }, { from });
    t.match(line, {
      level: 'info',
      msg: /^could not accept SSL connection: .*alert unknown ca$/,
      host: '127.0.0.1',
      sni: 'localhost',
      versions: ['TLSv1.3', 'TLSv1.2'],
    });
    t.strictSame(line['alpn'], alpn);
    t.ok(Array.isArray(line['groups']) && line['groups'].includes('prime256v1'), 'groups are named');
  }
  await assertOneEndingEach(t, gate);
});

for (const version of ['-tls1_2', '-tls1_3']) {
  await test(`openssl s_client ${version}`, needs('openssl'), async (t) => {
    const gate = await startGate(t, { hba, upstream });
    const target = ['-starttls', 'postgres', '-connect', `127.0.0.1:${gate.port}`, '-servername', 'db.test'];
    const strangers = testAuthority(t, { cn: 'Another CA' });
    await runToEnd(
      toolPath('openssl'),
      ['s_client', ...target, version, '-verify_return_error', '-CAfile', strangers.caFile],
      { input: '' },
    );
    t.match(await gate.waitForLog({ code: 'tls-client-alert' }), {
      msg: /alert unknown ca$/,
      sni: 'db.test',
      versions: [version === '-tls1_2' ? 'TLSv1.2' : 'TLSv1.3'],
    });
    await assertOneEndingEach(t, gate);
  });
}

await test('whatever it does after its alert', async (t) => {
  const gate = await startGate(t, { hba, upstream });
  // In TLS 1.2 an alert needs no keys yet.
  const hello = await clientHello({ maxVersion: 'TLSv1.2', servername: 'db.test' });
  const unknownCa = record(recordType.alert, Buffer.from([2, 48]), 0x0303);
  for (const leave of ['wait', 'halfClose', 'reset'] as const) {
    const client = await visit(t, gate);
    await client.send(sslRequest(), hello);
    // S, and the beginning of the ServerHello.
    await client.read(6);
    await client.send(unknownCa);
    if (leave !== 'wait') client[leave]();
    t.match(
      await client.ending(),
      { code: 'tls-client-alert', msg: /alert unknown ca$/, sni: 'db.test', versions: ['TLSv1.2'] },
      leave,
    );
  }
  await assertOneEndingEach(t, gate);
});
