// SCRAM-SHA-256-PLUS across a renewal (contract §12): a client that demands channel binding logs in before and after the
// gate's certificate has been replaced, each time bound to the one that it was shown. A digest that the gate had kept from
// before would keep out every such client until a restart.

import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { psql } from '../support/peers/psql.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { startGate } from '../support/run/gate.ts';
import { needs } from '../support/run/tools.ts';
import { answering } from '../production/clients.ts';

const PASSWORD = 'correct-horse';

await test('channel_binding=require before and after a renewal', needs('psql'), async (t) => {
  const authority = testAuthority(t);
  const gate = await startGate(t, {
    authority,
    hba: 'hostssl all all all scram-sha-256\n',
    upstream: await scriptedUpstream(t, answering),
    config: { auth_file: 'userlist.txt', ssl_ca_file: null },
    files: { 'userlist.txt': `"alice" "${PASSWORD}"\n` },
  });
  const assertLogsIn = async (when: string) => {
    const { code, stderr } = await psql(
      `host=127.0.0.1 port=${gate.port} user=alice dbname=postgres sslmode=require channel_binding=require`,
      ['-c', String.raw`\q`],
      { libpq: 18, env: { PGPASSWORD: PASSWORD } },
    );
    t.equal(code, 0, `${when}: ${stderr}`);
  };
  await assertLogsIn('the first certificate');
  await assertLogsIn('the same once more');
  for (const renewed of [authority.server(), authority.server({ keyType: 'rsa' })]) {
    gate.rewrite('server.key', renewed.key);
    gate.rewrite('server.crt', renewed.cert);
    const from = gate.logLength();
    gate.reload();
    await gate.waitForLog(({ msg }) => msg.startsWith('reloaded: tls'), { from });
    await assertLogsIn('a renewed certificate');
  }
});
