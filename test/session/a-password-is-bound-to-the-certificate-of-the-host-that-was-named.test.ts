// SCRAM-SHA-256-PLUS with several certificates (contract §11, §12): the proof is bound to the certificate that this very
// client was shown, so channel_binding=require works at every host. The console says which certificate is whose.

import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { psql } from '../support/peers/psql.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { startGate } from '../support/run/gate.ts';
import { needs } from '../support/run/tools.ts';
import { answering } from '../production/clients.ts';

const PASSWORD = 'correct-horse';

await test('channel_binding=require at each host', needs('psql'), async (t) => {
  const authority = testAuthority(t);
  const [one, other] = [authority.server(), authority.server({ keyType: 'rsa' })];
  const gate = await startGate(t, {
    authority,
    hba: 'hostssl all all all scram-sha-256\n',
    upstream: await scriptedUpstream(t, answering),
    config: { auth_file: 'userlist.txt', ssl_sni: 'on', ssl_ca_file: null, stats_users: 'alice' },
    files: {
      'userlist.txt': `"alice" "${PASSWORD}"\n`,
      'pg_hosts.conf': `one.example ${one.certFile} ${one.keyFile}\n* ${other.certFile} ${other.keyFile}\n`,
    },
  });
  const run = async (host: string, dbname: string, command: string) =>
    await psql(
      {
        host,
        hostaddr: '127.0.0.1',
        port: gate.port,
        user: 'alice',
        dbname,
        sslmode: 'require',
        channel_binding: 'require',
      },
      ['-c', command],
      { libpq: 18, env: { PGPASSWORD: PASSWORD } },
    );
  for (const host of ['one.example', 'other.example']) {
    const { code, stderr } = await run(host, 'postgres', String.raw`\q`);
    t.equal(code, 0, `${host}: ${stderr}`);
  }
  const { stdout, stderr } = await run(
    'one.example',
    'gatehouse',
    'select host, serial from certificates order by 1',
  );
  t.equal(stdout, `*|${other.serial}\none.example|${one.serial}\n`, stderr);
});
