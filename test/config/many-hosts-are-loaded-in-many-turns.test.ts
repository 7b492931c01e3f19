// Hundreds of lines in pg_hosts.conf, and a CA file with many certificates that all of them name: a reload makes what each
// host is served with, and between two hosts sessions have their turn.

import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { test } from 'tap';
import { ConfigHolder, loadSnapshot } from '../../src/config/snapshot.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';

const HOSTS = 200;
const AUTHORITIES = 60;
/** In one go it takes some 160 ms of this thread's time. */
const MAX_TURN_MS = 75;
const MAX_RELOADS = 5;

/** Milliseconds of processor time that this thread has used: other programs do not count. */
function usedMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** The longest turn of the event loop while something runs. */
async function longestTurnMs(running: Promise<unknown>): Promise<number> {
  const over = new AbortController();
  void running.finally(() => over.abort());
  let longest = 0;
  for (let since = usedMs(); !over.signal.aborted; since = usedMs()) {
    await setImmediate();
    longest = Math.max(longest, usedMs() - since);
  }
  await running;
  return longest;
}

await test('hosts that share a CA file', async (t) => {
  const authority = testAuthority(t);
  const { cert, key } = authority.server();
  const others = Array.from({ length: AUTHORITIES }, () => testAuthority(t).cert);
  // Lines that differ in anything but the names are loaded each for itself.
  const lines = Array.from({ length: HOSTS }, (_, i) => `h${i}.example h.crt h.key cas.crt "echo ${i}"\n`);
  writeGateFiles(authority.directory, authority, {
    hba: 'hostssl all all all cert\n',
    upstream: { host: '127.0.0.1', port: 5432 },
    config: { ssl_sni: 'on', ssl_ca_file: null },
    files: {
      'h.crt': cert,
      'h.key': key,
      'cas.crt': [authority.cert, ...others].join(''),
      'pg_hosts.conf': lines.join(''),
    },
  });
  const holder = new ConfigHolder(await loadSnapshot(join(authority.directory, 'gatehouse.yaml')));
  const before = holder.current.tls;

  // The best of several: a collection of garbage may fall into a turn.
  const longest: number[] = [];
  while (longest.length < MAX_RELOADS && Math.min(...longest) > MAX_TURN_MS) {
    appendFileSync(join(authority.directory, 'cas.crt'), '\n# another line\n');
    longest.push(await longestTurnMs(holder.reload()));
  }
  t.ok(Math.min(...longest) <= MAX_TURN_MS, `${longest.map(Math.round).join(', ')} ms`);
  t.equal(before?.materials.length, HOSTS);
  t.equal(holder.current.tls, before, 'and what comes out the same stays');
});
