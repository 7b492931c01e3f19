// With a limit of one failure each way of failing is tried from an address of its own: GET /bans has the addresses whose
// failure was one of authentication, and no other (contract §10).

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startGate, type Gate } from '../support/run/gate.ts';
import {
  cancelRequest,
  connectRaw,
  passwordMessage,
  startupMessage,
  type ClientTlsOptions,
  type RawClient,
} from '../support/peers/raw-client.ts';
import { authenticationCleartextPassword, errorResponse } from '../support/peers/messages.ts';
import { ipv4Pair, proxyHeader, proxyLine } from '../support/peers/proxy-header.ts';
import type { Scope } from '../support/run/scope.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs, toolPath } from '../support/run/tools.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

const HBA = `
host all rejected all reject
host all app all password
hostssl all named all cert
host all first,second,elsewhere,nodatabase,down all trust
`;

type Way = (connect: () => Promise<RawClient>, gate: Gate, sub: Test) => Promise<void>;

const good = (gate: Gate): ClientTlsOptions => ({ ca: gate.authority.cert, servername: 'localhost' });

/** Answers the first request with a password and reads to the end. */
async function answer(client: RawClient, user: string, password: string): Promise<string | undefined> {
  await client.send(startupMessage({ user: user }));
  await client.readMessagesUntil('R');
  await client.send(passwordMessage(password));
  return (await client.readLogin()).error?.['C'];
}

const COUNTS: Readonly<Record<string, Way>> = {
  'a certificate of another authority': async (connect, gate, sub) => {
    const client = await connect();
    await client.openTls({ ...good(gate), ...testAuthority(sub).client('named') });
    sub.match((await client.login({ user: 'named' })).error, { C: '28000' });
  },
  'a certificate that has expired': async (connect, gate, sub) => {
    const client = await connect();
    await client.openTls({ ...good(gate), ...gate.authority.client('named', { expired: true }) });
    sub.match((await client.login({ user: 'named' })).error, { C: '28000' });
  },
  'no certificate where a line demands one': async (connect, gate, sub) => {
    const client = await connect();
    await client.openTls(good(gate));
    sub.match((await client.login({ user: 'named' })).error, { C: '28000' });
  },
  "another user's certificate": async (connect, gate, sub) => {
    const client = await connect();
    await client.openTls({ ...good(gate), ...gate.authority.client('somebody') });
    sub.match((await client.login({ user: 'named' })).error, { C: '28000' });
  },
  'a line that rejects': async (connect, _gate, sub) => {
    sub.match((await (await connect()).login({ user: 'rejected' })).error, { C: '28000' });
  },
  'no line': async (connect, _gate, sub) => {
    const client = await connect();
    sub.match((await client.login({ user: 'named' })).error, { C: '28000' });
  },
  'a wrong password that the gate checks': async (connect, _gate, sub) => {
    sub.equal(await answer(await connect(), 'app', 'wrong'), '28P01');
  },
  'an empty password': async (connect, _gate, sub) => {
    sub.equal(await answer(await connect(), 'app', ''), '28P01');
  },
  'a wrong password that the upstream checks': async (connect, _gate, sub) => {
    sub.equal(await answer(await connect(), 'elsewhere', 'wrong'), '28P01');
  },
};

const DOES_NOT: Readonly<Record<string, Way>> = {
  'closing instead of a password': async (connect, gate) => {
    const client = await connect();
    await client.send(startupMessage({ user: 'app' }));
    await client.readMessagesUntil('R');
    client.halfClose();
    await gate.waitForLog({ code: 'client-gave-up' });
  },
  'TLS without anything in common': async (connect, gate) => {
    const client = await connect();
    await client.openTls({ ...good(gate), ALPNProtocols: ['http/1.1'] }).catch(() => undefined);
    await gate.waitForLog({ code: 'tls-alpn-mismatch' });
  },
  'a limit': async (connect, _gate, sub) => {
    await (await connect()).login({ user: 'first' });
    sub.match((await (await connect()).login({ user: 'second' })).error, { C: '53300' });
  },
  'a login that the upstream refuses for another reason': async (connect, _gate, sub) => {
    sub.match((await (await connect()).login({ user: 'nodatabase' })).error, { C: '3D000' });
  },
  'an upstream that is down': async (connect, _gate, sub) => {
    sub.match((await (await connect()).login({ user: 'down' })).error, { C: '08006' });
  },
  'a cancel request with a bad certificate': async (connect, gate, sub) => {
    const client = await connect();
    await client.openTls({ ...good(gate), ...gate.authority.client('named', { selfSigned: true }) });
    await client.send(cancelRequest(1, Buffer.alloc(4)));
    await client.expectClosed();
    sub.pass();
  },
};

/** Of these neither the address nor anything else may ever be refused, whatever comes from there. */
const NEVER: Readonly<Record<string, Buffer>> = {
  'a balancer that speaks for itself': proxyHeader({ command: 0x20, family: 0, addresses: Buffer.alloc(0) }),
  'a LOCAL header that declares an address': proxyHeader({
    command: 0x20,
    addresses: ipv4Pair('203.0.113.99', 4),
  }),
  loopback: proxyLine('127.0.0.1', 40_000),
  'loopback of IPv6': proxyLine('::1', 40_000, 'TCP6'),
};

await test('what counts', async (t) => {
  const upstream = await scriptedUpstream(t, async (connection) => {
    const { parameters } = await connection.readStartup();
    switch (String(parameters['user'])) {
      case 'elsewhere':
        await connection.send(authenticationCleartextPassword());
        await connection.readMessagesUntil('p');
        return connection.send(errorResponse({ S: 'FATAL', C: '28P01', M: 'wrong' }));
      case 'nodatabase':
        return connection.send(errorResponse({ S: 'FATAL', C: '3D000', M: 'there is none' }));
      case 'down':
        return connection.reset();
      default:
        return connection.acceptLogin();
    }
  });
  const gate = await startGate(t, {
    hba: HBA,
    upstream,
    files: { 'userlist.txt': '"app" "right"\n' },
    config: {
      proxy_networks: ['127.0.0.1'],
      auth_file: 'userlist.txt',
      max_connections_per_address: 1,
      max_authentication_failures_per_address: 1,
      authentication_ban_time: '1h',
      reload: { watch: 'off' },
    },
  });

  const ways = [
    ...Object.entries(COUNTS).map(([name, way]) => ({ name, way, counts: true })),
    ...Object.entries(DOES_NOT).map(([name, way]) => ({ name, way, counts: false })),
  ];
  for (const [index, { name, way, counts }] of ways.entries()) {
    await t.test(name, async (sub) => {
      const address = addressOf(index);
      const connect = async (): Promise<RawClient> => await from(sub, gate, proxyLine(address, 40_000));
      await way(connect, gate, sub);
      sub.equal((await banned(gate)).includes(address), counts, counts ? 'it counts' : 'it does not');
    });
  }

  await t.test("the page's fail2ban filter finds the same", needs('fail2ban-regex'), async (sub) => {
    const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    const [, filter = ''] = /```ini\n(\[Definition\]\n[^`]*)```/.exec(page) ?? [];
    const directory = temporaryDirectory(sub);
    const [log, conf] = [join(directory, 'log'), join(directory, 'filter.conf')];
    writeFileSync(log, gate.stdout);
    writeFileSync(conf, filter);
    const found = execFileSync(toolPath('fail2ban-regex'), ['--out', 'ip', log, conf], { encoding: 'utf8' });
    // The line of a bad certificate does not say what it was shown for.
    sub.strictSame(found.trim().split('\n'), [...(await banned(gate)), addressOf(ways.length - 1)]);
  });

  for (const [name, header] of Object.entries(NEVER)) {
    await t.test(`never: ${name}`, async (sub) => {
      const before = await banned(gate);
      for (let time = 0; time < 3; time++) {
        const client = await from(sub, gate, header);
        const { error } = await client.login({ user: 'rejected' });
        sub.match(error, { M: /^pg_hba\.conf rejects connection for host/ });
      }
      sub.strictSame(await banned(gate), before);
    });
  }
});

await test('a drain does not count', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream,
    config: { proxy_networks: ['127.0.0.1'], max_authentication_failures_per_address: 1 },
  });
  await (await from(t, gate, proxyLine('203.0.113.1', 1))).login({ user: 'u' });
  gate.signal('SIGTERM');
  await gate.waitForLog(({ msg }) => msg.includes('shutdown') || msg.startsWith('draining'));
  const { error } = await (await from(t, gate, proxyLine('203.0.113.2', 1))).login({ user: 'u' });
  t.match(error, { C: '57P03' });
  t.strictSame(await banned(gate), []);
});

function addressOf(way: number): string {
  return `203.0.113.${way + 1}`;
}

async function from(t: Scope, gate: Gate, header: Buffer): Promise<RawClient> {
  const client = await connectRaw(t, gate.port);
  await client.send(header);
  return client;
}

async function banned(gate: Gate): Promise<readonly string[]> {
  const rows: { address: string }[] = JSON.parse((await gate.admin('/bans')).body);
  return rows.map(({ address }) => address);
}
