// A pg_hba.conf moves over with the password of its LDAP server and the secrets of its RADIUS servers. PostgreSQL shows its
// lines to superusers; here they are in the log, on the admin listener and in what `explain` says. None has the secret.

import { join } from 'node:path';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { runProgram } from '../support/run/program.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

const HBA = [
  'hostssl db0 all all ldap clientcert=verify-ca ldapbasedn=dc=x ldapbinddn=cn=b ldapbindpasswd=s3cret # why',
  'host db1 all all ldap ldapserver=h ldapbasedn=dc=x "ldapbindpasswd=a ""s3cret"", #1" ldaptls=1',
  'host db2 all all ldap ldapserver=h ldapbasedn=dc=x ldap"bind"passwd="a s3cret" ldapbindpasswd=s3cret2',
  'host db3 all all radius "radiusservers=127.0.0.1,127.0.0.2" radiussecrets="s3cret,""s3cret2"""',
  'local all all ldap ldapserver=h ldapbasedn=dc=x ldapbindpasswd=s3cret',
];
const SHOWN = [
  'hostssl db0 all all ldap clientcert=verify-ca ldapbasedn=dc=x ldapbinddn=cn=b ldapbindpasswd=******** # why',
  'host db1 all all ldap ldapserver=h ldapbasedn=dc=x ldapbindpasswd=******** ldaptls=1',
  'host db2 all all ldap ldapserver=h ldapbasedn=dc=x ldapbindpasswd=******** ldapbindpasswd=********',
  'host db3 all all radius "radiusservers=127.0.0.1,127.0.0.2" radiussecrets=********',
  'local all all ldap ldapserver=h ldapbasedn=dc=x ldapbindpasswd=********',
];

await test('wherever a line is shown', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: `${HBA.join('\n')}\n`, upstream, config: { log_level: 'trace' } });
  const { body } = await gate.admin('/rules');
  const rules: readonly { readonly rule: string }[] = JSON.parse(body);
  t.same(
    rules.map(({ rule }) => rule),
    SHOWN,
    'GET /rules',
  );
  const client = await connectRaw(t, gate.port);
  await client.openTls();
  const { error } = await client.login({ user: 'alice', database: 'db0' });
  t.equal(error?.['M'], 'connection requires a valid client certificate');
  const { detail } = await gate.waitForLog({ code: 'client-cert-required' });
  t.match(detail, `line 1: "${SHOWN[0]}"`);
  const asked = '--user alice --database db1 --address 10.0.0.1'.split(' ');
  const explained = await runProgram([
    'explain',
    '--config',
    join(gate.directory, 'gatehouse.yaml'),
    ...asked,
  ]);
  t.match(explained.stdout, SHOWN[1]);
  const { body: refusals } = await gate.admin('/refusals');
  for (const [where, text] of Object.entries({
    'the log': JSON.stringify(gate.log),
    refusals,
    explain: `${explained.stdout}${explained.stderr}`,
  })) {
    t.notMatch(text, 's3cret', where);
  }
});
