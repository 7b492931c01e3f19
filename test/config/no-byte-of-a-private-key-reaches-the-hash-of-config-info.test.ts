// config_info shows a hash of all that was loaded to anyone who reads the metrics. Each TLS file gets a private key
// beside what belongs into it, and then another key: the hash stays, and the watcher still sees the change.

import { getDiffieHellman } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { ConfigHolder, loadSnapshot } from '../../src/config/snapshot.ts';
import { integer, pem, sequence } from '../../src/x509/encode.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import type { Scope } from '../support/run/scope.ts';

const config = {
  ssl_crl_file: 'file.crl',
  ssl_crl_dir: 'lists',
  ssl_dh_params_file: 'dh.pem',
  admin: { ssl_cert_file: 'admin.crt', ssl_key_file: 'admin.key', ssl_ca_file: 'admins.crt' },
};

/** A gate's directory with every TLS file that there is a setting for. */
function directoryOf(t: Scope): { readonly yaml: string; readonly files: readonly string[] } {
  const authority = testAuthority(t);
  const { directory } = authority;
  const listFile = join('lists', authority.crlName);
  mkdirSync(join(directory, 'lists'));
  const admin = authority.server();
  const prime = BigInt(`0x${getDiffieHellman('modp14').getPrime('hex')}`);
  writeGateFiles(directory, authority, {
    hba: 'hostssl all all all cert\n',
    upstream: { host: '127.0.0.1', port: 5432 },
    config,
    files: {
      'file.crl': authority.crl(),
      [listFile]: authority.crl(),
      'dh.pem': pem('DH PARAMETERS', sequence(integer(prime), integer(2n))),
      'admin.crt': admin.cert,
      'admin.key': admin.key,
      'admins.crt': authority.cert,
    },
  });
  const files = [
    'server.crt',
    'server.key',
    'ca.crt',
    'file.crl',
    listFile,
    'dh.pem',
    'admin.crt',
    'admin.key',
  ];
  return {
    yaml: join(directory, 'gatehouse.yaml'),
    files: [...files, 'admins.crt'].map((file) => join(directory, file)),
  };
}

await test('a private key in any TLS file', async (t) => {
  const { yaml, files } = directoryOf(t);
  const { key: one } = testAuthority(t).server();
  const { key: other } = testAuthority(t).server();
  for (const file of files) {
    const content = readFileSync(file, 'utf8');
    const seen = [];
    for (const key of [one, other]) {
      writeFileSync(file, `${content}${key}`);
      const holder = new ConfigHolder(await loadSnapshot(yaml));
      seen.push({ hash: holder.current.hash, digest: holder.sources.get(file)?.digest });
    }
    writeFileSync(file, content);
    const [first, second] = seen;
    t.equal(first?.hash, second?.hash, `${file}: the hash is the same for either key`);
    t.not(first?.digest, second?.digest, `${file}: the watcher sees that the key is another`);
  }
});

await test('what may be shown counts', async (t) => {
  const { yaml, files } = directoryOf(t);
  const hashes = [(await loadSnapshot(yaml)).snapshot.hash];
  for (const file of files.filter((each) => /ca\.crt|admins\.crt|file\.crl|dh\.pem/.test(each))) {
    writeFileSync(file, `a comment\n${readFileSync(file, 'utf8')}`);
    hashes.push((await loadSnapshot(yaml)).snapshot.hash);
  }
  t.equal(new Set(hashes).size, hashes.length, 'each change is another hash');
});
