// A line names a host, and the resolver says nothing about the client for 30 s. The gate closes such a connection without
// a word (decision 45). `explain` waits as long as the gate does, and then says so.

import { lookupService } from 'node:dns/promises';
import { mock } from 'node:test';
import { join } from 'node:path';
import { Command } from 'commander';
import tap, { test } from 'tap';
import { registerExplain } from '../../src/commands/explain.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { atEnd } from '../support/run/scope.ts';
import { nameServer, reverseName } from '../support/servers/name-server.ts';
import { requireNetworkNamespace } from '../support/servers/network-namespace.ts';

requireNetworkNamespace(tap, { hosts: '127.0.0.1 localhost\n' });

const CLIENT = '10.66.0.1';
const RESOLVER_MS = 30_000;
const REASON = 'could not look up the host name of the client: the resolver did not answer\n';

await test('half a minute of silence', async (t) => {
  const names = await nameServer(t, [[reverseName(CLIENT), 'silence']]);
  const authority = testAuthority(t);
  const stranger = testAuthority(t).client('bob');
  writeGateFiles(authority.directory, authority, {
    hba: 'host all all app.example trust\nhost all all all reject\n',
    upstream: { host: '127.0.0.1', port: 1 },
  });
  mock.timers.enable({ apis: ['setTimeout'] });
  const timeout = mock.method(AbortSignal, 'timeout', timeoutByTheSameClock);
  atEnd(t, () => {
    timeout.mock.restore();
    mock.timers.reset();
  });
  const explain = async (...args: readonly string[]): Promise<string> => {
    const asked = ['--user', 'bob', '--database', 'app', '--address', CLIENT];
    const config = join(authority.directory, 'gatehouse.yaml');
    const program = new Command();
    registerExplain(program);
    const stdout = t.capture(process.stdout, 'write', () => true);
    const before = process.exitCode;
    try {
      await program.parseAsync(['explain', '--config', config, ...asked, ...args], { from: 'user' });
      const written = stdout().map(({ args: [text] }) => String(text));
      return `${written.join('')}${process.exitCode}`;
    } finally {
      process.exitCode = before;
      stdout.restore();
    }
  };

  const waiting = explain();
  await names.asked(`PTR ${reverseName(CLIENT)}`);
  mock.timers.tick(RESOLVER_MS);
  t.equal(await waiting, `${REASON}rejected without a word\n0`);

  // The question is open still, so these are answered at once.
  t.match(await explain('--json', '--expect', 'admit'), /"verdict": "reject"[^]*"reply": null[^]*\}\n1$/);
  t.match(
    await explain('--cert', stranger.certFile),
    /^rejected: FATAL 28000: client certificate verification failed: /m,
    'no line would admit it in clear either',
  );

  names.known.set(reverseName(CLIENT), 'no such name');
  names.breakSilence(reverseName(CLIENT));
  // Until the answer has come, the question holds a thread of this process.
  await t.rejects(lookupService(CLIENT, 0));
});

function timeoutByTheSameClock(ms: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new DOMException('timed out', 'TimeoutError')), ms);
  return controller.signal;
}
