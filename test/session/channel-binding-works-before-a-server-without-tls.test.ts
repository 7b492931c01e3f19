// SCRAM-SHA-256-PLUS by the gate (contract §12): a client that demands channel binding logs in to a server of 2017 that
// has no TLS and asks for md5, whatever the gate's certificate is signed with. With Ed25519 nothing can be bound.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { testAuthority, type Credentials } from '../support/certificates/certificates.ts';
import { startGate } from '../support/run/gate.ts';
import { HBA, startPostgres } from '../support/servers/postgres.ts';
import { psql } from '../support/peers/psql.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';

const PASSWORD = 'correct-horse';

/** Arguments of `openssl req -x509`, and whether there is something to bind. */
const CERTIFICATES: Readonly<Record<string, { readonly args: readonly string[]; readonly binds: boolean }>> =
  {
    'ECDSA with SHA-256': {
      args: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-sha256'],
      binds: true,
    },
    'ECDSA with SHA-512': {
      args: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-sha512'],
      binds: true,
    },
    'RSA with SHA-384': { args: ['-newkey', 'rsa:2048', '-sha384'], binds: true },
    'RSA-PSS with SHA-512': {
      args: ['-newkey', 'rsa:2048', '-sha512', '-sigopt', 'rsa_padding_mode:pss'],
      binds: true,
    },
    'RSA with SHA3-256': { args: ['-newkey', 'rsa:2048', '-sha3-256'], binds: true },
    Ed25519: { args: ['-newkey', 'ed25519'], binds: false },
    Ed448: { args: ['-newkey', 'ed448'], binds: false },
  };

await test('each kind of certificate', needs('psql', 'openssl'), async (all) => {
  await using server = await startPostgres({ version: 10, hba: HBA.md5 });
  await server.createUser('alice', { password: PASSWORD, encryption: 'md5' });
  const authority = testAuthority(all);
  for (const [name, { args, binds }] of Object.entries(CERTIFICATES)) {
    await all.test(name, async (t) => {
      const gate = await startGate(t, {
        authority,
        server: selfSigned(temporaryDirectory(t), args),
        hba: 'hostssl all all all scram-sha-256\n',
        upstream: server,
        config: { auth_file: 'userlist.txt', ssl_ca_file: null },
        files: { 'userlist.txt': `"alice" "${PASSWORD}"\n` },
      });
      const attempt = async (options: string, libpq: 15 | 18 = 18) =>
        await psql(
          `host=127.0.0.1 port=${gate.port} user=alice dbname=postgres sslmode=require ${options}`,
          ['-c', 'select current_user'],
          { libpq, env: { PGPASSWORD: PASSWORD } },
        );
      const required = await attempt('channel_binding=require require_auth=scram-sha-256');
      t.equal(required.stdout, binds ? 'alice\n' : '', required.stderr);
      if (!binds) t.match(required.stderr, /channel binding/);
      for (const [options, libpq] of [
        ['channel_binding=prefer require_auth=scram-sha-256', 18],
        ['channel_binding=disable', 18],
        ['', 15],
      ] as const) {
        const { stdout, stderr } = await attempt(options, libpq);
        t.equal(stdout, 'alice\n', `${options}: ${stderr}`);
      }
      const warned = gate.log.some(({ msg }) => msg.includes('for which channel binding has no hash'));
      t.equal(warned, !binds, 'what cannot be bound is warned of');
    });
  }
});

/** A certificate of its own key for localhost, made by OpenSSL. */
function selfSigned(directory: string, args: readonly string[]): Credentials {
  const [certFile, keyFile] = [join(directory, 's.crt'), join(directory, 's.key')];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-keyout',
      keyFile,
      '-out',
      certFile,
      ...args,
    ],
    { stdio: 'ignore' },
  );
  const [cert, key] = [readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8')];
  return { cert, key, certFile, keyFile, der: Buffer.alloc(0), serial: 0n, notAfter: new Date() };
}
