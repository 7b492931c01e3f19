// The Debian package on a machine without Node and without a service manager: installed by apt, a round trip by psql
// through two workers, and nothing left after a purge.

import { basename } from 'node:path';
import { t as tap, test } from 'tap';
import { freePort } from '../support/run/free-port.ts';
import { requireMachine, startMachine } from '../support/run/machine.ts';
import { requirePackages } from '../support/run/packages.ts';
import { requireTools } from '../support/run/tools.ts';
import { startPostgres } from '../support/servers/postgres.ts';

const { deb, version } = requirePackages(tap);
requireMachine(tap);
requireTools(tap, 'psql', 'systemd-analyze');

/** As the service's user, as the unit does it. */
const ROUND_TRIP = `cd /etc/pg-gatehouse
setpriv --reuid pg-gatehouse --regid pg-gatehouse --init-groups --inh-caps=-all \
  pg-gatehouse serve --config /etc/pg-gatehouse/gatehouse.yaml >/tmp/log 2>&1 &
gate=$!
tail --pid=$gate -n +1 -F /tmp/log 2>/dev/null | grep -q -m1 'ready to accept connections'
cat /tmp/log
port=$(sed -n 's/^port: //p' gatehouse.yaml)
base="host=localhost port=$port user=postgres dbname=postgres sslmode=verify-full sslrootcert=ca.crt"
psql "$base sslcert=postgres.crt sslkey=postgres.key" -Atc 'select 6*7'
psql "$base" -Atc 'select 1'
kill -TERM $gate; wait $gate; echo "ended with $?"`;

await test('installed, used and purged', async (t) => {
  await using server = await startPostgres({ version: 15 });
  const machine = await startMachine(t, deb);
  const there = `/tmp/${basename(deb)}`;
  const run = async (script: string, code = 0): Promise<string> => {
    const finished = await machine.run(script);
    t.equal(finished.code, code, `${script}\n${finished.stdout}${finished.stderr}`);
    return finished.stdout + finished.stderr;
  };
  await run('! command -v node && ! command -v npm');

  await t.test('installing starts nothing', async (step) => {
    const said = await run(`apt-get install -y --no-install-recommends ${there}`);
    step.match(said, /pg-gatehouse is installed and not started: it has no certificate yet, and lets nobody in/);
    step.equal(await run('pg-gatehouse --version'), `${version}\n`);
    step.match(await run('id pg-gatehouse'), /uid=\d+\(pg-gatehouse\) gid=\d+\(pg-gatehouse\)/);
    step.match(await run('stat -c "%a %U:%G" /etc/pg-gatehouse'), '750 root:pg-gatehouse');
    step.match(await run('getent passwd pg-gatehouse'), ':/nonexistent:/usr/sbin/nologin');
    const check = await run('pg-gatehouse check --config /etc/pg-gatehouse/gatehouse.yaml', 1);
    step.match(check, /server\.crt/, 'the sample says why it does not start');
    step.match(await run('zcat /usr/share/man/man1/pg-gatehouse.1.gz'), /\.SH COMMANDS/);
    await run('bash -n /usr/share/bash-completion/completions/pg-gatehouse');
    await run('systemd-analyze verify --man=no /usr/lib/systemd/system/pg-gatehouse.service /usr/lib/systemd/system/pg-gatehouse.socket');
    const unit = await run('cat /usr/lib/systemd/system/pg-gatehouse.service');
    step.notMatch(unit, /NODE_OPTIONS|env pg-gatehouse/);
    // With sockets of systemd's the program does not start itself anew to set these.
    for (const name of ['UV_THREADPOOL_SIZE', 'MALLOC_ARENA_MAX', 'MALLOC_MMAP_THRESHOLD_'])
      step.match(unit, new RegExp(`^Environment=.*${name}=`, 'm'));
    step.match(
      await run('dpkg -L pg-gatehouse'),
      /usr\/lib\/systemd\/system\/pg-gatehouse\.service\n[^]*pg-gatehouse\.socket/,
    );
  });

  await t.test('a certificate, two workers, and a query', async (step) => {
    await prepare(run, { port: await freePort(), upstream: server.port });
    step.match(await run('pg-gatehouse check --config /etc/pg-gatehouse/gatehouse.yaml'), /gatehouse\.yaml: ok/);
    const said = await run(ROUND_TRIP);
    step.match(said, /worker started with PID \d+[^]*worker started with PID \d+/);
    step.match(said, /\n42\n/, 'the answer of the server');
    step.match(said, /connection requires a valid client certificate/);
    step.match(said, /ended with 0/);
  });

  await t.test('an upgrade keeps what the administrator has changed', async (step) => {
    await run(`dpkg -i ${there}`);
    step.match(await run('cat /etc/pg-gatehouse/pg_hba.conf'), /^hostssl all all all cert\n/);
  });

  await t.test('a purge leaves nothing', async (step) => {
    await run('apt-get purge -y pg-gatehouse');
    step.match(await run('dpkg -s pg-gatehouse', 1), /is not installed/);
    step.equal(await run('grep -s pg-gatehouse /etc/passwd /etc/group /etc/shadow /etc/gshadow', 1), '');
    const changed = await machine.changed();
    step.ok(changed.includes('/var/lib/dpkg/status'), 'what was changed is seen');
    step.strictSame(
      changed.filter((path) => path.includes('pg-gatehouse')),
      [],
    );
  });
});

type Run = (script: string, code?: number) => Promise<string>;

/** The steps of the sample's own comment, and a rule that admits. */
async function prepare(run: Run, ports: { readonly port: number; readonly upstream: number }): Promise<void> {
  await run(`cd /etc/pg-gatehouse
pg-gatehouse pki init --dir . && pg-gatehouse pki server --dir . --host localhost && pg-gatehouse pki client --dir . postgres
chgrp pg-gatehouse server.key && chmod 640 server.key
echo 'hostssl all all all cert' > pg_hba.conf
sed -i 's/^port: .*/port: ${ports.port}\\nworkers: 2/; s/^  port: .*/  port: ${ports.upstream}/; s/^  listen: .*/  listen: ""/' gatehouse.yaml`);
}
