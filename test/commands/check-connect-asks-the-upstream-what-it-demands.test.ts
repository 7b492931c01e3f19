// `check --connect` before a real PostgreSQL 10 with md5 and a user whom it trusts: whether it answers, its version, what it
// asks a user for, and which of the three logins each line comes to. Exit 1 where a line is not satisfied.

import { join } from 'node:path';
import { test, type Test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles, type GateFiles } from '../support/run/gate-files.ts';
import { runProgram } from '../support/run/program.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { startPostgres } from '../support/servers/postgres.ts';

/** One authority and certificate for all of them: each run is a program of its own, and dear enough. */
function checker(t: Test) {
  const authority = testAuthority(t);
  const server = authority.server();
  const { directory } = authority;
  const write = (files: GateFiles): void => writeGateFiles(directory, authority, { ...files, server });
  const run = async (...args: readonly string[]): Promise<Checked> => {
    const command = ['check', '--config', join(directory, 'gatehouse.yaml'), '--connect', ...args];
    const { code, stdout } = await runProgram(command, { via: 'dist' });
    t.notMatch(stdout, /md5-secret|md5[0-9a-f]{32}/);
    return { code, text: stdout.replaceAll(`${directory}/`, '') };
  };
  const check = async (files: GateFiles, ...args: readonly string[]): Promise<Checked> => {
    write(files);
    return await run(...args);
  };
  return { write, run, check };
}

interface Checked {
  readonly code: number | null;
  readonly text: string;
}

await test('a server that asks for md5', async (t) => {
  const { write, run, check } = checker(t);
  await using server = await startPostgres({
    version: 10,
    password_encryption: 'md5',
    hba: 'host all trusted,gate_reader 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 md5\n',
  });
  for (const user of ['app', 'wrong', 'client']) await server.createUser(user, { password: 'md5-secret' });
  for (const user of ['trusted', 'gate_reader']) await server.createUser(user);
  await server.query('create role staff');
  await server.query('grant staff to client');
  const hash = (await server.query("select rolpassword from pg_authid where rolname = 'app'"))[0]?.[
    'rolpassword'
  ];
  const files = {
    hba: 'hostssl all all 10.0.0.0/8 scram-sha-256\nhostssl all +staff all cert\nhostssl all all all cert\n',
    upstream: server,
    config: { auth_file: 'userlist.txt', auth_user: 'gate_reader' },
    files: { 'userlist.txt': `"app" "${String(hash)}"\n"wrong" "not-it"\n"trusted" "x"\n` },
  };

  const nobody = await check(files);
  t.equal(nobody.code, 0);
  t.match(nobody.text, /^the upstream server answers: PostgreSQL 10\.\d+$/m);
  t.match(nobody.text, /^the catalogue answers "gate_reader": \d+ members of roles$/m);

  const query = {
    ...files,
    config: { ...files.config, auth_query: 'select secret from absent where name = $1' },
  };
  const broken = await check(query);
  t.equal(broken.code, 1);
  t.match(
    broken.text,
    /gatehouse\.yaml:\d+: could not look up the password: relation "absent" does not exist/,
  );

  write({ ...files, hba: 'hostssl all +staff all cert\nhostssl all all all cert\n' });
  const as = async (user: string, database: string, ...more: readonly string[]): Promise<Checked> =>
    await run('--user', user, '--database', database, ...more);
  // They may run at one time: the files are written, and the same for all of them.
  const [app, client, trusted, wrong, absent] = await Promise.all([
    as('app', 'postgres'),
    as('client', 'postgres', '--json'),
    as('trusted', 'postgres'),
    as('wrong', 'postgres'),
    as('trusted', 'absent'),
  ]);
  t.equal(app.code, 0, app.text);
  t.match(app.text, /^the upstream server asks user "app" in database "postgres" for md5$/m);
  t.match(
    app.text,
    /^pg_hba\.conf:2: cert: decided here, and the gate logs in by md5 with the secret of "app"$/m,
  );
  t.equal(client.code, 0);
  t.match(
    JSON.parse(client.text),
    {
      ok: true,
      upstream: {
        answers: true,
        asks: 'md5',
        logins: { length: 1, 0: { line: 1, login: 'relayed', satisfied: true } },
      },
    },
    'a member of the role',
  );
  t.match(trusted.text, /^pg_hba\.conf:2: cert: decided here, and the upstream server asks nothing$/m);
  t.equal(wrong.code, 1);
  t.match(
    wrong.text,
    /^pg_hba\.conf:2: cert: the upstream server refused the login: password authentication failed/m,
  );
  t.equal(absent.code, 1);
  t.match(absent.text, /gatehouse\.yaml:\d+: user "trusted": .*database "absent" does not exist/);

  const both = await check(files, '--user', 'app', '--database', 'postgres');
  t.equal(both.code, 1, 'every line that may decide has to be satisfied');
  t.match(both.text, /^pg_hba\.conf:1: scram-sha-256: decided here, and no secret of "app" fits$/m);

  const weak = await check(
    { ...files, config: {}, files: {}, hba: 'hostssl all all all scram-sha-256\n' },
    '--user',
    'app',
    '--database',
    'postgres',
  );
  t.equal(weak.code, 1);
  t.match(
    weak.text,
    /^pg_hba\.conf:1: scram-sha-256: relayed, and the upstream server asks for md5 where the line demands scram-sha-256$/m,
  );
});

await test('no server, and something else than a server', async (t) => {
  const { check } = checker(t);
  // Nobody listens there. A port that was free a moment ago may be somebody else's by now.
  const port = 1;
  const down = await check({ hba: 'hostssl all all all cert\n', upstream: { host: '127.0.0.1', port } });
  t.equal(down.code, 1);
  t.match(down.text, /^gatehouse\.yaml:\d+: the upstream server does not answer: .*Connection refused$/m);
  t.match(down.text, /HINT: Is the server running/);
  const upstream = await scriptedUpstream(t, async (connection) => {
    await connection.send(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
  });
  const other = await check({ hba: 'hostssl all all all cert\n', upstream });
  t.equal(other.code, 1);
  t.match(other.text, /is not a PostgreSQL server/);
});

await test("the console's database is none of the upstream's", async (t) => {
  const { write, run } = checker(t);
  const upstream = await scriptedUpstream(t, scripts.trust);
  write({
    hba: 'hostssl gatehouse typing all scram-sha-256\nhostssl all all all cert\n',
    upstream,
    config: { admin_users: 'dba,typing', stats_users: 'looker' },
  });
  const as = async (user: string, ...more: readonly string[]): Promise<Checked> =>
    await run('--user', user, '--database', 'gatehouse', ...more);
  const [dba, looker, mallory, typing] = await Promise.all([
    as('dba'),
    as('looker', '--json'),
    as('mallory'),
    as('typing'),
  ]);
  t.equal(dba.code, 0, dba.text);
  t.match(dba.text, /^the console answers user "dba" in database "gatehouse"$/m);
  t.match(
    dba.text,
    /^pg_hba\.conf:2: cert: decided here, and the console lets in "dba", who is in admin_users$/m,
  );
  t.match(JSON.parse(looker.text), {
    ok: true,
    upstream: {
      answers: true,
      asks: null,
      logins: { length: 1, 0: { line: 2, login: 'console', satisfied: true, words: /stats_users/ } },
    },
  });
  t.equal(mallory.code, 1);
  t.match(mallory.text, /^pg_hba\.conf:2: cert: permission denied for the console$/m);
  t.equal(typing.code, 1);
  t.match(
    typing.text,
    /^pg_hba\.conf:1: scram-sha-256: the console cannot check passwords without auth_file$/m,
  );
});

await test('flags that need each other', async (t) => {
  const { code, stderr } = await runProgram(['check', '--config', 'x', '--user', 'app']);
  t.equal(code, 2);
  t.match(stderr, /--user and --database need --connect/);
});
