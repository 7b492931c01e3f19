// A line for 127.0.0.1 is meant for the gate's own machine: a load balancer elsewhere may not declare that address, nor
// any other that no client can have. One that runs on this machine may.

import { test } from 'tap';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { GatehouseError } from '../../src/base/errors.ts';
import { clientAddress } from '../../src/rules/address.ts';
import { readClientAddress } from '../../src/session/client-address.ts';
import { proxyLine } from '../support/peers/proxy-header.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';

/** What the step says of a header that came over a real connection, as if from `sender`. */
async function outcome(t: Scope, header: Buffer, sender: string): Promise<string> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server has one
  const { port } = server.address() as AddressInfo;
  const accepted: Promise<Socket[]> = once(server, 'connection');
  const peer = connect(port, '127.0.0.1');
  atEnd(t, () => {
    peer.destroy();
    server.close();
  });
  peer.write(header);
  const [raw] = await accepted;
  if (raw === undefined) throw new Error('nobody connected');
  atEnd(t, () => raw.destroy());
  const { address } = clientAddress(sender)!;
  try {
    const client = await readClientAddress(raw, address, new AbortController().signal);
    return client?.text ?? 'the sender';
  } catch (error) {
    if (error instanceof GatehouseError) return error.code;
    throw error;
  }
}

const NOBODYS = [
  ['127.0.0.1', '127.0.0.1'],
  ['127.255.0.9', '127.255.0.9'],
  ['0.0.0.0', '0.0.0.0'],
  ['224.0.0.1', '224.0.0.1'],
  ['239.255.255.255', '239.255.255.255'],
  ['255.255.255.255', '255.255.255.255'],
  ['::1', '::1'],
  ['::', '::'],
  ['ff02::1', 'ff02::1'],
  ['::ffff:127.0.0.1', '127.0.0.1'],
] as const;

const line = (address: string): Buffer => proxyLine(address, 9, address.includes(':') ? 'TCP6' : 'TCP4');

await test('an address that no client has', async (t) => {
  for (const [address, shown] of NOBODYS) {
    t.equal(await outcome(t, line(address), '10.0.0.9'), 'proxy-header-invalid', `${address} from elsewhere`);
    t.equal(await outcome(t, line(address), '127.0.0.2'), shown, `${address} from this machine`);
    t.equal(await outcome(t, line(address), '::1'), shown, `${address} from this machine over IPv6`);
  }
});

await test('addresses beside them are taken', async (t) => {
  for (const address of [
    '126.255.255.255',
    '128.0.0.0',
    '223.255.255.255',
    '240.0.0.1',
    '0.0.0.1',
    '::2',
    'fe80::1',
  ]) {
    t.equal(await outcome(t, line(address), '10.0.0.9'), address);
  }
});
