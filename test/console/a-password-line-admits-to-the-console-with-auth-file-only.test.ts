// A password line decides on the console as on any database: with auth_file the gate checks the password, and without it
// there is nobody who could.

import { test } from 'tap';
import { psql } from '../support/peers/psql.ts';
import { startGate } from '../support/run/gate.ts';
import { needs } from '../support/run/tools.ts';

const HBA = 'host gatehouse all 127.0.0.1/32 scram-sha-256\n';

await test('with and without', needs('psql'), async (t) => {
  for (const hasSecrets of [true, false]) {
    const gate = await startGate(t, {
      hba: HBA,
      upstream: { host: '127.0.0.1', port: 1 },
      config: { admin_users: 'dba', ...(hasSecrets ? { auth_file: 'users.key' } : {}) },
      files: { 'users.key': '"dba" "right"\n' },
    });
    const ask = async (password: string): Promise<string> => {
      const conninfo = { host: '127.0.0.1', port: gate.port, dbname: 'gatehouse', user: 'dba', password };
      const { stdout, stderr } = await psql({ ...conninfo, sslmode: 'require' }, ['-c', 'SHOW ssl']);
      return stdout + stderr;
    };
    if (hasSecrets) {
      t.equal(await ask('right'), 'on\n');
      t.match(await ask('wrong'), 'password authentication failed for user "dba"');
    } else {
      t.match(await ask('right'), 'FATAL:  the console cannot check passwords without auth_file');
      t.match(await gate.waitForLog({ code: 'console-password-impossible' }), { user: 'dba' });
    }
  }
});
