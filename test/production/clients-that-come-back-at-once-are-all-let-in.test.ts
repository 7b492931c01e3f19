// After a restart every client comes back at one moment. None of those that mean it is dropped: 800 near ones, and 300
// whose every byte is under way for 150 ms, by one process and by two, with the limits that are the default.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'tap';
import type { Credentials } from '../support/certificates/certificates.ts';
import { portOf } from '../support/run/free-port.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

const NEAR = 800;
const FAR = 300;
const ONE_WAY_MS = 150;
/** What all of them may take: the last handshake waits for all the others. */
const TOGETHER_MS = 90_000;

/** A port from which everything comes to the gate, and back, so much later. */
async function farAway(t: Scope, port: number): Promise<number> {
  const server = createServer((client) => {
    const gate = connect({ port, host: '127.0.0.1' });
    later(client, gate);
    later(gate, client);
    for (const socket of [client, gate]) atEnd(t, () => socket.destroy());
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  atEnd(t, () => void server.close());
  return portOf(server);
}

function later(from: Socket, to: Socket): void {
  from.on('error', () => undefined);
  from.on('data', (chunk: Buffer) => setTimeout(() => to.write(chunk), ONE_WAY_MS));
  from.on('end', () => setTimeout(() => to.end(), ONE_WAY_MS));
}

async function comeIn(t: Scope, gate: Gate, port: number, { cert, key }: Credentials): Promise<void> {
  const client = await connectRaw(t, port);
  client.patienceMs = TOGETHER_MS;
  await client.openTls({ ca: gate.authority.cert, servername: 'localhost', cert, key });
  const { error } = await client.login({ user: 'alice' });
  if (error !== null) throw new Error(error['M']);
}

for (const workers of [1, 2]) {
  await test(`workers: ${workers}`, { timeout: 120_000 }, async (t) => {
    const gate = await startGate(t, {
      hba: 'hostssl all all 127.0.0.1/32 cert\n',
      upstream: await scriptedUpstream(t, scripts.trust),
      // The clients and the upstream are this one process: on a slow machine it is late with all that it says.
      config: {
        workers,
        authentication_timeout: `${TOGETHER_MS}ms`,
        upstream: { connect_timeout: `${TOGETHER_MS}ms` },
      },
    });
    const alice = gate.authority.client('alice');
    const far = await farAway(t, gate.port);
    for (const [count, port] of [
      [NEAR, gate.port],
      [FAR, far],
    ] as const) {
      const all = await Promise.allSettled(
        Array.from({ length: count }, async () => await comeIn(t, gate, port, alice)),
      );
      t.strictSame(
        all.filter(({ status }) => status === 'rejected'),
        [],
        `${count} came, and none is lost`,
      );
    }
    t.notOk(gate.log.some(({ code }) => code === 'handshake-evicted'));
  });
}
