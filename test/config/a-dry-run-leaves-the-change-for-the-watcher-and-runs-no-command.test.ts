// A dry run (contract §17) puts nothing in force and remembers nothing: the watcher finds the change after it, a reload
// loads it, and ssl_passphrase_command is run by neither more nor fewer than the loads that are meant to run it.

import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createPrivateKey } from 'node:crypto';
import { test } from 'tap';
import { ConfigHolder, loadSnapshot } from '../../src/config/snapshot.ts';
import { createWatcher } from '../../src/config/watch.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import type { Scope } from '../support/run/scope.ts';

function write(t: Scope, config: Readonly<Record<string, unknown>> = {}) {
  const authority = testAuthority(t);
  const path = (name: string): string => join(authority.directory, name);
  const upstream = { host: '127.0.0.1', port: 5432 };
  writeGateFiles(authority.directory, authority, { hba: 'host all all all trust\n', upstream, config });
  return { authority, path };
}

await test('nothing is in force, and the watcher still finds the change', async (t) => {
  const { authority, path } = write(t);
  const holder = new ConfigHolder(await loadSnapshot(path('gatehouse.yaml')));
  const { current, parts, sources } = holder;
  let reloads = 0;
  const looks: (() => Promise<void>)[] = [];
  const watcher = createWatcher(holder, {
    onChange: async () => {
      reloads += 1;
      await holder.reload();
    },
    schedule: (look) => {
      looks.push(look);
      return () => {};
    },
  });
  t.teardown(() => watcher.stop());
  const look = async (): Promise<void> => await looks.at(-1)?.();

  await look();
  t.equal(reloads, 0);
  const { cert, key } = authority.server();
  writeFileSync(path('server.crt'), cert);
  writeFileSync(path('server.key'), key);
  writeFileSync(path('pg_hba.conf'), 'host all all all reject\n');
  appendFileSync(path('gatehouse.yaml'), 'max_connections: 5\n');
  const tried = await holder.dryRun();
  t.strictSame([...tried.changed], ['settings', 'tls', 'rules']);
  t.equal(tried.current.settings.max_connections, 5);
  t.ok(
    holder.current === current && holder.parts === parts && holder.sources === sources,
    'nothing has changed',
  );
  t.strictSame([...(await holder.dryRun()).changed], ['settings', 'tls', 'rules'], 'nor after the first one');
  await look();
  t.equal(reloads, 1, 'the watcher finds what two dry runs have seen');
  t.equal(holder.current.settings.max_connections, 5);
  t.equal(holder.current.hash, tried.current.hash, 'it is what the dry run said');
  t.strictSame([...(await holder.dryRun()).changed], []);
});

await test('the passphrase in force opens the key; the command is not run', async (t) => {
  const { authority, path } = write(t, {
    ssl_passphrase_command: 'echo run >> runs; cat passphrase',
    ssl_passphrase_command_supports_reload: 'on',
  });
  const encrypted = (passphrase: string) => {
    const { cert, key } = authority.server();
    const cipher = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const;
    writeFileSync(path('server.crt'), cert);
    writeFileSync(path('server.key'), createPrivateKey(key).export(cipher));
    writeFileSync(path('passphrase'), `${passphrase}\n`);
  };
  encrypted('first');
  const yaml = readFileSync(path('gatehouse.yaml'), 'utf8');
  writeFileSync(
    path('gatehouse.yaml'),
    yaml.replace(
      'echo run >> runs; cat passphrase',
      `echo run >> ${path('runs')}; cat ${path('passphrase')}`,
    ),
  );
  const runs = (): number =>
    existsSync(path('runs')) ? readFileSync(path('runs'), 'utf8').split('\n').length - 1 : 0;
  const holder = new ConfigHolder(await loadSnapshot(path('gatehouse.yaml')));
  t.equal(runs(), 1);
  encrypted('first');
  const same = await holder.dryRun();
  t.strictSame([same.result.ok, [...same.changed], runs()], [true, ['tls'], 1]);
  encrypted('second');
  const { result } = await holder.dryRun();
  t.strictSame([result.ok, runs()], [false, 1]);
  t.match(result.errors, [
    { message: /does not open with the passphrase in force/, hint: /A reload runs it/ },
  ]);
  t.notMatch(JSON.stringify(result), /first|second/, 'no passphrase is told');
  t.match(await holder.reload(), { ok: true });
  t.equal(runs(), 2);
});
