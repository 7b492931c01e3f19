// `pg-gatehouse explain` as an operator runs it: no running gate, a certificate as a PEM file.

import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { runProgram } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';

const hba = `# TYPE  DATABASE  USER  ADDRESS  METHOD
host     app       bob      192.168.0.0/24  trust
hostssl  app       alice    all             reject
hostssl  app       all      10.0.0.0/8      cert map=people
hostnossl all      all      10.0.0.0/8      reject
hostnossl app      all      11.0.0.0/8      trust
`;
const ident = 'people "/^(.*)@example[.]com$" \\1\n';

await test('explain', async (t) => {
  const directory = temporaryDirectory(t);
  const authority = testAuthority(t);
  writeGateFiles(directory, authority, { hba, ident, upstream: { host: '127.0.0.1', port: 1 } });
  const config = join(directory, 'gatehouse.yaml');
  const rules = join(directory, 'pg_hba.conf');
  const bob = authority.client('bob@example.com');
  const stranger = testAuthority(t).client('bob@example.com');
  const explain = async (...args: string[]) =>
    runProgram(['explain', '--config', config, '--database', 'app', '--address', '10.1.2.3', ...args]);
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await explain(...args, '--json');
    t.equal(code, 0, stderr);
    const answer: unknown = JSON.parse(stdout);
    return answer;
  };

  t.strictSame(
    await json('--user', 'bob', '--cert', bob.certFile),
    {
      verdict: 'admit',
      file: rules,
      line: 4,
      method: 'cert',
      considered: [
        { file: rules, line: 2, why: 'address 10.1.2.3 is not in 192.168.0.0/24' },
        { file: rules, line: 3, why: 'user "bob" is not "alice"' },
      ],
      reply: null,
      memberships: { source: null, roles: [] },
      map: { file: join(directory, 'pg_ident.conf'), line: 1 },
      certificate: certificateOf(bob.certFile, 'bob@example.com'),
    },
    'admitted through a map',
  );

  t.match(await json('--user', 'bob'), {
    verdict: 'reject',
    line: 4,
    reply: { sqlstate: '28000', message: 'connection requires a valid client certificate' },
  });
  t.match(await json('--user', 'carol', '--cert', bob.certFile), {
    verdict: 'reject',
    line: 4,
    reply: { sqlstate: '28000', message: 'certificate authentication failed for user "carol"' },
  });
  t.match(await json('--user', 'alice', '--cert', bob.certFile), {
    verdict: 'reject',
    line: 3,
    method: 'reject',
    reply: {
      message:
        'pg_hba.conf rejects connection for host "10.1.2.3", user "alice", database "app", SSL encryption',
    },
  });
  t.match(await json('--user', 'bob', '--replication', 'physical'), {
    verdict: 'reject',
    file: null,
    line: null,
    method: null,
    reply: {
      message:
        'no pg_hba.conf entry for replication connection from host "10.1.2.3", user "bob", SSL encryption',
    },
  });
  t.match(await json('--user', 'bob', '--no-tls'), {
    line: 5,
    reply: {
      message:
        'pg_hba.conf rejects connection for host "10.1.2.3", user "bob", database "app", no encryption',
    },
  });
  t.match(await json('--user', 'bob', '--cert', stranger.certFile), {
    verdict: 'reject',
    file: null,
    considered: [],
    reply: {
      sqlstate: '28000',
      message: 'client certificate verification failed: unable to verify the first certificate',
    },
  });

  // Where the same client would be let in without TLS, it is told nothing.
  const untold = ['--user', 'bob', '--cert', stranger.certFile, '--address', '11.0.0.1'];
  t.match(await json(...untold), { verdict: 'reject', file: null, reply: null });
  t.match((await explain(...untold)).stdout, `rejected without a word: ${rules}:6 would admit`);

  // As a client would ask: what is missing is filled in or refused, and an address has one spelling.
  t.match(await json('--user', 'bob', '--database', '', '--no-tls', '--address', '10.258'), {
    reply: {
      message:
        'pg_hba.conf rejects connection for host "10.0.1.2", user "bob", database "bob", no encryption',
    },
  });
  t.match(await json('--user', ''), {
    verdict: 'reject',
    file: null,
    reply: { sqlstate: '28000', message: 'no PostgreSQL user name specified in startup packet' },
  });

  const text = await explain('--user', 'carol', '--cert', bob.certFile);
  t.match(text.stdout, `${rules}:2: passed over: address 10.1.2.3 is not in 192.168.0.0/24\n`);
  t.match(text.stdout, `${rules}:4: decides: hostssl  app       all      10.0.0.0/8      cert map=people\n`);
  t.match(text.stdout, 'no match in usermap "people" for user "carol" authenticated as "bob@example.com"\n');
  t.match(text.stdout, 'rejected: FATAL 28000: certificate authentication failed for user "carol"\n');

  for (const [args, words] of [
    [['--user', 'bob', '--cert', bob.certFile, '--no-tls'], /--cert needs TLS/],
    [['--user', 'bob', '--address', 'localhost'], /--address takes a numeric address/],
    [['--usr', 'bob'], /unknown option '--usr'[^]*--user/],
    [['--user', 'bob', '--replication', 'yes'], /Allowed choices are physical, database/],
  ] as const) {
    const { code, stderr } = await explain(...args);
    t.equal(code, 2);
    t.match(stderr, words);
  }
  const noCertificate = join(directory, 'empty.pem');
  writeFileSync(noCertificate, 'nothing');
  const empty = await explain('--user', 'bob', '--cert', noCertificate);
  t.match(empty, { code: 1, stderr: /no certificate in it/ });
});

await test('the deciding line is shown as it is written', async (t) => {
  const directory = temporaryDirectory(t);
  const line = 'host\tall\tgröße,jörg\tall\ttrust  # für alle';
  writeGateFiles(directory, testAuthority(t), { hba: `${line}\n`, upstream: { host: '127.0.0.1', port: 1 } });
  const { stdout } = await runProgram([
    'explain',
    '--config',
    join(directory, 'gatehouse.yaml'),
    '--user',
    'jörg',
    '--database',
    'app',
    '--address',
    '10.1.2.3',
  ]);
  t.match(stdout, `pg_hba.conf:1: decides: ${line}\n`);
});

function certificateOf(file: string, cn: string) {
  const certificate = new X509Certificate(readFileSync(file));
  return {
    cn,
    dn: `CN=${cn}`,
    uri: [],
    dns: [],
    email: [],
    subject: `/CN=${cn}`,
    issuer: '/CN=Test CA',
    serial: BigInt(`0x${certificate.serialNumber}`).toString(),
    not_after: new Date(certificate.validTo).toISOString(),
    fingerprint: certificate.fingerprint256.toLowerCase(),
  };
}
