// The hosts of pg_hosts.conf share the revocation lists. A reload that has rotated one host's certificate leaves the others
// as they were made before, and each list is still shown once.

import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startGate } from '../support/run/gate.ts';

await test('a list after one of two certificates was rotated', async (t) => {
  const authority = testAuthority(t);
  const [one, other, renewed] = [authority.server(), authority.server(), authority.server()];
  const list = authority.crl();
  const gate = await startGate(t, {
    authority,
    hba: 'hostssl all all all cert\n',
    upstream: { host: '127.0.0.1', port: 1 },
    config: { ssl_sni: 'on', ssl_ca_file: null, ssl_crl_file: 'ca.crl', reload: { watch: 'off' } },
    files: {
      'ca.crl': list,
      'one.crt': one.cert,
      'one.key': one.key,
      'pg_hosts.conf': `one.example one.crt one.key ca.crt\n* ${other.certFile} ${other.keyFile} ca.crt\n`,
    },
  });
  const shown = async (): Promise<unknown> => {
    const { crls } = JSON.parse((await gate.admin('/certificates')).body);
    return crls;
  };
  const reload = async (): Promise<void> => {
    t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
  };
  const atStart = await shown();
  t.match(atStart, [{ issuer: '/CN=Test CA' }]);
  t.match(atStart, { length: 1 });
  gate.rewrite('one.crt', renewed.cert);
  gate.rewrite('one.key', renewed.key);
  await reload();
  t.strictSame(await shown(), atStart);
  gate.rewrite('ca.crl', list.repeat(2));
  await reload();
  t.match(await shown(), { length: 2 }, 'what a file holds twice is two lists');
});
