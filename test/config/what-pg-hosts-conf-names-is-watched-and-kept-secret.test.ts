// Everything that pg_hosts.conf leads to is on the one list of what was read (contract §11): the watcher sees each change
// of it, and no key and no passphrase counts into the hash of config_info. What has not changed stays the same object.

import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { test } from 'tap';
import { ConfigHolder, loadSnapshot, type Snapshot } from '../../src/config/snapshot.ts';
import { packState, ReceivedState } from '../../src/config/handover.ts';
import { digestSource } from '../../src/base/sources.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import type { Scope } from '../support/run/scope.ts';
import { needs, toolPath } from '../support/run/tools.ts';

/** A configuration with two hosts, in files of every kind that pg_hosts.conf can name. */
function setUp(t: Scope) {
  const authority = testAuthority(t);
  const [one, other] = [authority.server(), authority.server()];
  const path = (name: string): string => join(authority.directory, name);
  writeGateFiles(authority.directory, authority, {
    hba: 'hostssl all all all cert\n',
    upstream: { host: '127.0.0.1', port: 5432 },
    config: { ssl_sni: 'on', ssl_ca_file: null, ssl_crl_file: 'ca.crl' },
    files: {
      'ca.crl': authority.crl(),
      'one.crt': one.cert,
      'one.key': one.key,
      'other.crt': other.cert,
      'other.key': other.key,
      'names.txt': 'one.example\n',
      'pg_hosts.conf': '@names.txt one.crt one.key ca.crt "echo a-passphrase"\ninclude more.conf\n',
      'more.conf': '* other.crt other.key ca.crt\n',
    },
  });
  return { authority, path, yaml: path('gatehouse.yaml') };
}

const NAMED = [
  'pg_hosts.conf',
  'names.txt',
  'more.conf',
  'one.crt',
  'one.key',
  'other.crt',
  'other.key',
  'ca.crt',
  'ca.crl',
];

await test('the watcher sees a change of each file', async (t) => {
  const { path, yaml } = setUp(t);
  const holder = new ConfigHolder(await loadSnapshot(yaml));
  for (const name of NAMED) {
    const source = holder.sources.get(path(name));
    t.ok(source, `${name} was read`);
    const before = readFileSync(path(name));
    appendFileSync(path(name), '\n# another line\n');
    t.not(await digestSource(path(name), 'file'), source?.digest, `${name} is another`);
    writeFileSync(path(name), before);
  }
  t.strictSame(
    ['server.crt', 'server.key'].filter((name) => holder.sources.has(path(name))),
    [],
    'the ssl_* settings that do not count are not read',
  );
});

await test('the hash shows hosts and certificates, no key and no passphrase', async (t) => {
  const { authority, path, yaml } = setUp(t);
  const hash = async (): Promise<string> => (await loadSnapshot(yaml)).snapshot.hash;
  const original = await hash();
  const change = async (name: string, content: string): Promise<boolean> => {
    const before = readFileSync(path(name), 'utf8');
    writeFileSync(path(name), content.replace('…', before));
    const changed = (await hash()) !== original;
    writeFileSync(path(name), before);
    return changed;
  };
  const { key } = authority.server();
  t.notOk(await change('one.key', `…${key}`), 'another key in the file');
  t.notOk(
    await change('pg_hosts.conf', '@names.txt one.crt one.key ca.crt "echo another"\ninclude more.conf\n'),
    'another passphrase',
  );
  t.ok(await change('names.txt', 'one.example\ntwo.example\n'), 'another name');
  t.ok(await change('more.conf', '* one.crt one.key ca.crt\n'), 'another certificate');
  t.ok(await change('more.conf', '* other.crt other.key\n'), 'no CA');
  t.ok(await change('ca.crl', authority.crl({ revoked: [authority.client('x')] })), 'another list');
  t.ok(await change('gatehouse.yaml', '…\nssl_prefer_server_ciphers: off\n'));
  t.strictSame(
    (await loadSnapshot(yaml)).warnings.filter(({ message }) => message.includes('passphrase')),
    [],
  );
});

await test('what comes out the same stays, host by host', async (t) => {
  const { authority, path, yaml } = setUp(t);
  const holder = new ConfigHolder(await loadSnapshot(yaml));
  const start = holder.current;
  const [one, other] = start.tls?.materials ?? [];
  await holder.reload();
  t.equal(holder.current.tls, start.tls, 'nothing is read again');
  appendFileSync(path('pg_hosts.conf'), '# another line\n');
  await holder.reload();
  t.equal(holder.current.tls, start.tls, 'a comment changes nothing');
  t.equal(holder.current.acceptor, start.acceptor);
  const renewed = authority.server();
  writeFileSync(path('one.crt'), renewed.cert);
  writeFileSync(path('one.key'), renewed.key);
  await holder.reload();
  t.not(holder.current.tls?.materials[0], one);
  t.equal(holder.current.tls?.materials[1], other, 'the other host is untouched');
  chmodSync(path('other.key'), 0o644);
  const before = holder.current;
  t.match(await holder.reload(), {
    ok: false,
    errors: [{ file: path('more.conf'), line: 1, message: /has group or world access/ }],
  });
  t.equal(holder.current.tls, before.tls);
});

/** What each kind of client meets. */
const choices = (state: Snapshot): unknown[] =>
  (
    [
      { kind: 'named', name: 'ONE.example' },
      { kind: 'named', name: 'two.example' },
      { kind: 'none' },
      { kind: 'malformed' },
      { kind: 'unreadable' },
    ] as const
  ).map((wanted) => {
    const choice = state.tls?.choose(wanted);
    if (choice?.kind !== 'host') return choice;
    const { names, label, certFile, caFile, material } = choice.host;
    const { cert, key, ca, crl, requestCert } = material.options;
    return {
      names,
      label,
      certFile,
      caFile,
      cert,
      key,
      ca,
      crl,
      requestCert,
      lists: material.plainLists?.length,
    };
  });

await test('hosts with equal files each keep their own, and those with the same files share them', async (t) => {
  const { path, yaml } = setUp(t);
  for (const kind of ['crt', 'key']) {
    writeFileSync(path(`copy.${kind}`), readFileSync(path(`one.${kind}`)), { mode: 0o600 });
  }
  const lines =
    'one.example one.crt one.key\ncopy.example copy.crt copy.key\nshared.example one.crt one.key\n';
  writeFileSync(path('pg_hosts.conf'), lines);
  const holder = new ConfigHolder(await loadSnapshot(yaml));
  const { tls } = holder.current;
  const [one, copy, shared] = tls?.all ?? [];
  t.not(copy?.material, one?.material);
  t.equal(shared?.material, one?.material);
  writeFileSync(path('pg_hosts.conf'), `# another line\n${lines}`);
  await holder.reload();
  t.equal(holder.current.tls, tls);
  const worker = new ReceivedState();
  await worker.take(deserialize(serialize(packState(holder.parts, holder.current, null))));
  t.equal(worker.current.tls?.materials.length, 2, 'in a worker too');
});

await test('a worker makes the same of it', async (t) => {
  const { authority, path, yaml } = setUp(t);
  const holder = new ConfigHolder(await loadSnapshot(yaml));
  const worker = new ReceivedState();
  const send = async (before: typeof holder.parts | null): Promise<number> => {
    const sent = serialize(packState(holder.parts, holder.current, before));
    await worker.take(deserialize(sent));
    return sent.length;
  };
  await send(null);
  t.strictSame(choices(worker.current), choices(holder.current));
  const [, kept] = worker.current.tls?.materials ?? [];
  const before = holder.parts;
  const renewed = authority.server();
  writeFileSync(path('one.crt'), renewed.cert);
  writeFileSync(path('one.key'), renewed.key);
  await holder.reload();
  await send(before);
  t.strictSame(choices(worker.current), choices(holder.current));
  t.equal(worker.current.tls?.materials[1], kept, 'what it has already it keeps');
});

await test('an encrypted key is read with the command of its own line', needs('openssl'), async (t) => {
  const { path, yaml } = setUp(t);
  execFileSync(toolPath('openssl'), [
    'pkey',
    '-in',
    path('one.key'),
    '-aes256',
    '-passout',
    'pass:a-passphrase',
    '-out',
    path('locked.key'),
  ]);
  chmodSync(path('locked.key'), 0o600);
  writeFileSync(path('pg_hosts.conf'), 'one.example one.crt locked.key "" "echo a-passphrase" on\n');
  const holder = new ConfigHolder(await loadSnapshot(yaml));
  t.match(await holder.reload(), { ok: true }, 'at each reload, as it says');
  writeFileSync(path('pg_hosts.conf'), 'one.example one.crt locked.key "" "echo %q" on\n');
  t.match(await holder.reload(), {
    ok: false,
    errors: [{ file: path('pg_hosts.conf'), line: 1, message: /^invalid value for parameter/ }],
  });
});
