// sd_notify: ready, reloading, stopping, alive, in this order and with what systemd needs to know. systemd-notify is
// played by a program of its name, which hands on what it was told to say.

import { chmodSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'tap';
import { createServiceManager } from '../../src/server/systemd/notify.ts';
import { startGate } from '../support/run/gate.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { Arrivals } from '../support/run/waiting.ts';

const HBA = 'host all all all trust\n';

/** The path of a folder with a systemd-notify in it, and what each of its runs was given. */
async function fakeSystemdNotify(
  t: Scope,
): Promise<{ readonly folder: string; readonly told: Arrivals<readonly string[]> }> {
  const folder = temporaryDirectory(t);
  const told = new Arrivals<readonly string[]>();
  const server = createServer((socket) => {
    void text(socket).then((message) => told.push(JSON.parse(message)));
  });
  server.listen(join(folder, 'told'));
  await once(server, 'listening');
  atEnd(t, () => server.close());
  const program = [
    `#!${process.execPath}`,
    `require('node:net').connect(process.env.NOTIFY_SOCKET).end(JSON.stringify(process.argv.slice(2)));`,
  ];
  const file = join(folder, 'systemd-notify');
  writeFileSync(file, program.join('\n'));
  chmodSync(file, 0o755);
  return { folder, told };
}

await test('ready, reloading with its time, failed, and stopping', async (t) => {
  const { folder, told } = await fakeSystemdNotify(t);
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: HBA,
    upstream,
    config: { reload: { watch: 'off' }, shutdown_timeout: '20s' },
    env: { PATH: `${folder}:${process.env['PATH']}`, NOTIFY_SOCKET: join(folder, 'told') },
  });
  const saying = (first: string, from = 0): Promise<readonly string[]> =>
    told.next((assignments) => assignments[0] === first, `a notification ${first}`, { from });
  t.strictSame(await saying('READY=1'), ['READY=1', 'STATUS=ready to accept connections']);

  const before = process.hrtime.bigint() / 1000n;
  gate.rewrite('pg_hba.conf', 'host all all\n');
  gate.reload();
  const reloading = await saying('RELOADING=1');
  const at = /^MONOTONIC_USEC=(\d+)$/.exec(reloading[1] ?? '')?.[1] ?? '0';
  t.ok(BigInt(at) >= before, 'the time is on the clock that systemd compares with');
  t.ok(BigInt(at) <= process.hrtime.bigint() / 1000n);
  const [, status] = await saying('READY=1', 2);
  t.match(status, /^STATUS=ready to accept connections; last reload failed: end-of-line before/);

  const staying = await connectRaw(t, gate.port);
  t.equal((await staying.login({ user: 'u', database: 'd' })).error, null);
  gate.signal('SIGTERM');
  t.strictSame((await saying('STOPPING=1')).slice(0, 2), ['STOPPING=1', 'EXTEND_TIMEOUT_USEC=30000000']);
  const from = gate.logLength();
  gate.reload();
  await gate.waitForLog({ msg: /was not reloaded$/ }, { from });
  staying.destroy();
  t.match(await gate.exited, { code: 0 });
  t.equal(told.items.at(-1)?.[0], 'STOPPING=1', 'a reload while it drains does not make it ready again');
});

await test('the watchdog hears of it in half its time', async (t) => {
  const { folder, told } = await fakeSystemdNotify(t);
  const upstream = await scriptedUpstream(t, scripts.trust);
  await startGate(t, {
    hba: HBA,
    upstream,
    env: {
      PATH: `${folder}:${process.env['PATH']}`,
      NOTIFY_SOCKET: join(folder, 'told'),
      WATCHDOG_USEC: '400000',
    },
  });
  const first = await told.next(([word]) => word === 'WATCHDOG=1', 'WATCHDOG=1');
  t.strictSame(first, ['WATCHDOG=1']);
  const from = told.items.length;
  await told.next(([word]) => word === 'WATCHDOG=1', 'WATCHDOG=1 again', { from });
});

await test('the watchdog hears nothing while no process serves, and at once when one does', async (t) => {
  const sent = new Arrivals<string>();
  const asked = new Arrivals<number>();
  let alive = false;
  const manager = createServiceManager({
    env: { NOTIFY_SOCKET: '/nonexistent/notify', WATCHDOG_USEC: '200000' },
    log: { warn: () => undefined },
    isAlive: () => {
      asked.push(asked.items.length + 1);
      return alive;
    },
    send: async ([first = '']) => sent.push(first),
  });
  t.teardown(async () => await manager.close());
  // The timer keeps no process alive; this wait does.
  await asked.next((count) => count === 15, 'the fifteenth look');
  t.strictSame(sent.items, []);
  alive = true;
  await sent.next((word) => word === 'WATCHDOG=1', 'WATCHDOG=1');
});

await test("another process's watchdog is not served", async (t) => {
  const { folder, told } = await fakeSystemdNotify(t);
  const env = { NOTIFY_SOCKET: join(folder, 'told'), WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' };
  const sent: string[] = [];
  const manager = createServiceManager({
    env,
    log: { warn: () => undefined },
    send: async ([first = '']) => void sent.push(first),
  });
  manager.ready('one\ntwo');
  await new Promise((resolve) => setTimeout(resolve, 20));
  await manager.close();
  t.strictSame(sent, ['READY=1']);
  t.strictSame(told.items, []);
});

await test('a gate whose service manager cannot be reached serves all the same, and says so once', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: HBA,
    upstream,
    env: { PATH: '/nonexistent', NOTIFY_SOCKET: '/nonexistent/notify' },
  });
  await gate.waitForLog({ msg: /^could not notify the service manager: / });
  gate.reload();
  await gate.waitForLog({ msg: 'reloading configuration files' });
  const client = await connectRaw(t, gate.port);
  t.equal((await client.login({ user: 'u', database: 'd' })).error, null);
  client.destroy();
  gate.signal('SIGTERM');
  t.match(await gate.exited, { code: 0 });
  t.equal(gate.log.filter(({ msg }) => msg.startsWith('could not notify')).length, 1);
});
