// `pg-gatehouse explain --cert`: a certificate that verifies, one that does not, one whose names nobody can read, and one
// without a verdict.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { runProgram } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';

await test('explain --cert', async (t) => {
  const directory = temporaryDirectory(t);
  const authority = testAuthority(t);
  const hba = 'hostssl all all all trust\n';
  writeGateFiles(directory, authority, { hba, upstream: { host: '127.0.0.1', port: 1 } });
  const config = join(directory, 'gatehouse.yaml');
  const bob = authority.client('bob@example.com');
  const stranger = testAuthority(t).client('bob@example.com');
  const explain = async (...args: string[]) =>
    runProgram(['explain', '--config', config, '--database', 'app', '--address', '10.1.2.3', ...args]);

  const unverified = await explain('--user', 'bob', '--cert', stranger.certFile);
  t.match(unverified.stdout, 'certificate: CN bob@example.com, DN CN=bob@example.com, issuer CN=Test CA, ');
  t.notMatch(unverified.stdout, /certificate: verifies/);
  t.match(
    (await explain('--user', 'bob', '--cert', bob.certFile)).stdout,
    'certificate: verifies, as a handshake would find; not checked: that the client holds its private key\n',
  );

  // What a handshake refuses though OpenSSL verifies it.
  const nul = await explain('--user', 'alice', '--cert', authority.client('alice\0.example').certFile);
  t.match(nul, { code: 0, stderr: '' });
  t.match(nul.stdout, String.raw`certificate: CN alice\u{0}.example, DN CN=alice\00.example, `);
  t.notMatch(nul.stdout, /certificate: verifies/);
  t.match(
    nul.stdout,
    'rejected: FATAL 28000: client certificate verification failed: common name contains embedded null\n',
  );
  // OpenSSL takes a relative name without an attribute.
  const dn = [{ CN: 'alice' }, {}];
  for (const [issuer, reason] of [
    [authority, 'malformed certificate'],
    [testAuthority(t), 'unable to verify the first certificate'],
  ] as const) {
    const { certFile } = issuer.client('alice', { dn });
    const { stdout } = await explain('--user', 'alice', '--cert', certFile, '--json');
    t.match(JSON.parse(stdout), {
      verdict: 'reject',
      certificate: { subject: null, serial: null, fingerprint: null },
      reply: { sqlstate: '28000', message: `client certificate verification failed: ${reason}` },
    });
    t.match((await explain('--user', 'alice', '--cert', certFile)).stdout, 'certificate: cannot be read\n');
  }

  // More than OpenSSL takes in one message: there is no verdict, and so no admission.
  const endless = join(directory, 'endless.pem');
  writeFileSync(endless, bob.cert.repeat(400));
  const beyond = await explain('--user', 'bob', '--cert', endless);
  t.equal(beyond.code, 1);
  t.match(
    beyond.stdout,
    'certificate: not judged, because there was no verdict on its chain: excessive message size\n',
  );
  t.notMatch(beyond.stdout, 'admitted');
  const beyondJson = await explain('--user', 'bob', '--cert', endless, '--json');
  t.match(JSON.parse(beyondJson.stdout), {
    verdict: 'not-judged',
    file: null,
    line: null,
    reply: null,
    not_judged: 'excessive message size',
  });
});
