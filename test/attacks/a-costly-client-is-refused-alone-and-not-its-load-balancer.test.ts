// Chains that are slow to verify, sent by one client of a load balancer: what they cost is the client's whom the PROXY
// header declares, so its connections are refused, and those of the balancer's other clients and its own checks are not
// (contract §7.35, §9).

import { test } from 'tap';
import { openSession } from '../session/clients.ts';
import { costlyChain } from '../support/certificates/costly-chain.ts';
import { connectRaw, type RawClient } from '../support/peers/raw-client.ts';
import { proxyHeader, proxyLine } from '../support/peers/proxy-header.ts';
import { startGate } from '../support/run/gate.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

const BALANCER = '127.0.0.2';
const ATTACKER = '203.0.113.7';
const ATTACKS = 4;
const LOCAL = proxyHeader({ command: 0x20, family: 0, addresses: Buffer.alloc(0) });

for (const workers of [1, 2]) {
  await test(`workers: ${workers}`, async (t) => {
    const upstream = await scriptedUpstream(t, scripts.trust);
    const gate = await startGate(t, {
      hba: 'hostssl all all all cert\nhost all check 127.0.0.0/8 trust\n',
      upstream,
      config: { workers, proxy_networks: [BALANCER] },
    });
    const ca = { ca: gate.authority.cert, servername: 'localhost' };
    const chain = costlyChain(98_000);
    const alice = gate.authority.client('alice');
    const connect = async (header: Buffer): Promise<RawClient> => {
      const client = await connectRaw(t, { host: '127.0.0.1', port: gate.port, localAddress: BALANCER });
      await client.send(header);
      return client;
    };
    const attack = async (header = proxyLine(ATTACKER, 40_000)): Promise<void> => {
      const client = await connect(header);
      await client.openTls({ ...ca, ...chain });
      await client.login({ user: 'mallory' });
    };
    const health = async (): Promise<unknown> =>
      (await (await connect(LOCAL)).login({ user: 'check' })).error;

    await Promise.allSettled(Array.from({ length: ATTACKS }, async () => await attack()));
    const line = await gate.waitForLog({ code: 'handshake-too-expensive' });
    t.match(line, { host: ATTACKER, proxy_addr: BALANCER });
    // A worker tells the others before it writes its line; each has heard of it when it answers this.
    await gate.sessions();
    const again = await connect(proxyLine(ATTACKER, 40_000));
    await t.rejects(again.login({ user: 'check' }), 'the attacker is refused before it has said anything');
    const neighbour = await connect(proxyLine('203.0.113.8', 40_000));
    await neighbour.openTls({ ...ca, cert: alice.cert, key: alice.key });
    t.equal((await neighbour.login({ user: 'alice' })).error, null, 'another client of the balancer gets in');
    t.equal(await health(), null, "the balancer's own check gets in");
    await Promise.allSettled([attack(LOCAL)]);
    await gate.waitForLog(
      ({ code, proxy_addr }) => code === 'handshake-too-expensive' && proxy_addr === null,
    );
    t.equal(await health(), null, 'even after a costly handshake of its own');
    t.ok(
      gate.log.every(
        ({ code, host }) => code !== 'handshake-too-expensive' || host === ATTACKER || host === BALANCER,
      ),
      'nobody else was refused',
    );
    const direct = await openSession(t, gate, { credentials: alice, parameters: { user: 'alice' } });
    t.equal(direct.login.error, null, 'nor is a client without a balancer');
  });
}
