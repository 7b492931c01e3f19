import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { ConfigHolder, loadSnapshot, type Snapshot } from '../../src/config/snapshot.ts';
import { LoadError } from '../../src/base/problems.ts';
import { testAuthority, type TestAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';

const HBA = 'hostssl all all all cert\n';
const BAD_HBA = 'hostssl all all all cerd\n';

/** A configuration on disk, with the means to change it. */
class Files {
  readonly authority: TestAuthority;
  readonly directory: string;
  readonly config: string;

  constructor(authority: TestAuthority) {
    this.authority = authority;
    this.directory = authority.directory;
    this.config = this.path('gatehouse.yaml');
    writeGateFiles(this.directory, authority, {
      hba: HBA,
      ident: 'm a b\n',
      upstream: { host: '127.0.0.1', port: 5432 },
    });
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, content: string): void {
    writeFileSync(this.path(name), content);
  }

  /** Appends to the YAML file; returns the line on which the text begins. */
  set(text: string): number {
    const before = readFileSync(this.config, 'utf8');
    writeFileSync(this.config, `${before}${text}\n`);
    return before.split('\n').length;
  }

  replaceInYaml(from: RegExp, to: string): void {
    writeFileSync(this.config, readFileSync(this.config, 'utf8').replace(from, to));
  }

  renewCertificate(): void {
    const { cert, key } = this.authority.server();
    this.write('server.crt', cert);
    this.write('server.key', key);
  }
}

type Kept = 'settings' | 'tls' | 'rules' | 'maps';
const ALL: readonly Kept[] = ['settings', 'tls', 'rules', 'maps'];

/** Each change, the parts that keep their old state because of it, and what is then told of them. */
const changes: {
  name: string;
  change: (files: Files) => void;
  failed: readonly Kept[];
  notReloaded?: (files: Files) => string[];
  check?: (before: Snapshot, after: Snapshot) => boolean;
}[] = [
  {
    name: 'nothing',
    change: () => undefined,
    failed: [],
    check: (before, after) => before.hash === after.hash,
  },
  {
    name: 'a new certificate and a typo in a rule',
    change: (files) => {
      files.renewCertificate();
      files.write('pg_hba.conf', BAD_HBA);
    },
    failed: ['rules'],
    notReloaded: (files) => [`${files.path('pg_hba.conf')} was not reloaded`],
    check: (before, after) =>
      before.tls !== after.tls && before.rules === after.rules && before.hash !== after.hash,
  },
  {
    name: 'a certificate without its key and a new rule',
    change: (files) => {
      files.write('server.crt', files.authority.server().cert);
      files.write('pg_hba.conf', `# new\n${HBA}`);
    },
    failed: ['tls'],
    notReloaded: () => ['SSL configuration was not reloaded'],
    check: (before, after) =>
      before.tls === after.tls && before.acceptor === after.acceptor && after.rules.records[0]?.line === 2,
  },
  {
    name: 'a bad map',
    change: (files) => files.write('pg_ident.conf', 'only two\n'),
    failed: ['maps'],
    notReloaded: (files) => [`${files.path('pg_ident.conf')} was not reloaded`],
    check: (before, after) => before.maps === after.maps,
  },
  {
    name: 'no map file at all',
    change: (files) => rmSync(files.path('pg_ident.conf')),
    failed: [],
    check: (before, after) => before.maps.records.length === 1 && after.maps.records.length === 0,
  },
  {
    name: 'a typo in the settings, and everything else new',
    change: (files) => {
      files.set('log_levl: debug');
      files.renewCertificate();
      files.write('pg_hba.conf', `# new\n${HBA}`);
    },
    failed: ['settings'],
    notReloaded: (files) => [`configuration file "${files.config}" contains errors; no changes were applied`],
    check: (before, after) =>
      before.settings === after.settings && before.tls !== after.tls && after.rules.records[0]?.line === 2,
  },
  {
    name: 'everything broken',
    change: (files) => {
      files.write('gatehouse.yaml', '[');
      files.write('server.crt', 'no certificate');
      files.write('pg_hba.conf', '');
      files.write('pg_ident.conf', 'x\n');
    },
    failed: ALL,
    check: (before, after) => before === after,
  },
  {
    name: 'a setting',
    change: (files) => void files.set('log_level: debug'),
    failed: [],
    check: (before, after) => after.settings.log_level === 'debug' && before.hash !== after.hash,
  },
  {
    name: 'ssl turned off',
    change: (files) => void files.set('ssl: off'),
    failed: [],
    check: (before, after) => before.tls !== null && after.tls === null && after.acceptor === null,
  },
  {
    name: 'other rules by another name',
    change: (files) => {
      files.write('other.conf', `${HBA}${HBA}`);
      files.replaceInYaml(/pg_hba\.conf/, 'other.conf');
    },
    failed: [],
    check: (_, after) => after.rules.records.length === 2,
  },
];

for (const { name, change, failed, notReloaded, check } of changes) {
  void test(`each part is reloaded or keeps its old state: ${name}`, async (t) => {
    const files = new Files(testAuthority(t));
    const holder = new ConfigHolder(await loadSnapshot(files.config));
    const before = holder.current;
    change(files);
    const result = await holder.reload();
    t.strictSame(
      result.reloaded,
      ALL.filter((part) => !failed.includes(part)),
    );
    t.equal(result.ok, failed.length === 0);
    t.ok(result.errors.length >= failed.length);
    t.equal(result.notReloaded.length, failed.length);
    if (notReloaded !== undefined) t.strictSame(result.notReloaded, notReloaded(files));
    t.ok(check?.(before, holder.current) ?? true, 'the parts are as they have to be');
    t.ok(Object.isFrozen(holder.current) && Object.isFrozen(holder.current.settings.admin));
  });
}

void test('what needs a restart keeps its value, and the rest of the settings changes', async (t) => {
  const files = new Files(testAuthority(t));
  const holder = new ConfigHolder(await loadSnapshot(files.config));
  files.replaceInYaml(/^port: 0$/m, 'port: 1234');
  files.replaceInYaml(/listen: 127.0.0.1:0/, "listen: ''");
  files.replaceInYaml(/^listen_addresses: .*$/m, "listen_addresses: ['127.0.0.1', '::1']");
  const line = files.set('workers: 2\nmax_connections: 7');
  const result = await holder.reload();
  t.ok(result.ok);
  t.match(result.warnings, [
    {
      file: files.config,
      line: 1,
      message: 'parameter "listen_addresses" cannot be changed without restarting the server',
    },
    { line: 2, message: 'parameter "port" cannot be changed without restarting the server' },
    { line, message: 'parameter "workers" cannot be changed without restarting the server' },
    { line: Number, message: 'parameter "admin.listen" cannot be changed without restarting the server' },
  ]);
  t.match(holder.current.settings, {
    listen_addresses: ['127.0.0.1'],
    port: 0,
    workers: 1,
    admin: { listen: '127.0.0.1:0' },
    max_connections: 7,
  });
});

void test('all who ask while a reload runs share the next one, which reads what is there then', async (t) => {
  const files = new Files(testAuthority(t));
  const holder = new ConfigHolder(await loadSnapshot(files.config));
  files.set('log_level: debug');
  const first = holder.reload();
  // The first has begun to read by the end of this turn.
  await Promise.resolve();
  const [second, third] = [holder.reload(), holder.reload()];
  t.not(first, second);
  t.equal(second, third, 'those who wait share the next reload');
  files.replaceInYaml(/debug/, 'warn');
  t.ok((await first).ok);
  t.ok((await second).ok);
  t.equal(holder.current.settings.log_level, 'warn', 'the last one has read the last state');
});

void test('at start, the problems of all parts come together', async (t) => {
  const files = new Files(testAuthority(t));
  files.write('pg_hba.conf', `${BAD_HBA}host\n`);
  files.write('pg_ident.conf', 'x\n');
  files.write('server.crt', '');
  const problems = await loadSnapshot(files.config).then(
    () => [],
    (error: unknown) => (error instanceof LoadError ? error.problems : []),
  );
  t.match(problems, [
    { message: /^could not load server certificate file/ },
    { file: files.path('pg_hba.conf'), line: 1, message: 'invalid authentication method "cerd"' },
    { file: files.path('pg_hba.conf'), line: 2 },
    { file: files.path('pg_ident.conf'), line: 1 },
  ]);
  files.write('gatehouse.yaml', 'prot: 1');
  await t.rejects(loadSnapshot(files.config), {
    message: `${files.config}:1: unrecognized configuration parameter "prot" (column 1)\n  HINT: Perhaps you meant "port".`,
  });
});

void test('the hash says nothing of the private key', async (t) => {
  const files = new Files(testAuthority(t));
  const { key } = files.authority.server();
  const before = await loadSnapshot(files.config);
  t.match(before.snapshot.hash, /^[0-9a-f]{64}$/);
  t.equal(
    (await loadSnapshot(files.config)).snapshot.hash,
    before.snapshot.hash,
    'the same content, the same hash',
  );
  // A key beside the right one changes the file and nothing that is read from it.
  files.write('server.key', `${readFileSync(files.path('server.key'), 'utf8')}${key}`);
  t.equal((await loadSnapshot(files.config)).snapshot.hash, before.snapshot.hash);
  files.renewCertificate();
  t.not((await loadSnapshot(files.config)).snapshot.hash, before.snapshot.hash);
});
