// Debian's HAProxy before the gate, with both versions of the PROXY protocol: the line for the client's own address
// decides, in clear, inside TLS, with direct TLS and for a cancel request, and HAProxy's own check of a server works.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { freePort } from '../support/run/free-port.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import {
  CANCEL_REQUEST_CODE,
  cancelRequest,
  connectRaw,
  type RawClient,
} from '../support/peers/raw-client.ts';
import { atEnd } from '../support/run/scope.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { supervise } from '../support/run/supervise.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs, toolPath } from '../support/run/tools.ts';

const CLIENT = '127.0.0.9';
const BALANCER = '127.0.0.2';
const KEY = Buffer.from('00112233', 'hex');

const HBA = `host all alice ${CLIENT}/32 trust\nhost all health ${BALANCER}/32 trust`;

/** HAProxy before the gate; its port. */
async function startHaproxy(t: Test, gate: Gate, sending: string): Promise<number> {
  const port = await freePort();
  const directory = temporaryDirectory(t);
  // A check that a busy machine answers late must not fail: inter bounds its connect, and timeout check its answer.
  const config = `
defaults
  mode tcp
  timeout connect 10s
  timeout check 30s
  timeout client 1m
  timeout server 1m
listen postgresql
  bind 127.0.0.1:${port}
  option pgsql-check user health
  server gate 127.0.0.1:${gate.port} source ${BALANCER} ${sending} check inter 1s rise 1 fall 1
`;
  writeFileSync(join(directory, 'haproxy.cfg'), config);
  const haproxy = await supervise({
    command: toolPath('haproxy'),
    args: ['-db', '-f', join(directory, 'haproxy.cfg')],
    env: {},
    stopSignal: 'SIGINT',
  });
  haproxy.stdout.resume();
  haproxy.stderr.resume();
  atEnd(t, () => haproxy.stop());
  // HAProxy listens before it checks; and a check that failed would take the gate out of use.
  for (let checks = 0, from = 0; checks < 2; checks++) {
    await gate.waitForLog({ msg: /^connection authorized: user=health/ }, { from });
    from = gate.logLength();
  }
  return port;
}

for (const sending of ['send-proxy', 'send-proxy-v2']) {
  await test(sending, needs('haproxy'), async (t) => {
    const upstream = await scriptedUpstream(t, async (connection) => {
      const packet = await connection.readPacket();
      if (packet.readInt32BE(0) === CANCEL_REQUEST_CODE) connection.halfClose();
      else await connection.acceptLogin({ pid: 77, key: KEY });
    });
    const gate = await startGate(t, { hba: HBA, upstream, config: { proxy_networks: BALANCER } });
    const port = await startHaproxy(t, gate, sending);
    const connect = async (from = CLIENT): Promise<RawClient> =>
      await connectRaw(t, { host: '127.0.0.1', port, localAddress: from });
    const verify = { ca: gate.authority.cert, servername: 'localhost' };
    const session = { client_addr: CLIENT, proxy_addr: BALANCER };

    const clear = await connect();
    const login = await clear.login({ user: 'alice' });
    t.equal(login.error, null, 'in clear');
    const row = (await gate.sessions()).find(({ user }) => user === 'alice');
    t.match(row, { ...session, client_port: clear.raw.localPort });

    const secure = await connect();
    await secure.openTls(verify);
    t.equal((await secure.login({ user: 'alice' })).error, null, 'inside TLS');
    const direct = await connect();
    await direct.startTls({ ...verify, ALPNProtocols: ['postgresql'] });
    t.equal((await direct.login({ user: 'alice' })).error, null, 'with direct TLS');

    const canceller = await connect();
    await canceller.send(cancelRequest(77, login.key!.key));
    await canceller.expectClosed();
    const cancels = upstream.received.filter((bytes) => bytes.equals(cancelRequest(77, KEY)));
    t.equal(cancels.length, 1, 'a cancel request');

    const other = await connect('127.0.0.10');
    t.match(
      (await other.login({ user: 'alice' })).error,
      {
        C: '28000',
        M: 'no pg_hba.conf entry for host "127.0.0.10", user "alice", database "alice", no encryption',
      },
      'another client of the same balancer',
    );
  });
}
