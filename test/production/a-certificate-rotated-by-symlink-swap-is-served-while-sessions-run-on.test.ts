// Kubernetes replaces a mounted Secret by swapping the link ..data; no file's own path, size or time need change. New
// clients get the new certificate within reload.interval and a second, running sessions notice nothing, and a pair that
// is only half there is not taken, which the log, the metrics and /readyz say until it is mended.

import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { testAuthority, type Credentials } from '../support/certificates/certificates.ts';
import { startGate } from '../support/run/gate.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { openClient, openSession, TRUST, until } from '../session/clients.ts';
import { answering, answers, serverSerial } from './clients.ts';

const SESSIONS = 50;
const INTERVAL_MS = 200;

/** A directory as the kubelet keeps it: the files are links through ..data, which is swapped as a whole. */
class Volume {
  readonly #directory: string;
  #version = 0;

  constructor(directory: string) {
    this.#directory = directory;
    for (const file of ['tls.crt', 'tls.key']) symlinkSync(join('..data', file), this.path(file));
  }

  path(file: string): string {
    return join(this.#directory, file);
  }

  /** Puts a certificate and a key in force, as one. */
  swap({ cert }: Credentials, { key }: Credentials): void {
    this.#version += 1;
    const version = `..version_${this.#version}`;
    mkdirSync(this.path(version));
    writeFileSync(this.path(join(version, 'tls.crt')), cert);
    writeFileSync(this.path(join(version, 'tls.key')), key, { mode: 0o600 });
    symlinkSync(version, this.path('..data_tmp'));
    renameSync(this.path('..data_tmp'), this.path('..data'));
  }
}

await test('rotation by swapping ..data', async (t) => {
  const authority = testAuthority(t);
  const [first, second, third] = [authority.server(), authority.server(), authority.server()];
  const volume = new Volume(temporaryDirectory(t));
  volume.swap(first, first);
  const upstream = await scriptedUpstream(t, answering);
  const gate = await startGate(t, {
    hba: TRUST,
    upstream,
    authority,
    config: {
      ssl_cert_file: volume.path('tls.crt'),
      ssl_key_file: volume.path('tls.key'),
      reload: { interval: `${INTERVAL_MS}ms` },
    },
  });
  const sessions = [];
  for (let index = 0; index < SESSIONS; index++) sessions.push((await openSession(t, gate)).client);

  /** After how many milliseconds the gate has noticed each swap. */
  const noticedMs: number[] = [];
  const swapAndWait = async (cert: Credentials, key: Credentials): Promise<number> => {
    const from = gate.logLength();
    const swappedAt = Date.now();
    volume.swap(cert, key);
    const { time } = await gate.waitForLog({ msg: 'reloading configuration files' }, { from });
    noticedMs.push(Date.parse(String(time)) - swappedAt);
    return from;
  };
  await swapAndWait(second, second);
  // The last thing a reload does is to count itself.
  await until(
    'it is over',
    async () => (await gate.metrics()).value('reload_total', { result: 'success' }) > 0,
  );
  t.equal(serverSerial(await openClient(t, gate)), second.serial.toString(16), 'new clients get the new one');

  // The new certificate with the old key: what a volume that is not a volume shows for a moment.
  const from = await swapAndWait(third, second);
  await gate.waitForLog({ msg: /^could not load private key file / }, { from });
  await gate.waitForLog({ msg: 'SSL configuration was not reloaded' }, { from });
  await until(
    'it is over',
    async () => (await gate.metrics()).value('reload_total', { result: 'failure' }) > 0,
  );
  const failed = await gate.metrics();
  t.equal(failed.value('reload_total', { result: 'failure' }), 1, 'tried once, not at every look');
  t.equal(failed.value('reload_last_successful'), 0);
  const { status, body } = await gate.admin('/readyz');
  t.equal(status, 200, 'what it has is still good');
  t.match(
    body,
    /"last reload failed: [^"]*gatehouse\.yaml:\d+: could not load private key file .*: key values mismatch"/,
  );
  t.equal(serverSerial(await openClient(t, gate)), second.serial.toString(16), 'the old pair is kept');

  await swapAndWait(third, third);
  await until('it is over', async () => (await gate.metrics()).value('reload_last_successful') === 1);
  t.strictSame(JSON.parse((await gate.admin('/readyz')).body), { ready: true, reasons: [] }, 'mended');
  t.equal(serverSerial(await openClient(t, gate)), third.serial.toString(16));

  // A busy machine may be late once, so the best of the three is what the gate takes.
  t.ok(Math.min(...noticedMs) <= INTERVAL_MS + 1000, `noticed after ${noticedMs.join(', ')} ms`);

  t.equal((await gate.sessions()).length, SESSIONS);
  for (const session of sessions) {
    if (!(await answers(session))) t.fail('a session did not answer');
    if (serverSerial(session) !== first.serial.toString(16)) t.fail('a session has changed its certificate');
  }
  t.equal((await gate.metrics()).value('sessions_no_longer_admitted'), 0);
});
