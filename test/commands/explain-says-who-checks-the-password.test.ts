// `explain` where auth_file is set: whether a password is decided by the gate, refused whatever it is, or the upstream's to
// check, and what the gate can answer the upstream.

import { join } from 'node:path';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { runProgram } from '../support/run/program.ts';

const HBA = ['trust', 'password', 'md5', 'scram-sha-256', 'ldap']
  .map(
    (method) =>
      `host "${method}" all all ${method}${method === 'ldap' ? ' ldapserver=x ldapprefix=y' : ''}\n`,
  )
  .join('');
const SCRAM = `SCRAM-SHA-256$4096:${Buffer.alloc(16).toString('base64')}$${Buffer.alloc(32).toString('base64')}:${Buffer.alloc(32).toString('base64')}`;
const ALL = ['a password in clear', 'md5', 'scram-sha-256'];
const SAME = ['scram-sha-256 with the same secret'];

/** User and line; what the gate can answer, or that it refuses or relays. */
const TABLE: readonly (readonly [
  user: string,
  line: string,
  login: readonly string[] | 'refused' | 'relayed',
])[] = [
  ['plain', 'trust', ALL],
  ['plain', 'scram-sha-256', ALL],
  ['plain', 'ldap', 'relayed'],
  ['md5', 'trust', ['md5']],
  ['md5', 'md5', ['md5']],
  ['md5', 'password', ALL],
  ['md5', 'scram-sha-256', 'refused'],
  ['scram', 'trust', []],
  ['scram', 'md5', SAME],
  ['scram', 'scram-sha-256', SAME],
  ['scram', 'password', ALL],
  ['empty', 'trust', 'relayed'],
  ['empty', 'password', 'refused'],
  ['nobody', 'trust', 'relayed'],
  ['nobody', 'md5', 'refused'],
];

await test('each secret before each line', async (t) => {
  const authority = testAuthority(t);
  writeGateFiles(authority.directory, authority, {
    hba: HBA,
    upstream: { host: '127.0.0.1', port: 1 },
    config: { auth_file: 'userlist.txt' },
    files: {
      'userlist.txt': `"plain" "correct-horse"\n"md5" "md5${'0'.repeat(32)}"\n"scram" "${SCRAM}"\n"empty" ""\n`,
    },
  });
  const config = join(authority.directory, 'gatehouse.yaml');
  const explain = async (user: string, database: string, ...more: string[]) =>
    await runProgram(
      ['explain', '--config', config, '--user', user, '--database', database, '--address', '10.0.0.1'].concat(
        more,
      ),
    );
  await Promise.all(
    TABLE.map(async ([user, line, expected]) => {
      const { stdout, stderr } = await explain(user, line, '--json');
      const { verdict, login } = JSON.parse(stdout);
      t.equal(verdict, 'admit', stderr);
      t.strictSame(login.answers ?? login.kind, expected, `${user}, ${line}`);
      t.notMatch(stdout, /correct-horse|SCRAM-SHA-256\$/);
    }),
  );
  const { stdout } = await explain('scram', 'trust');
  t.match(stdout, 'answers with what auth_file has of "scram" (a SCRAM secret): it can answer none');
  t.match((await explain('nobody', 'md5')).stdout, 'every password is refused');
});
