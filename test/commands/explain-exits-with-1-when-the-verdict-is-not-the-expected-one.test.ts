import { join } from 'node:path';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { runProgram } from '../support/run/program.ts';

await test('--expect', async (t) => {
  const authority = testAuthority(t);
  const hba = 'hostssl all bob all scram-sha-256\nhost all all all reject\n';
  writeGateFiles(authority.directory, authority, { hba, upstream: { host: '127.0.0.1', port: 1 } });
  const explain = async (user: string, ...args: string[]) =>
    await runProgram(
      ['explain', '--config', join(authority.directory, 'gatehouse.yaml')].concat(
        ['--user', user, '--database', 'app', '--address', '10.0.0.1'],
        args,
      ),
      { via: 'dist' },
    );
  const table: [user: string, expected: string | null, code: number][] = [
    ['bob', null, 0],
    ['eve', null, 0],
    ['bob', 'admit', 0],
    ['bob', 'reject', 1],
    ['eve', 'reject', 0],
    ['eve', 'admit', 1],
    ['eve', 'rejct', 2],
  ];
  for (const [user, expected, code] of table) {
    const found = await explain(user, ...(expected === null ? [] : ['--expect', expected]));
    t.equal(found.code, code, `${user}, expected ${expected}: ${found.stdout}${found.stderr}`);
  }
  t.equal((await explain('eve', '--json', '--expect', 'admit')).code, 1, 'with --json too');
});
