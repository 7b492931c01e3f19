// What nobody has reloaded is a draft. A worker that takes a dead one's place starts from what the others have in force:
// a draft in any file lets nobody in, and a file that cannot be loaded keeps no worker away.

import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { testAuthority, type TestAuthority } from '../support/certificates/certificates.ts';
import type { GateFiles } from '../support/run/gate-files.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { openClient } from '../session/clients.ts';
import { replaceEveryWorker, workersOf } from './workers.ts';

const RULES = 'include more.conf\nhostssl all all all cert map=m\n';
const MAP = 'm alice-cert alice\n';

await test('kill -9 after a draft', async (t) => {
  const { gate, authority } = await gateOfTwo(t);
  const alice = authority.client('alice-cert');
  const hash = await configHash(gate);
  const drafts: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'drafts that would change who gets in': {
      'pg_hba.conf': 'host all all all trust\n',
      'more.conf': 'host all all all trust\n',
      'pg_ident.conf': 'm somebody-else alice\n',
      'ca.crt': testAuthority(t, { cn: 'Another CA' }).cert,
      'ca.crl': authority.crl({ revoked: [alice] }),
    },
    'drafts that cannot be loaded': {
      'pg_hba.conf': 'host all all\n',
      'more.conf': 'host all all\n',
      'pg_ident.conf': 'm\n',
      'ca.crt': 'no certificate\n',
      'ca.crl': 'no list\n',
      'server.key': 'no key\n',
      'gatehouse.yaml': 'no_such_setting: 1\n',
    },
  };
  for (const [name, files] of Object.entries(drafts)) {
    for (const [file, content] of Object.entries(files)) gate.rewrite(file, content);
    await replaceEveryWorker(gate);
    for (let attempt = 0; attempt < 6; attempt++) {
      const stranger = await connectRaw(t, gate.port);
      const { error } = await stranger.login({ user: 'alice' });
      t.match(error?.['M'], /^no pg_hba.conf entry/, `${name}: a stranger stays outside`);
      const client = await openClient(t, gate, { credentials: alice });
      t.equal((await client.login({ user: 'alice' })).error, null, `${name}: alice gets in`);
      client.destroy();
    }
    t.equal((await gate.admin('/readyz')).status, 200);
    t.equal(await configHash(gate), hash);
  }
  t.equal(gate.log.filter(({ msg }) => msg.startsWith('could not start a worker')).length, 0);
});

await test('the passphrase command runs at the start and never again', async (t) => {
  const authority = testAuthority(t);
  const server = authority.server();
  const { gate } = await gateOfTwo(t, authority, {
    server: {
      ...server,
      key: createPrivateKey(server.key).export({
        type: 'pkcs8',
        format: 'pem',
        cipher: 'aes-256-cbc',
        passphrase: 'sesame',
      }),
    },
    config: { ssl_passphrase_command: 'echo ran >> runs; echo sesame' },
  });
  await replaceEveryWorker(gate);
  const client = await openClient(t, gate, { credentials: authority.client('alice-cert') });
  t.equal((await client.login({ user: 'alice' })).error, null);
  t.equal(readFileSync(gate.path('runs'), 'utf8'), 'ran\n');
  for (const pid of workersOf(gate)) {
    for (const what of ['cmdline', 'environ']) {
      t.notMatch(readFileSync(`/proc/${pid}/${what}`, 'latin1'), /sesame|PRIVATE KEY/, `not in its ${what}`);
    }
  }
  t.notMatch(gate.stdout + gate.stderr, /(?<!echo )sesame|PRIVATE KEY/);
});

await test('a reload is read once, and reaches a worker that starts after it', async (t) => {
  const { gate } = await gateOfTwo(t);
  gate.rewrite('more.conf', 'host all bob all trust\n');
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
  const hash = await configHash(gate);
  gate.rewrite('more.conf', 'host all all all trust\n');
  await replaceEveryWorker(gate);
  for (let attempt = 0; attempt < 6; attempt++) {
    const bob = await connectRaw(t, gate.port);
    t.equal((await bob.login({ user: 'bob' })).error, null, 'what was reloaded counts');
    const carol = await connectRaw(t, gate.port);
    t.match(
      (await carol.login({ user: 'carol' })).error?.['M'],
      /^no pg_hba.conf entry/,
      'the draft does not',
    );
  }
  t.equal(await configHash(gate), hash);
});

async function gateOfTwo(
  t: Scope,
  authority: TestAuthority = testAuthority(t),
  options: Partial<GateFiles> = {},
): Promise<{ readonly gate: Gate; readonly authority: TestAuthority }> {
  const gate = await startGate(t, {
    hba: RULES,
    ident: MAP,
    upstream: await scriptedUpstream(t, scripts.trust),
    authority,
    files: { 'more.conf': '# nothing\n', 'ca.crl': authority.crl() },
    ...options,
    config: { workers: 2, ssl_crl_file: 'ca.crl', reload: { watch: 'off' }, ...options.config },
  });
  return { gate, authority };
}

/** Of what is in force, as the metrics show it. */
async function configHash(gate: Gate): Promise<string | undefined> {
  const { body } = await gate.admin('/metrics');
  return /^gatehouse_config_info\{hash="([0-9a-f]+)"\} 1$/m.exec(body)?.[1];
}
