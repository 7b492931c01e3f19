// A setting that is wrong has its default while the rest is looked at. What comes of that default is none of the operator's
// mistakes: neither what several settings mean together, nor what a part has against files that nobody has named.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { LoadError, type Problem } from '../../src/base/problems.ts';
import { loadSnapshot } from '../../src/config/snapshot.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';

const FILES = 'ssl_cert_file: server.crt\nssl_key_file: server.key\nhba_file: pg_hba.conf\n';

/** What the YAML file says beside the files, and all that is told of it. */
const table: Readonly<Record<string, readonly string[]>> = {
  'admin: {ssl_cert_file: server.crt, ssl_key_file: [x], ssl_ca_file: ca.crt}': [
    'parameter "admin.ssl_key_file" requires a single value, not a list',
  ],
  'admin: {ssl_cert_file: server.crt, ssl_ca_file: ca.crt}': [
    'parameter "admin.ssl_cert_file" is set, and "admin.ssl_key_file" is not',
  ],
  'admin: {listen: nonsense, status_listen: 127.0.0.1:9432}': [
    'invalid value for parameter "admin.listen": "nonsense"',
  ],
  'ssl_min_protocol_version: TLSv9\nssl_max_protocol_version: TLSv1.1': [
    'invalid value for parameter "ssl_min_protocol_version": "TLSv9"',
  ],
  'upstream: {host: db.example, allow_remote: yess}': [
    'parameter "upstream.allow_remote" requires a Boolean value',
  ],
  'upstream: {port: x}\nport: 5432': ['invalid value for parameter "upstream.port": "x"'],
  'auth_user: [x]\nauth_query: SELECT usename, passwd FROM pg_shadow WHERE usename = $1': [
    'parameter "auth_user" requires a single value, not a list',
  ],
  // What does not come of it is told beside it.
  'port: x\nssl_ca_file: missing.crt\nupstream: {host: db.example}': [
    'invalid value for parameter "port": "x"',
    'upstream.host "db.example" is neither a loopback address nor the directory of a Unix socket',
    'could not load root certificate file "DIR/missing.crt": No such file or directory',
  ],
};

await test('each is told alone', async (t) => {
  const authority = testAuthority(t);
  const { directory } = authority;
  const file = join(directory, 'gatehouse.yaml');
  writeGateFiles(directory, authority, {
    hba: 'hostssl all all all cert\n',
    upstream: { host: '127.0.0.1', port: 5432 },
  });
  for (const [text, messages] of Object.entries(table)) {
    writeFileSync(file, `${FILES}${text}\n`);
    const told = (await problemsOf(file)).map(({ message }) => message.replaceAll(directory, 'DIR'));
    t.strictSame(told, messages, text);
  }
});

async function problemsOf(file: string): Promise<readonly Problem[]> {
  try {
    await loadSnapshot(file);
    return [];
  } catch (error) {
    if (error instanceof LoadError) return error.problems;
    throw error;
  }
}
