// `explain --sni` says which line of pg_hosts.conf a client meets, and asks the rules with the CA of that line; `check`
// says what is odd about the file (contract §1, §11).

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { check, warningsIn } from '../support/run/check.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { runProgram } from '../support/run/program.ts';

await test('explain --sni', async (t) => {
  const [org, com] = [testAuthority(t, { cn: 'Org CA' }), testAuthority(t, { cn: 'Com CA' })];
  const { directory } = org;
  const alice = org.client('alice');
  writeGateFiles(directory, org, {
    hba: 'hostssl all all all cert\n',
    upstream: { host: '127.0.0.1', port: 5432 },
    config: { ssl_sni: 'on', ssl_ca_file: null },
    files: {
      'com.crt': com.cert,
      'pg_hosts.conf':
        'Org.example,second.example server.crt server.key ca.crt\ncom.example server.crt server.key com.crt\nbare.example server.crt server.key\n',
    },
  });
  const hosts = join(directory, 'pg_hosts.conf');
  const explain = async (...args: string[]): Promise<{ code: number | null; text: string; json: object }> => {
    const command = [
      'explain',
      '--config',
      join(directory, 'gatehouse.yaml'),
      '--user',
      'alice',
      '--database',
      'db',
    ];
    const all = [...command, '--address', '10.0.0.1', '--cert', alice.certFile, ...args];
    const { code, stdout: text } = await runProgram(all, { via: 'dist' });
    const { stdout } = await runProgram([...all, '--json'], { via: 'dist' });
    return { code, text, json: JSON.parse(stdout) };
  };

  const met = await explain('--sni', 'ORG.example');
  t.match(met.json, { verdict: 'admit', line: 1, method: 'cert', host: 'Org.example,second.example' });
  t.match(met.text, /^host: Org\.example,second\.example\n/);

  const foreign = await explain('--sni', 'com.example');
  t.match(
    foreign.json,
    {
      verdict: 'reject',
      host: 'com.example',
      reply: { sqlstate: '28000', message: /^client certificate verification failed: / },
    },
    "another host's CA does not vouch for the client",
  );
  t.match(
    (await explain('--sni', 'bare.example')).json,
    {
      verdict: 'reject',
      line: 1,
      host: 'bare.example',
      certificate: null,
      reply: { message: 'client certificates can only be checked if a root certificate store is available' },
    },
    'a host without a CA asks for no certificate',
  );

  const unknown = await explain('--sni', 'net.example', '--expect', 'reject');
  t.equal(unknown.code, 0);
  t.match(unknown.json, {
    verdict: 'reject',
    file: null,
    line: null,
    method: null,
    considered: [],
    reply: null,
  });
  t.equal(
    unknown.text,
    `rejected: no host of ${hosts} matches "net.example": the client gets the TLS alert unrecognized_name\n`,
  );
  t.equal(
    (await explain()).text,
    `rejected: ${hosts} has no line for clients that name no host: the client gets the TLS alert handshake_failure\n`,
  );

  const { code, stderr } = await runProgram(
    [
      'explain',
      '--config',
      'x',
      '--user',
      'u',
      '--database',
      'd',
      '--address',
      '::1',
      '--no-tls',
      '--sni',
      'x',
    ],
    { via: 'dist' },
  );
  t.equal(code, 2);
  t.match(stderr, '--sni needs TLS');

  const yaml = join(directory, 'gatehouse.yaml');
  writeFileSync(
    yaml,
    `${readFileSync(yaml, 'utf8').replace('ssl_sni: on', 'ssl_sni: off')}ssl_ca_file: ca.crt\n`,
  );
  const { json } = await explain('--sni', 'net.example');
  t.match(json, { verdict: 'admit' }, 'with ssl_sni off no name decides');
  t.notOk('host' in json);
});

await test('check', async (t) => {
  const { lines, code } = await check(t, (authority) => {
    const expiring = authority.server({ notAfter: new Date(Date.now() + 43_200_000) });
    return {
      hba: 'hostssl all all all cert',
      config: { ssl_sni: 'on' },
      files: {
        'old.crt': expiring.cert,
        'old.key': expiring.key,
        'pg_hosts.conf': 'a.example server.crt server.key\n* old.crt old.key server.crt\n',
      },
    };
  });
  const text = lines.join('\n');
  t.equal(code, 0, text);
  t.match(text, /old\.crt: warning: server certificate "[^"]*" expires on /);
  t.match(
    text,
    /gatehouse\.yaml:\d+: warning: "ssl_ca_file" is not used: each line of "pg_hosts\.conf" has its own, or none/,
  );
  t.match(text, /server\.crt: warning: certificate "[^"]*" of host \* is not a certificate authority/);

  t.match(
    text,
    /pg_hosts\.conf: warning: no client of host a\.example is admitted: it is asked for no certificate/,
    'a host without a CA beside one that has one',
  );
  t.notMatch(text, /no client of host \*/);

  const withPassword = await check(t, {
    hba: 'hostssl app all all scram-sha-256\nhostssl all all all cert\n',
    config: { ssl_sni: 'on', ssl_ca_file: null },
    files: { 'pg_hosts.conf': 'a.example server.crt server.key\n* server.crt server.key ca.crt\n' },
  });
  t.notMatch(withPassword.lines.join('\n'), /no client of host/, 'another line takes its clients');

  const bare = await check(t, {
    hba: 'hostssl all all all cert',
    config: { ssl_sni: 'on', ssl_ca_file: null },
    files: { 'pg_hosts.conf': '* server.crt server.key\n' },
  });
  t.match(
    bare.lines.join('\n'),
    /pg_hba\.conf:1: warning: cert record admits nobody because no line of "hosts_file" has an SSL_CA/,
  );

  const named = await check(t, {
    hba: 'hostssl all all all cert',
    config: { ssl_sni: 'on', ssl_ca_file: null },
    files: { 'pg_hosts.conf': '*.example.com,no_sni server.crt server.key ca.crt\n' },
  });
  t.match(
    warningsIn(named.lines).filter((warning) => warning.startsWith('pg_hosts.conf ')),
    [
      /clients that name no host are refused/,
      /host "\*\.example\.com" is a name like any other/,
      /host "no_sni" is a name like any other/,
    ],
  );

  const missing = await check(t, { hba: 'hostssl all all all cert', config: { ssl_sni: 'on' } });
  t.equal(missing.code, 0);
  t.match(
    missing.lines.join('\n'),
    'pg_hosts.conf: warning: could not open file "pg_hosts.conf": No such file or directory',
  );

  const broken = await check(t, {
    hba: 'hostssl all all all cert',
    config: { ssl_sni: 'on' },
    files: { 'pg_hosts.conf': 'a.example server.crt server.key ca.crt "" no-boolean\n* nowhere.crt\n' },
  });
  t.equal(broken.code, 1);
  t.match(
    broken.lines.join('\n'),
    /pg_hosts\.conf:1: incorrect syntax for boolean value SSL_passphrase_cmd_reload/,
  );
  t.match(broken.lines.join('\n'), /pg_hosts\.conf:2: missing entry at end of line/);
});
