// TLS below the level of any client: split, oversize, empty and broken records, a ClientHello with each byte turned
// round (CVE-2026-21637: callbacks that throw), names for SNI that no host has (CVE-2026-48928), alerts and garbage.

import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { sslRequest } from '../support/peers/raw-client.ts';
import { scriptedUpstream, scripts, type ScriptedUpstream } from '../support/peers/scripted-upstream.ts';
import type { Scope } from '../support/run/scope.ts';
import { clientHello, record, recordType, splitIntoRecords } from '../support/peers/tls-bytes.ts';
import { assertNothingOpen, assertOneEndingEach, idleFdCount, visit } from '../support/peers/visitor.ts';

const { alert, applicationData, handshake } = recordType;
const PLACEHOLDER = 'sni.placeholder.test';
const hello = await clientHello({
  minVersion: 'TLSv1.3',
  ecdhCurve: 'X25519',
  ALPNProtocols: ['postgresql'],
  servername: PLACEHOLDER,
});

/** The header of a handshake message, of a length that need not be true. */
const messageHeader = (type: number, length: number): Buffer =>
  Buffer.from([type, length >> 16, (length >> 8) & 0xff, length & 0xff]);

const repeat = (bytes: Buffer, times: number): Buffer =>
  Buffer.concat(Array.from({ length: times }, () => bytes));

const emptyRecord = record(handshake, Buffer.alloc(0));
const warning = record(alert, Buffer.from([1, 90]));

const failed =
  /^tls-(handshake-failed|not-tls|version-mismatch|no-shared-cipher|no-shared-group|alpn-mismatch|eof|client-alert)$/;

/** What is sent instead of a handshake; then FIN. */
const openings: Readonly<Record<string, { bytes: Buffer; code?: string | RegExp; serverHello?: boolean }>> = {
  'an empty record': { bytes: emptyRecord },
  'empty records without end': { bytes: repeat(emptyRecord, 5_000) },
  // OpenSSL lets a few of them pass.
  'empty records, then a ClientHello': {
    bytes: Buffer.concat([repeat(emptyRecord, 3), hello]),
    serverHello: true,
  },
  'a ClientHello in records of one byte': {
    bytes: splitIntoRecords(hello, 1),
    code: 'tls-eof',
    serverHello: true,
  },
  'a ClientHello in records of 16 bytes': {
    bytes: splitIntoRecords(hello, 16),
    code: 'tls-eof',
    serverHello: true,
  },
  'a ClientHello of 16 MB, announced': {
    bytes: record(handshake, Buffer.concat([messageHeader(1, 0xffffff), Buffer.alloc(1_000)])),
  },
  'a ClientHello of 200 kB, sent': {
    bytes: splitIntoRecords(
      record(handshake, Buffer.concat([messageHeader(1, 50_000), hello.subarray(9), Buffer.alloc(10_000)])),
      10,
    ),
  },
  'a ClientHello of 1 MB in large records': {
    bytes: Buffer.concat([
      record(handshake, Buffer.concat([messageHeader(1, 1_000_000), Buffer.alloc(16_000)])),
      repeat(record(handshake, Buffer.alloc(16_000)), 62),
    ]),
    code: /^tls-(handshake-failed|eof)$/,
  },
  'a record longer than TLS knows': {
    bytes: record(handshake, Buffer.alloc(0xffff)),
    code: 'tls-handshake-failed',
  },
  'a record of length 0xffff, announced': { bytes: Buffer.from('160301ffff', 'hex') },
  'warnings without end': { bytes: repeat(warning, 1_000) },
  'a ClientHello, then warnings without end': {
    bytes: Buffer.concat([hello, repeat(warning, 1_000)]),
    serverHello: true,
  },
  'a fatal alert': {
    bytes: record(alert, Buffer.from([2, 48])),
    code: /^tls-(client-alert|handshake-failed)$/,
  },
  'an alert of one byte': { bytes: record(alert, Buffer.from([2])) },
  'a ClientHello twice': { bytes: Buffer.concat([hello, hello]), serverHello: true },
  'application data': { bytes: record(applicationData, Buffer.alloc(100)), code: 'tls-handshake-failed' },
  'a ServerHello': { bytes: record(handshake, Buffer.concat([messageHeader(2, 70), Buffer.alloc(70)])) },
  'a Finished': { bytes: record(handshake, Buffer.concat([messageHeader(20, 32), Buffer.alloc(32)])) },
  'garbage behind the ServerHello': {
    bytes: Buffer.concat([hello, Buffer.alloc(2_000, 'G')]),
    serverHello: true,
  },
  'application data behind the ServerHello': {
    bytes: Buffer.concat([hello, record(applicationData, Buffer.alloc(64, 1), 0x0303)]),
    serverHello: true,
  },
  'a SSLv2 ClientHello': { bytes: Buffer.from(`802e0100020015000000100${'1'.repeat(71)}`, 'hex') },
  'only the type byte, again and again': { bytes: Buffer.alloc(70_000, 0x16) },
};

async function start(
  t: Scope,
  config: Record<string, unknown> = {},
): Promise<{ gate: Gate; upstream: ScriptedUpstream }> {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, { hba: 'hostssl all all all cert', upstream, config });
  return { gate, upstream };
}

/** A handshake as it should be still works. */
async function assertWell(t: Scope & Pick<import('tap').Test, 'equal'>, gate: Gate): Promise<void> {
  const { cert, key } = gate.authority.client('alice');
  const client = await visit(t, gate);
  await client.openTls({ cert, key });
  t.equal((await client.login({ user: 'alice' })).error, null, 'the gate is well');
  client.destroy();
  await client.ending();
}

for (const way of ['direct', 'after SSLRequest'] as const) {
  await test(`${way}: what is not a handshake`, async (t) => {
    const { gate, upstream } = await start(t);
    const before = await idleFdCount(gate);
    for (const [name, { bytes, code = failed, serverHello = false }] of Object.entries(openings)) {
      if (way === 'direct' && bytes[0] !== handshake) continue;
      const client = await visit(t, gate);
      if (way !== 'direct') await client.send(sslRequest());
      // The gate may close before it has read all of it.
      client.socket.end(bytes, () => undefined);
      await client.closed;
      const said = client.received.subarray(way === 'direct' ? 0 : 1);
      t.match(await client.ending(), { code }, name);
      if (serverHello) t.equal(said[0], handshake, `${name}: the gate got as far as the ServerHello`);
      else if (said.length > 0) t.equal(said[0], alert, `${name}: nothing but an alert`);
      client.destroy();
    }
    t.strictSame(upstream.connections, [], 'nothing reached the upstream');
    await assertWell(t, gate);
    await assertNothingOpen(t, gate, before);
    await assertOneEndingEach(t, gate);
  });
}

await test('CVE-2026-21637: a ClientHello with each byte turned round', async (t) => {
  const { gate, upstream } = await start(t);
  const before = await idleFdCount(gate);
  const codes = new Set<unknown>();
  for (let at = 0; at < hello.length; at += 32) {
    await Promise.all(
      Array.from({ length: Math.min(32, hello.length - at) }, async (_, index) => {
        const broken = Buffer.from(hello);
        broken[at + index]! ^= 0xff;
        const client = await visit(t, gate);
        await client.send(sslRequest());
        client.socket.end(broken);
        await client.closed;
        codes.add((await client.ending()).code);
        client.destroy();
      }),
    );
  }
  t.ok(codes.size > 1);
  t.strictSame(
    [...codes].filter((code) => !failed.test(String(code))),
    [],
    'each ends as a handshake that failed',
  );
  t.strictSame(upstream.connections, []);
  await assertWell(t, gate);
  await assertNothingOpen(t, gate, before);
  await assertOneEndingEach(t, gate);
});

const names: Readonly<Record<string, { bytes: Buffer; logged: string | null }>> = {
  'in odd case': { bytes: Buffer.from('SNI.PlaceHolder.TEST'), logged: 'SNI.PlaceHolder.TEST' },
  'a newline and an escape': {
    bytes: Buffer.from('x\n{"a":1}\x1b[31m......'),
    logged: String.raw`x\x0a{"a":1}\x1b[31m......`,
  },
  'no UTF-8': { bytes: Buffer.alloc(20, 0xff), logged: String.raw`\xff`.repeat(20) },
  'dots alone': { bytes: Buffer.alloc(20, '.'), logged: '.'.repeat(20) },
  'a wildcard': { bytes: Buffer.from('*.placeholder.test.*'), logged: '*.placeholder.test.*' },
  'a path': { bytes: Buffer.from('../../../../etc/pass'), logged: '../../../../etc/pass' },
  NULs: { bytes: Buffer.alloc(20), logged: String.raw`\x00`.repeat(20) },
};

await test('CVE-2026-48928: names for SNI', async (t) => {
  const { gate, upstream } = await start(t);
  const offset = hello.indexOf(PLACEHOLDER);
  for (const [name, { bytes, logged }] of Object.entries(names)) {
    t.equal(bytes.length, PLACEHOLDER.length);
    const client = await visit(t, gate);
    await client.send(
      sslRequest(),
      Buffer.concat([hello.subarray(0, offset), bytes, hello.subarray(offset + bytes.length)]),
    );
    client.halfClose();
    t.match(
      await client.ending(),
      { code: failed, sni: logged, alpn: ['postgresql'], versions: ['TLSv1.3'] },
      name,
    );
  }
  for (const servername of [
    'LOCALHOST',
    'LocalHost',
    'other.example',
    'xn--e1afmkfd.test',
    'a'.repeat(255),
  ]) {
    const client = await visit(t, gate);
    await client.openTls({ servername });
    t.match(
      (await client.login({ user: 'alice' })).error,
      { C: '28000', M: 'connection requires a valid client certificate' },
      `${servername}: the certificate is demanded under every name`,
    );
  }
  t.strictSame(upstream.connections, []);
  await assertWell(t, gate);
  await assertOneEndingEach(t, gate);
});
