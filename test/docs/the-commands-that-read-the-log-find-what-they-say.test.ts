// docs/operations.md, Reading the log: each command is run as it stands there, on the log of a gate that has let clients in,
// refused some and reloaded. Between the lines stands what the journal holds of the same unit: systemd's own words.

import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'tap';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { startGate } from '../support/run/gate.ts';
import { runToEnd } from '../support/run/program.ts';
import { needs, toolPath } from '../support/run/tools.ts';
import { openClient, openSession } from '../session/clients.ts';

const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const section = page.slice(page.indexOf('\n**Reading the log.**'), page.indexOf('In Grafana Loki'));
const commands = /^```sh\n([^]*?)^```$/m.exec(section)?.[1] ?? '';
const [refusals = '', connection = '', admitted = '', reloads = ''] = commands
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));

/** journalctl as far as the page uses it: with -p it leaves out what is less than a warning. */
const JOURNALCTL = `journalctl() { case " $* " in *" -p "*) grep -v '"level":"info"' gatehouse.log;; *) cat gatehouse.log;; esac; }\n`;

await test('on the log of a gate', needs('jq'), async (t) => {
  const gate = await startGate(t, {
    hba: 'host all,replication alice 127.0.0.1/32 trust\n',
    upstream: await scriptedUpstream(t, scripts.trust),
    config: { reload: { watch: false } },
  });
  await openSession(t, gate, { parameters: { user: 'alice', database: 'app' } });
  await openSession(t, gate, { parameters: { user: 'alice', replication: 'true' } });
  const stranger = await openClient(t, gate);
  t.match((await stranger.login({ user: 'mallory' })).error, { C: '28000' });
  gate.rewrite('pg_hba.conf', 'host all all 127.0.0.1/32 trusted\n');
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 422);
  gate.rewrite('gatehouse.yaml', 'no_such_setting: 1\n');
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 422);
  await gate.waitForLog({ msg: /contains errors/ });

  const words = 'Started pg-gatehouse.service - Mutual TLS.\n';
  writeFileSync(gate.path('gatehouse.log'), words + gate.stdout.replaceAll('\n', `\n${words}`));
  const run = async (command: string): Promise<readonly string[]> => {
    const { code, stdout, stderr } = await runToEnd('/bin/bash', ['-ec', JOURNALCTL + command], {
      cwd: gate.directory,
      env: { PATH: `${toolPath('jq').replace(/\/jq$/, '')}:/usr/bin:/bin` },
    });
    t.strictSame([code, stderr], [0, ''], command);
    return stdout.trimEnd().split('\n');
  };

  t.match((await run(refusals)).join('\n'), /^\s*1 hba-no-entry$/, 'a refusal at level info too');
  const { id } = await gate.waitForLog({ code: 'hba-no-entry' });
  const own = await run(connection.replace(/"\d+-[a-z]+-\d+"/, JSON.stringify(id)));
  t.ok(own.length >= 2, 'from its arrival to its end');
  for (const line of own) t.equal(JSON.parse(line).id, id);
  const rule = `${gate.path('pg_hba.conf')}:1`;
  t.strictSame(
    (await run(admitted)).map((line) => line.split('\t').slice(1)),
    [
      ['alice', 'app', '127.0.0.1', rule],
      ['alice', '', '127.0.0.1', rule],
    ],
    'replication too',
  );
  const told = (await run(reloads)).join('\n');
  t.match(told, /pg_hba\.conf was not reloaded$/m);
  t.match(told, /configuration file ".*" contains errors; no changes were applied$/m);
  t.match(told, /reloaded: nothing has changed$/m);
});
