// A reload keeps the very objects of what has not changed: rules, maps, TLS material. What did change is read, a change
// of a key's permissions and of a setting that a part is read by included, and warnings
// come again each time.

import { appendFileSync, chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { ConfigHolder, loadSnapshot, type Snapshot } from '../../src/config/snapshot.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import type { Scope } from '../support/run/scope.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';

interface Holding {
  readonly holder: ConfigHolder;
  readonly path: (name: string) => string;
  /** Reloads; says which parts are new objects now. */
  readonly reload: () => Promise<{ readonly changed: readonly string[]; readonly ok: boolean }>;
}

const HBA = 'hostssl all all all cert map=m\n';

async function hold(
  t: Scope,
  hba = HBA,
  files: Readonly<Record<string, string>> = {},
  notAfter = new Date('2040-01-01T00:00:00Z'),
): Promise<Holding> {
  const directory = temporaryDirectory(t);
  const authority = testAuthority(t);
  const upstream = { host: '127.0.0.1', port: 5432 };
  const ident = String.raw`m /^(.*)$ \1`;
  writeGateFiles(directory, authority, {
    hba,
    ident,
    upstream,
    files,
    server: authority.server({ notAfter }),
  });
  const path = (name: string): string => join(directory, name);
  const holder = new ConfigHolder(await loadSnapshot(path('gatehouse.yaml')));
  const names = ['rules', 'maps', 'tls', 'acceptor'] as const satisfies readonly (keyof Snapshot)[];
  return {
    holder,
    path,
    reload: async () => {
      const before = holder.current;
      const { ok } = await holder.reload();
      return { ok, changed: names.filter((name) => holder.current[name] !== before[name]) };
    },
  };
}

await test('nothing has changed', async (t) => {
  const { holder, reload } = await hold(t);
  const { hash } = holder.current;
  for (let round = 0; round < 3; round += 1) t.strictSame(await reload(), { ok: true, changed: [] });
  t.equal(holder.current.hash, hash);
});

await test('each file that changes brings its own part, and that one once', async (t) => {
  const files = { 'more.conf': 'host a all all reject\n', users: 'u v\n' };
  const { path, reload } = await hold(t, 'include more.conf\nhost b @users all reject', files);
  appendFileSync(path('pg_hba.conf'), '\nhost all all all reject\n');
  t.strictSame((await reload()).changed, ['rules']);
  appendFileSync(path('more.conf'), 'host c all all reject\n');
  t.strictSame((await reload()).changed, ['rules'], 'a file that it includes');
  appendFileSync(path('users'), 'w\n');
  t.strictSame((await reload()).changed, ['rules'], 'a file that a field names');
  appendFileSync(path('pg_ident.conf'), 'm x y\n');
  t.strictSame((await reload()).changed, ['maps']);
  appendFileSync(path('ca.crt'), testAuthority(t, { cn: 'another' }).cert);
  t.strictSame((await reload()).changed, ['tls', 'acceptor']);
  t.strictSame((await reload()).changed, []);
});

await test('a setting that a part is read by brings that part', async (t) => {
  const { path, reload } = await hold(t);
  appendFileSync(path('gatehouse.yaml'), 'log_level: warn\n');
  t.strictSame((await reload()).changed, [], 'the log level is read by none of them');
  appendFileSync(path('gatehouse.yaml'), 'roles: {dba: [alice]}\n');
  t.strictSame((await reload()).changed, ['rules', 'maps']);
  appendFileSync(path('gatehouse.yaml'), 'ssl_min_protocol_version: TLSv1.3\n');
  t.strictSame((await reload()).changed, ['tls', 'acceptor']);
  t.strictSame((await reload()).changed, []);
});

await test('a file that is broken and mended again is the part that was in force', async (t) => {
  const { path, reload } = await hold(t);
  writeFileSync(path('pg_hba.conf'), 'nonsense\n');
  t.strictSame(await reload(), { ok: false, changed: [] });
  writeFileSync(path('pg_hba.conf'), HBA);
  t.strictSame(await reload(), { ok: true, changed: [] });
});

await test('a key that others can read by now is refused, though its content is the same', async (t) => {
  const { path, reload } = await hold(t);
  chmodSync(path('server.key'), 0o644);
  t.strictSame(await reload(), { ok: false, changed: [] });
  chmodSync(path('server.key'), 0o600);
  t.strictSame(await reload(), { ok: true, changed: [] });
});

await test('a change that needs a restart is warned of at each reload', async (t) => {
  const { path, holder } = await hold(t);
  appendFileSync(path('gatehouse.yaml'), 'workers: 7\n');
  for (let round = 0; round < 2; round += 1) {
    const { warnings } = await holder.reload();
    t.match(warnings, [{ message: 'parameter "workers" cannot be changed without restarting the server' }]);
    t.equal(holder.current.settings.workers, 1);
  }
});

await test('what ends soon is warned of at each reload', async (t) => {
  const { holder } = await hold(t, HBA, {}, new Date(Date.now() + 12 * 3600 * 1000));
  const expiring = /^server certificate .* expires on .*, in (\d+) hours$/;
  for (let round = 0; round < 2; round += 1) {
    t.match((await holder.reload()).warnings, [{ message: expiring }]);
  }
});
