// A reload that finds the same certificates and lists keeps what was made of them (contract §7.32). What is odd about the
// files is told as it is now all the same: a file of ssl_crl_dir that cannot be read keeps the clients of its issuer out.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import type { Problem } from '../../src/base/problems.ts';
import { ConfigHolder, loadSnapshot } from '../../src/config/snapshot.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';

await test('a warning that is new, one that has moved, and one that is cured', async (t) => {
  const authority = testAuthority(t);
  const other = testAuthority(t, { cn: 'Another CA' });
  const path = (name: string): string => join(authority.directory, name);
  mkdirSync(path('lists'));
  writeFileSync(path(`lists/${authority.crlName}`), authority.crl());
  writeGateFiles(authority.directory, authority, {
    hba: 'hostssl all all all cert\n',
    upstream: { host: '127.0.0.1', port: 5432 },
    config: { ssl_crl_dir: 'lists' },
    files: { 'ca.crt': authority.cert + other.cert },
  });
  const loaded = await loadSnapshot(path('gatehouse.yaml'));
  t.strictSame(loaded.warnings, []);
  const holder = new ConfigHolder(loaded);
  const { tls } = holder.current;
  const warnings = async () => {
    const { ok, warnings: found } = await holder.reload();
    t.ok(ok);
    t.equal(holder.current.tls, tls, 'no handshake is stale');
    return found;
  };

  const unreadable = path(`lists/${other.crlName}`);
  writeFileSync(unreadable, '<html>404</html>');
  const notRead = { file: unreadable, message: 'could not read this revocation list: no start line' };
  t.match(await warnings(), [notRead]);
  t.match(await warnings(), [notRead], 'and again');

  const bundle = readFileSync(path('ca.crt'), 'utf8');
  const unused = '-----BEGIN UNUSED-----\nAAAA\n-----END UNUSED-----\n';
  writeFileSync(path('ca.crt'), `${unused}${bundle}`);
  const notUsed = { file: path('ca.crt'), line: 1, message: 'this UNUSED block is not used' };
  t.match(await warnings(), [notUsed, notRead]);
  writeFileSync(path('ca.crt'), `\n\n${unused}${bundle}`);
  t.match(await warnings(), [{ ...notUsed, line: 3 }, notRead], 'on its line of now');

  writeFileSync(path('ca.crt'), bundle);
  rmSync(unreadable);
  t.strictSame(await warnings(), []);
});

await test('a warning of a setting stands on the line that the setting has now', async (t) => {
  const authority = testAuthority(t);
  writeGateFiles(authority.directory, authority, {
    hba: 'hostssl all all all cert\n',
    upstream: { host: '127.0.0.1', port: 5432 },
    config: { ssl_min_protocol_version: 'TLSv1', ssl_sni: 'on', hosts_file: 'nowhere' },
  });
  const file = join(authority.directory, 'gatehouse.yaml');
  const loaded = await loadSnapshot(file);
  const holder = new ConfigHolder(loaded);
  const { tls } = holder.current;
  const places = (warnings: readonly Problem[]) =>
    warnings.filter((warning) => warning.file === file).map(({ line }) => line);
  const before = places(loaded.warnings);
  t.equal(before.length, 2);
  writeFileSync(file, `# one line more\n${readFileSync(file, 'utf8')}`);
  const { warnings } = await holder.reload();
  t.strictSame(
    places(warnings),
    before.map((line) => (line ?? 0) + 1),
  );
  t.equal(holder.current.tls, tls, 'no handshake is stale');
});
