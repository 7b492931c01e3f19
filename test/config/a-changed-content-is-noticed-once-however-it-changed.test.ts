import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { parts } from '../../src/config/parts.ts';
import { ConfigHolder, loadSnapshot, type ReloadResult } from '../../src/config/snapshot.ts';
import { createWatcher, type Schedule } from '../../src/config/watch.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles, type GateFiles } from '../support/run/gate-files.ts';
import type { Scope } from '../support/run/scope.ts';

const HBA = 'hostssl all all all cert\n';

/** A timer that goes off when the test says so. */
class ManualTimer {
  delays: number[] = [];
  #callback: (() => Promise<void>) | null = null;

  readonly schedule: Schedule = (callback, delayMs) => {
    if (this.#callback !== null) throw new Error('two timers at one time');
    this.#callback = callback;
    this.delays.push(delayMs);
    return () => {
      this.#callback = null;
    };
  };

  get isSet(): boolean {
    return this.#callback !== null;
  }

  async goOff(): Promise<void> {
    const callback = this.#callback;
    if (callback === null) throw new Error('no timer is set');
    this.#callback = null;
    await callback();
  }
}

async function setUp(
  t: Scope,
  options: Partial<GateFiles> = {},
  whileReloading: () => Promise<void> = async () => {},
) {
  const authority = testAuthority(t);
  const path = (name: string) => join(authority.directory, name);
  const write = (name: string, content: string) => writeFileSync(path(name), content);
  writeGateFiles(authority.directory, authority, {
    hba: HBA,
    ident: '',
    upstream: { host: '127.0.0.1', port: 5432 },
    ...options,
  });
  const holder = new ConfigHolder(await loadSnapshot(path('gatehouse.yaml')));
  const timer = new ManualTimer();
  const results: ReloadResult[] = [];
  const watcher = createWatcher(holder, {
    schedule: timer.schedule,
    onChange: async () => {
      results.push(await holder.reload());
      await whileReloading();
    },
  });
  /** Lets the watcher look; tells which parts failed in the reload that it caused, or null for none. */
  const look = async () => {
    results.length = 0;
    await timer.goOff();
    if (results.length > 1) throw new Error('more than one reload');
    const [result] = results;
    return result === undefined ? null : parts.filter((part) => !result.reloaded.includes(part));
  };
  return { authority, path, write, holder, timer, watcher, look };
}

void test('every file in use is watched, by its content', async (t) => {
  const config = { ssl_crl_file: 'crl.pem', ssl_crl_dir: 'crl', ssl_dh_params_file: null };
  const authority = testAuthority(t);
  mkdirSync(join(authority.directory, 'included'));
  mkdirSync(join(authority.directory, 'crl'));
  const path = (name: string) => join(authority.directory, name);
  writeFileSync(path('included/a.conf'), HBA);
  writeFileSync(path('crl/00000000.r0'), authority.crl());
  writeGateFiles(authority.directory, authority, {
    config,
    hba: 'hostssl all @users all cert\ninclude_dir included\ninclude_if_exists later.conf\n',
    files: { users: 'alice\n', 'crl.pem': authority.crl() },
    upstream: { host: '127.0.0.1', port: 5432 },
  });
  const holder = new ConfigHolder(await loadSnapshot(path('gatehouse.yaml')));
  const timer = new ManualTimer();
  let reloads = 0;
  createWatcher(holder, {
    schedule: timer.schedule,
    onChange: async () => {
      reloads += 1;
      const result = await holder.reload();
      if (!result.ok) throw new Error(JSON.stringify(result.errors));
    },
  });
  const append = (name: string, text: string) => () => writeFileSync(path(name), text, { flag: 'a' });
  const changes: [name: string, change: () => void][] = [
    ['the YAML file', append('gatehouse.yaml', '# more\n')],
    ['the rules', append('pg_hba.conf', '# more\n')],
    ['a list of users', append('users', 'bob\n')],
    ['an included file', append('included/a.conf', '# more\n')],
    ['a further included file', append('included/b.conf', HBA)],
    ['an included file taken away', () => rmSync(path('included/a.conf'))],
    ['a file that include_if_exists missed', append('later.conf', HBA)],
    ['the maps, which were not there', append('pg_ident.conf', 'm a b\n')],
    ['the maps', append('pg_ident.conf', 'm c d\n')],
    ['the certificate', append('server.crt', '\n')],
    ['the key', append('server.key', '\n')],
    ['the root certificates', append('ca.crt', authority.cert)],
    ['the revocation list', () => writeFileSync(path('crl.pem'), authority.crl())],
    ['a revocation list in the directory', () => writeFileSync(path('crl/00000000.r0'), authority.crl())],
    ['a further one', append('crl/00000000.r1', authority.crl())],
  ];
  for (const [name, change] of changes) {
    change();
    reloads = 0;
    await timer.goOff();
    t.equal(reloads, 1, `${name}: noticed`);
    await timer.goOff();
    t.equal(reloads, 1, `${name}: once`);
  }
});

void test('neither times nor other names for the same content count', async (t) => {
  const { path, look } = await setUp(t);
  utimesSync(path('pg_hba.conf'), new Date(), new Date());
  const content = readFileSync(path('server.crt'));
  writeFileSync(path('copy'), content);
  renameSync(path('copy'), path('server.crt'));
  t.equal(await look(), null);
});

void test('a change that keeps size and times is noticed', async (t) => {
  const { path, write, look } = await setUp(t);
  const { atime, mtime } = statSync(path('pg_hba.conf'));
  write('pg_hba.conf', HBA.replace('cert', 'CERT'));
  utimesSync(path('pg_hba.conf'), atime, mtime);
  t.strictSame(await look(), ['rules']);
});

void test("a swap of Kubernetes' symlinks is noticed", async (t) => {
  const { authority, path, holder, look } = await setUp(t);
  const [first, second] = [authority.server(), authority.server()];
  for (const [name, { cert, key }] of Object.entries({ '..1': first, '..2': second })) {
    mkdirSync(path(name));
    writeFileSync(path(`${name}/server.crt`), cert);
    writeFileSync(path(`${name}/server.key`), key, { mode: 0o600 });
  }
  symlinkSync('..1', path('..data'));
  for (const name of ['server.crt', 'server.key']) {
    rmSync(path(name));
    symlinkSync(`..data/${name}`, path(name));
  }
  t.strictSame(await look(), []);
  t.equal(await look(), null);
  symlinkSync('..2', path('..data_tmp'));
  renameSync(path('..data_tmp'), path('..data'));
  t.strictSame(await look(), []);
  t.equal(holder.current.tls?.materials[0]?.certificates[0]?.serial, String(second.serial));
});

void test('a half-written state is tried again when it has changed again, not before', async (t) => {
  const { write, look, holder } = await setUp(t);
  write('pg_hba.conf', 'hostssl all all');
  t.strictSame(await look(), ['rules']);
  t.equal(await look(), null);
  write('pg_hba.conf', 'hostssl all all all');
  t.strictSame(await look(), ['rules']);
  write('pg_hba.conf', `# whole again\n${HBA}`);
  t.strictSame(await look(), []);
  t.equal(holder.current.rules.records[0]?.line, 2);
});

void test('what cannot be compared causes no reload over and over', async (t) => {
  const { path, write, look } = await setUp(t);
  rmSync(path('pg_ident.conf'));
  symlinkSync('/dev/null', path('pg_ident.conf'));
  t.equal(await look(), null, 'the null device is an empty file, as it was');
  rmSync(path('pg_ident.conf'));
  mkdirSync(path('pg_ident.conf'));
  t.strictSame(await look(), ['maps']);
  t.equal(await look(), null, 'a directory');
  rmSync(path('pg_ident.conf'), { recursive: true });
  write('pg_ident.conf', '#'.repeat(16 * 1024 * 1024 + 1));
  t.strictSame(await look(), ['maps']);
  t.equal(await look(), null, 'too large a file');
  t.equal(await look(), null, 'and again');
  write('pg_ident.conf', '#');
  t.strictSame(await look(), []);
});

void test('the interval and the switch are those of the settings in force', async (t) => {
  const { timer, write, look, holder, path } = await setUp(t, { config: { reload: { interval: '7s' } } });
  t.strictSame(timer.delays, [7000]);
  const yaml = readFileSync(path('gatehouse.yaml'), 'utf8');
  write('gatehouse.yaml', yaml.replace('interval: 7s', 'interval: 3s\n  watch: off'));
  t.strictSame(await look(), []);
  t.strictSame(timer.delays, [7000, 3000]);
  write('pg_hba.conf', `# new\n${HBA}`);
  t.equal(await look(), null, 'off is off');
  write('gatehouse.yaml', yaml);
  await holder.reload();
  t.equal(await look(), null, 'a reload of its own accord has seen it already');
  write('pg_hba.conf', HBA);
  t.strictSame(await look(), [], 'on again');
});

void test('an interval that a reload of someone else has changed counts at once', async (t) => {
  const { timer, watcher, write, look, holder, path } = await setUp(t, {
    config: { reload: { interval: '1d' } },
  });
  const yaml = readFileSync(path('gatehouse.yaml'), 'utf8');
  write('gatehouse.yaml', yaml.replace('interval: 1d', 'interval: 5s'));
  await holder.reload();
  watcher.reloaded();
  t.strictSame(timer.delays, [86_400_000, 5000]);
  watcher.reloaded();
  t.strictSame(timer.delays, [86_400_000, 5000], 'one that is in force already is not begun anew');
  write('pg_hba.conf', `# new\n${HBA}`);
  t.strictSame(await look(), []);
  watcher.stop();
  write('gatehouse.yaml', yaml);
  await holder.reload();
  watcher.reloaded();
  t.notOk(timer.isSet, 'none is set after a stop');
});

void test('looks do not overlap, and none follows a stop', async (t) => {
  const entered = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const whileReloading = async () => {
    entered.resolve();
    await release.promise;
  };
  const config = { reload: { interval: '7s' } };
  const { timer, watcher, write, path } = await setUp(t, { config }, whileReloading);
  t.ok(timer.isSet);
  write('gatehouse.yaml', readFileSync(path('gatehouse.yaml'), 'utf8').replace('7s', '3s'));
  const looking = timer.goOff();
  await entered.promise;
  watcher.reloaded();
  t.notOk(timer.isSet, 'no timer runs while a look does');
  release.resolve();
  await looking;
  t.ok(timer.isSet);
  watcher.stop();
  t.notOk(timer.isSet);
});

void test('a stop during a look is final', async (t) => {
  const { timer, watcher, write, holder } = await setUp(t);
  const before = holder.current;
  write('pg_hba.conf', `# new\n${HBA}`);
  const looking = timer.goOff();
  watcher.stop();
  await looking;
  t.notOk(timer.isSet);
  t.equal(holder.current, before);
});
