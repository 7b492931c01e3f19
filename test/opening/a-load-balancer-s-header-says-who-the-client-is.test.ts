// A connection from proxy_networks begins with a PROXY protocol header, and the client is whom it declares: for the rules,
// the limits, the log and /sessions, in clear, inside TLS and for cancel requests. From anywhere else a header is garbage.

import { readFileSync } from 'node:fs';
import { test, type Test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { ipv6Pair, proxyHeader, proxyLine } from '../support/peers/proxy-header.ts';
import {
  CANCEL_REQUEST_CODE,
  cancelRequest,
  connectRaw,
  sslRequest,
  startupMessage,
  type RawClient,
} from '../support/peers/raw-client.ts';
import { scriptedUpstream, type ScriptedUpstream } from '../support/peers/scripted-upstream.ts';

/** The load balancers, among everyone else who connects. */
const BALANCER = '127.0.0.2';
const OTHER = '127.0.0.3';

/** Only the declared address is admitted; neither the balancer's nor anybody else's. */
const HBA = [
  'host all all 203.0.113.7/32 trust',
  'host all all 2001:db8::7/128 trust',
  'host all health 127.0.0.2/32 trust',
].join('\n');

const KEY = Buffer.from('00112233', 'hex');

interface Scene {
  readonly gate: Gate;
  readonly upstream: ScriptedUpstream;
  readonly connect: (from?: string) => Promise<RawClient>;
}

async function scene(t: Test, config: Record<string, unknown> = {}): Promise<Scene> {
  const upstream = await scriptedUpstream(t, async (connection) => {
    const packet = await connection.readPacket();
    if (packet.readInt32BE(0) === CANCEL_REQUEST_CODE) connection.halfClose();
    else await connection.acceptLogin({ pid: 77, key: KEY });
  });
  const gate = await startGate(t, {
    hba: HBA,
    upstream,
    config: { proxy_networks: [BALANCER, '127.0.1.0/24'], log_level: 'debug', ...config },
  });
  const connect = async (from = BALANCER): Promise<RawClient> =>
    await connectRaw(t, { host: '127.0.0.1', port: gate.port, localAddress: from });
  return { gate, upstream, connect };
}

const alice = startupMessage({ user: 'alice' });

await test('the declared client is the client', async (t) => {
  const { gate, connect } = await scene(t);
  for (const [how, header, address, port] of [
    ['version 1', proxyLine('203.0.113.7', 40_000), '203.0.113.7', 40_000],
    ['version 2', proxyHeader(), '203.0.113.7', 40_000],
    ['version 1, mapped', proxyLine('::ffff:203.0.113.7', 0, 'TCP6'), '203.0.113.7', 0],
    [
      'version 2, IPv6',
      proxyHeader({ family: 0x21, addresses: ipv6Pair('20010db8000000000000000000000007', 7) }),
      '2001:db8::7',
      7,
    ],
  ] as const) {
    const from = gate.logLength();
    const client = await connect();
    await client.send(Buffer.concat([header, alice]));
    t.equal((await client.readLogin()).error, null, `${how}: the line for its address admits it`);
    const sender = { proxy_addr: BALANCER, proxy_port: client.raw.localPort };
    t.match(await gate.sessions(), [{ client_addr: address, client_port: port, ...sender }], how);
    const received = await gate.waitForLog({ msg: /^connection received: / }, { from });
    t.match(received, { msg: `connection received: host=${address} port=${port}`, ...sender }, how);
    client.reset();
    t.match(await gate.waitForLog({ msg: /^disconnection: / }, { from }), { host: address, port, ...sender });
  }
});

await test('inside TLS, asked for or direct, with the header in one segment with the first bytes', async (t) => {
  const { gate, connect } = await scene(t);
  const verify = { ca: gate.authority.cert, servername: 'localhost' };
  const asking = await connect();
  await asking.send(Buffer.concat([proxyHeader(), sslRequest()]));
  t.equal((await asking.read(1)).toString(), 'S');
  await asking.startTls(verify);
  t.equal((await asking.login({ user: 'alice' })).error, null);

  const direct = await connect();
  direct.raw.cork();
  direct.raw.write(proxyLine('203.0.113.7', 1));
  const started = direct.startTls({ ...verify, ALPNProtocols: ['postgresql'] });
  direct.raw.uncork();
  await started;
  t.equal((await direct.login({ user: 'alice' })).error, null);
  t.equal((await gate.sessions()).length, 2);
});

await test('a header that comes byte by byte', async (t) => {
  const { connect } = await scene(t);
  const client = await connect();
  await client.sendByteByByte(Buffer.concat([proxyHeader({ checksum: 'right' }), sslRequest()]));
  t.equal((await client.read(1)).toString(), 'S');
});

await test('a cancel request has a header too', async (t) => {
  const { gate, upstream, connect } = await scene(t);
  const session = await connect();
  await session.send(Buffer.concat([proxyHeader(), alice]));
  const { key } = (await session.readLogin()).key!;
  const bare = await connect();
  await bare.send(cancelRequest(77, key));
  await bare.expectClosed();
  await gate.waitForLog({ code: 'proxy-header-missing' });
  const request = await connect();
  await request.send(Buffer.concat([proxyHeader(), cancelRequest(77, key)]));
  await request.expectClosed();
  t.strictSame(upstream.received.slice(1), [cancelRequest(77, KEY)]);
});

await test('without a header, or with half of one, there is no connection', async (t) => {
  const { gate, upstream, connect } = await scene(t);
  for (const [bytes, code] of [
    [alice, 'proxy-header-missing'],
    [sslRequest(), 'proxy-header-missing'],
    [Buffer.from([0x16, 3, 1]), 'proxy-header-missing'],
    [Buffer.from('PROXY TCP4 203.0.113.7'), 'proxy-header-invalid'],
    [proxyHeader().subarray(0, 20), 'proxy-header-invalid'],
    [proxyHeader({ checksum: 'wrong' }), 'proxy-header-invalid'],
    [proxyHeader({ family: 0x31, addresses: Buffer.alloc(216) }), 'proxy-header-unsupported'],
  ] as const) {
    const from = gate.logLength();
    const client = await connect();
    const port = client.raw.localPort;
    await client.send(bytes);
    client.halfClose();
    await client.expectClosed();
    const line = await gate.waitForLog(({ code: each }) => each !== undefined, { from });
    t.match(line, { code, host: BALANCER, port });
  }
  const twice = await connect();
  await twice.send(Buffer.concat([proxyHeader(), proxyHeader(), alice]));
  await twice.expectClosed();
  const line = await gate.waitForLog({ code: 'invalid-startup-packet-length' });
  t.match(line, { host: '203.0.113.7', proxy_addr: BALANCER }, 'the second one is the client talking');
  t.equal(upstream.received.length, 0);
});

await test('a sender that speaks for itself', async (t) => {
  const { gate, connect } = await scene(t);
  const local = proxyHeader({ command: 0x20, addresses: ipv6Pair('f'.repeat(32), 1), family: 0x21 });
  for (const header of [local, Buffer.from('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n')]) {
    const check = await connect();
    await check.send(Buffer.concat([header, startupMessage({ user: 'health' })]));
    t.equal((await check.readLogin()).error, null, "the line for the balancer's own address admits it");
    t.match(await gate.sessions(), [
      { client_addr: BALANCER, client_port: check.raw.localPort, proxy_addr: null, proxy_port: null },
    ]);
    const from = gate.logLength();
    check.reset();
    await gate.waitForLog({ msg: /^disconnection: / }, { from });
  }
  for (const bytes of [local, Buffer.alloc(0)]) {
    const from = gate.logLength();
    const probe = await connect();
    if (bytes.length > 0) await probe.send(bytes);
    probe.halfClose();
    await probe.expectClosed();
    const line = await gate.waitForLog(({ code }) => code !== undefined, { from });
    t.match(line, { code: 'no-startup-packet', level: 'debug' }, 'a health check that says nothing');
    const loud = gate.log.slice(from).filter(({ level }) => level !== 'debug');
    t.strictSame(loud, [], 'is silent');
  }
});

await test('a header from anybody else is the bytes of a client', async (t) => {
  const { gate, connect } = await scene(t);
  for (const header of [proxyLine('203.0.113.7', 1), proxyHeader()]) {
    const from = gate.logLength();
    const liar = await connect(OTHER);
    await liar.send(Buffer.concat([header, alice]));
    await liar.expectClosed();
    const line = await gate.waitForLog({ code: 'invalid-startup-packet-length' }, { from });
    t.match(line, { host: OTHER, proxy_addr: undefined });
  }
});

await test('limits count the declared clients', async (t) => {
  const { connect } = await scene(t, { max_connections_per_address: 1 });
  const one = await connect();
  await one.send(Buffer.concat([proxyHeader(), alice]));
  t.equal((await one.readLogin()).error, null);
  const again = await connect('127.0.1.9');
  await again.send(Buffer.concat([proxyLine('203.0.113.7', 2), alice]));
  t.match((await again.readLogin()).error, { C: '53300' }, 'the same client by way of another balancer');
  const other = await connect();
  await other.send(Buffer.concat([proxyLine('2001:DB8::7', 3, 'TCP6'), alice]));
  t.equal((await other.readLogin()).error, null, 'another client by way of the same one');
});

await test('the list of the accept counts, and a reload changes it for the next', async (t) => {
  const { gate, connect } = await scene(t);
  const early = await connect();
  const [begin, rest] = [proxyHeader().subarray(0, 9), proxyHeader().subarray(9)];
  await early.send(begin);
  const yaml = readFileSync(gate.path('gatehouse.yaml'), 'utf8');
  gate.rewrite('gatehouse.yaml', yaml.replace(/proxy_networks:\n(  - .*\n)+/, "proxy_networks: ''\n"));
  t.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
  await early.send(Buffer.concat([rest, alice]));
  t.equal((await early.readLogin()).error, null, 'a header is read to its end');
  const late = await connect();
  await late.send(proxyHeader());
  await late.expectClosed();
  await gate.waitForLog({ code: 'invalid-startup-packet-length' });
});
