// ssl_min_protocol_version TLSv1 or TLSv1.1 does nothing on OpenSSL 3 unless ssl_ciphers holds @SECLEVEL=0: `check` and
// the start say so.

import { stringify } from 'yaml';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { runProgram } from '../support/run/program.ts';

const MEDIUM = 'HIGH:MEDIUM:+3DES:!aNULL';

await test('what check says', async (t) => {
  const authority = testAuthority(t);
  const file = join(authority.directory, 'gatehouse.yaml');
  writeGateFiles(authority.directory, authority, {
    hba: 'hostssl all all all cert\n',
    upstream: { host: '127.0.0.1', port: 9 },
  });
  const base = readFileSync(file, 'utf8');
  const line = base.split('\n').length;
  for (const [version, ciphers, isWarned] of [
    ['TLSv1', MEDIUM, true],
    ['TLSv1.1', MEDIUM, true],
    ['TLSv1.1', `${MEDIUM}:@SECLEVEL=1`, true],
    ['TLSv1', `${MEDIUM}:@SECLEVEL=0`, false],
    ['TLSv1', `@SECLEVEL=0:${MEDIUM}`, false],
    ['TLSv1.2', MEDIUM, false],
  ] as const) {
    writeFileSync(file, base + stringify({ ssl_min_protocol_version: version, ssl_ciphers: ciphers }));
    const { code, stdout } = await runProgram(['check', '--config', file, '--json']);
    t.equal(code, 0);
    const warning = {
      file,
      line,
      message: `"ssl_min_protocol_version" allows ${version}, which OpenSSL refuses at this security level`,
      hint: 'Append :@SECLEVEL=0 to ssl_ciphers, for as long as such clients must be served.',
    };
    t.match(JSON.parse(stdout), { warnings: isWarned ? [warning] : [] }, `${version} ${ciphers}`);
    if (!isWarned) t.strictSame(JSON.parse(stdout).warnings, []);
  }
});
