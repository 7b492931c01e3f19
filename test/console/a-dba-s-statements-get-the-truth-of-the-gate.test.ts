// What the articles on PostgreSQL and TLS tell a DBA to type, typed at the gate in psql: SHOW ssl, pg_stat_ssl, a reload
// that works and one that does not, and the end of another's session.

import { test } from 'tap';
import { atConsole, Talk } from './at-console.ts';
import { needs } from '../support/run/tools.ts';

const HBA = 'hostssl gatehouse all 127.0.0.1/32 cert\nhost all all 127.0.0.1/32 trust\n';

await test('the statements of the articles', needs('psql'), async (t) => {
  const { gate, credentials, conninfo, ask } = await atConsole(t, { hba: HBA });
  const session = new Talk(t, conninfo('alice', 'postgres'));
  const inClear = new Talk(t, { ...conninfo('carol', 'postgres'), sslmode: 'disable' });
  const [pid = ''] = await session.ask('select pg_backend_pid();');
  const [pidInClear = ''] = await inClear.ask('select pg_backend_pid();');

  t.equal(await ask('alice', 'SHOW ssl', 'show SSL', 'select pg_is_in_recovery()'), 'on\non\nf');
  const { serial } = credentials('alice');
  t.equal(
    await ask('alice', `SELECT * FROM pg_stat_ssl WHERE pid < 1000000000 ORDER BY ssl DESC`),
    [
      `${pid}|t|TLSv1.3|TLS_AES_256_GCM_SHA384|256|/CN=alice|${serial}|/CN=Test CA`,
      `${pidInClear}|f||||||`,
    ].join('\n'),
  );
  t.equal(
    await ask(
      'alice',
      `SELECT a.usename, a.datname, a.state, s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
       WHERE a.pid <> pg_backend_pid() ORDER BY a.usename`,
    ),
    'alice|postgres|idle|t\ncarol|postgres|idle|f',
  );
  const own = await ask('alice', 'SELECT pid, ssl, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
  t.match(own, /^10737418\d\d\|t\|\/CN=alice$/);

  t.equal(await ask('alice', 'SELECT pg_reload_conf()'), 't');
  gate.rewrite('pg_hba.conf', `${HBA}hostssl all all all certt\n`);
  const failed = await ask('alice', 'SELECT pg_reload_conf()');
  t.match(failed, /^ERROR: {2}the configuration was not reloaded whole$/m);
  t.match(failed, /^DETAIL: {2}\S+\/pg_hba\.conf:3: invalid authentication method "certt"/m);
  gate.rewrite('pg_hba.conf', HBA);
  t.equal(await ask('alice', 'SELECT pg_reload_conf()'), 't');

  t.equal(await ask('alice', `SELECT pg_terminate_backend(${pid})`), 't');
  session.send('select 1;');
  t.match(await session.line(/FATAL/), 'terminating connection due to administrator command');
  const gone = await ask('alice', `SELECT pg_terminate_backend(${pid})`);
  t.match(gone, `WARNING:  PID ${pid} is not a PostgreSQL backend process`);
  t.match(gone, /^f$/m);
  t.strictSame(await inClear.ask('select 1;'), ['1'], 'the other session goes on');

  const ended = await gate.waitForLog({ code: 'admin-terminated' });
  t.match(ended, { upstream_pid: Number(pid), user: 'alice' }, 'the closing line names the upstream process');
});
