// TLS 1.3 KeyUpdates are not data: no length of the protocol above bounds them, and each asks for one in return. Before
// the startup packet the bytes below TLS are counted instead.

import { createCipheriv, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { test } from 'tap';
import { openSession } from '../session/clients.ts';
import { startGate } from '../support/run/gate.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

const KEY_UPDATES = 100_000;
const BATCH = 500;

/** HKDF-Expand-Label of RFC 8446 §7.1, for what fits into one block of SHA-256. */
function expand(secret: Uint8Array, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([
    Buffer.from([0, length, name.length]),
    name,
    Buffer.from([0]),
    Buffer.from([1]),
  ]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, length);
}

/** KeyUpdates that ask for one in return, each under the keys that the one before it brought. */
function* keyUpdates(first: Buffer): Generator<Buffer> {
  for (let secret = first; ; secret = expand(secret, 'traffic upd', 32)) {
    const cipher = createCipheriv('aes-128-gcm', expand(secret, 'key', 16), expand(secret, 'iv', 12));
    const header = Buffer.from([0x17, 3, 3, 0, 6 + 16]);
    cipher.setAAD(header);
    const message = cipher.update(Buffer.from([24, 0, 0, 1, 1, 0x16]));
    yield Buffer.concat([header, message, cipher.final(), cipher.getAuthTag()]);
  }
}

await test('a client that sends nothing else', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: await scriptedUpstream(t, scripts.trust),
  });
  const client = await connectRaw(t, gate.port);
  t.equal(await client.requestTls(), 'S');
  const opened = client.startTls({ ciphers: 'TLS_AES_128_GCM_SHA256', minVersion: 'TLSv1.3' });
  // In the same turn, before the server can have answered: the line comes once.
  const secret = new Promise<Buffer>((resolve) => {
    client.tls.on('keylog', (line: Buffer) => {
      const [name, , value = ''] = line.toString().trim().split(' ');
      if (name === 'CLIENT_TRAFFIC_SECRET_0') resolve(Buffer.from(value, 'hex'));
    });
  });
  await opened;
  // Node says that the handshake is done before it sends the last message of it.
  await setImmediate();
  const updates = keyUpdates(await secret);
  const ended = once(client.raw, 'close');
  // A reset is an end too. Where the kernel takes all that is sent, nobody below waits for it.
  ended.catch(() => undefined);
  client.raw.on('error', () => undefined);
  let sent = 0;
  // The answers are not read: they would pile up in the gate.
  client.tls.pause();
  while (sent < KEY_UPDATES && !client.raw.destroyed && client.raw.writable) {
    const batch = Array.from({ length: BATCH }, () => updates.next().value!);
    sent += BATCH;
    if (!client.raw.write(Buffer.concat(batch)))
      await Promise.race([once(client.raw, 'drain'), ended]).catch(() => {});
    if (gate.log.some(({ code }) => code === 'opening-too-large')) break;
  }
  t.match(await gate.waitForLog({ code: 'opening-too-large' }), { host: '127.0.0.1' });
  t.equal((await openSession(t, gate, { parameters: { user: 'alice' } })).login.error, null, 'others get in');
});
