// max_authentication_failures_per_address over two workers: the ban begins with the last failure, whichever worker saw
// it, is told inside TLS after the startup packet without a rule being asked, and ends by itself or by DELETE /bans
// (contract §10). Clients come by a PROXY header, since loopback is never refused.

import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { startGate, type Gate } from '../support/run/gate.ts';
import { connectRaw, decodeErrorResponse, query, type RawClient } from '../support/peers/raw-client.ts';
import { authentication, passwordMessage, startupMessage } from '../support/peers/messages.ts';
import { proxyHeader, proxyLine } from '../support/peers/proxy-header.ts';
import type { Scope } from '../support/run/scope.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';

const LIMIT = 3;
const BANNED = { C: '28000', M: 'too many authentication failures' };

const HBA = `
host gatehouse dba 127.0.0.1/32 trust
host all good all trust
host all app all password
`;

interface BanRow {
  readonly address: string;
  readonly until: string;
  readonly failures: number;
  readonly refused: number;
}

await test('an address that fails too often', async (t) => {
  const upstream = await scriptedUpstream(t, scripts.trust);
  const gate = await startGate(t, {
    hba: HBA,
    upstream,
    files: { 'userlist.txt': '"app" "right"\n' },
    config: {
      workers: 2,
      admin_users: ['dba'],
      auth_file: 'userlist.txt',
      proxy_networks: ['127.0.0.1'],
      max_authentication_failures_per_address: LIMIT,
      authentication_ban_time: '1h',
      log_level: 'debug',
      reload: { watch: 'off' },
    },
  });

  await t.test('is refused from its last failure on, whatever it asks for', async (sub) => {
    const address = '203.0.113.1';
    for (let failure = 0; failure < LIMIT; failure++) await fail(sub, gate, address);
    const hits = await ruleHits(gate);
    for (let attempt = 0; attempt < 6; attempt++) {
      const client = await from(sub, gate, address);
      await client.openTls({ ca: gate.authority.cert, servername: 'localhost' });
      sub.match((await client.login({ user: 'good' })).error, BANNED, 'inside TLS');
    }
    const clear = await from(sub, gate, address);
    sub.match((await clear.login({ user: 'good' })).error, BANNED, 'and in clear');
    sub.equal(await ruleHits(gate), hits, 'no rule was asked');
    sub.equal(upstream.connections.length, 0, 'and no upstream');

    const begin = await gate.waitForLog({ msg: /^address "203\.0\.113\.1" is refused until / });
    const [ban] = await bans(gate);
    sub.match(ban, { address, failures: LIMIT, refused: 7 });
    sub.equal(
      begin.msg,
      `address "${address}" is refused until ${ban?.until} after 3 failed authentications`,
    );
    sub.match(await gate.waitForLog({ code: 'address-banned' }), { level: 'debug', host: address });
    const metrics = await gate.metrics();
    sub.equal(metrics.value('gatehouse_banned_addresses'), 1);
    sub.equal(metrics.value('gatehouse_connections_total', { outcome: 'address-banned' }), 7);
    sub.notMatch((await gate.admin('/refusals')).body, 'address-banned', 'what a ban refuses is not news');
    const { login } = await logIn(sub, gate, '203.0.113.2', 'good');
    sub.equal(login.error, null, 'its neighbour is let in');
  });

  await t.test('is let in again by DELETE /bans', async (sub) => {
    const address = '203.0.113.1';
    sub.equal((await gate.admin('/bans/203.0.113.9', { method: 'DELETE' })).status, 404);
    sub.equal((await gate.admin(`/bans/${address}`, { method: 'DELETE' })).status, 200);
    await gate.waitForLog({ msg: `address "${address}" is let in again, 7 connections were refused` });
    sub.strictSame(await bans(gate), []);
    sub.equal((await logIn(sub, gate, address, 'good')).login.error, null);
    for (let failure = 1; failure < LIMIT; failure++) await fail(sub, gate, address);
    sub.strictSame(await bans(gate), [], 'it begins at zero');
  });

  await t.test('a success forgets its failures', async (sub) => {
    const address = '203.0.113.3';
    for (let round = 0; round < 3; round++) {
      for (let failure = 1; failure < LIMIT; failure++) await fail(sub, gate, address);
      sub.equal((await logIn(sub, gate, address, 'good')).login.error, null, `round ${round}`);
    }
    sub.strictSame(await bans(gate), []);
  });

  await t.test('IPv6 counts by its /64', async (sub) => {
    for (const last of ['1', 'aaaa:1', 'ffff:ffff:ffff:ffff']) await fail(sub, gate, `2001:db8::${last}`);
    sub.match((await logIn(sub, gate, '2001:db8::77', 'good')).login.error, BANNED);
    sub.equal(
      (await logIn(sub, gate, '2001:db8:0:1::1', 'good')).login.error,
      null,
      'the next /64 is let in',
    );
    sub.match(await bans(gate), [{ address: '2001:db8::/64', failures: LIMIT, refused: 1 }]);
    const dba = await connectRaw(sub, gate.port);
    await dba.send(proxyHeader({ command: 0x20, family: 0, addresses: Buffer.alloc(0) }));
    sub.equal((await dba.login({ user: 'dba', database: 'gatehouse' })).error, null);
    await dba.send(query('select address, failures, refused from bans'));
    const answer = (await dba.readMessagesUntil('Z')).find(({ type }) => type === 'D');
    sub.match(answer?.body.toString('latin1'), /2001:db8::\/64.*3.*1$/s, 'the console has it too');
    const written = encodeURIComponent('2001:db8::/64');
    sub.equal((await gate.admin(`/bans/${written}`, { method: 'DELETE' })).status, 200);
    for (const last of ['1', '2', '3']) await fail(sub, gate, `2001:db8::${last}`);
    sub.equal((await gate.admin('/bans/2001:db8::/64', { method: 'DELETE' })).status, 200, 'nor escaped');
    for (const last of ['1', '2', '3']) await fail(sub, gate, `2001:db8::${last}`);
    sub.equal(
      (await gate.admin('/bans/2001:db8::3', { method: 'DELETE' })).status,
      200,
      'any of its addresses',
    );
  });

  await t.test(
    'a guess that is made after the ban has begun is not looked at, on a connection from before it either',
    async (sub) => {
      const address = '203.0.113.4';
      const clients = await Promise.all(
        Array.from({ length: 12 }, async () => {
          const client = await from(sub, gate, address);
          await client.send(startupMessage({ user: 'app' }));
          await client.readMessagesUntil('R');
          return client;
        }),
      );
      const guesses = clients.map((_, index) => (index === clients.length - 1 ? 'right' : `wrong${index}`));
      const told: string[] = [];
      for (const [index, client] of clients.entries()) {
        await client.send(passwordMessage(guesses[index] ?? ''));
        const last = await client.readMessage();
        told.push(last.type === 'E' ? `${decodeErrorResponse(last)['M']}` : authenticationOf(last.body));
      }
      sub.equal(told.filter((text) => text.startsWith('password authentication failed')).length, LIMIT);
      sub.strictSame(new Set(told.slice(LIMIT)), new Set([BANNED.M]), 'the right one among them');
    },
  );

  await t.test('a reload without a limit lets everyone in', async (sub) => {
    sub.equal((await bans(gate)).length, 1);
    const settings = readFileSync(gate.path('gatehouse.yaml'), 'utf8');
    gate.rewrite('gatehouse.yaml', settings.replace(/^max_authentication_failures.*$/m, ''));
    sub.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
    sub.strictSame(await bans(gate), []);
    sub.equal((await logIn(sub, gate, '203.0.113.4', 'good')).login.error, null);
  });

  await t.test('a ban ends by itself', async (sub) => {
    const settings = readFileSync(gate.path('gatehouse.yaml'), 'utf8');
    gate.rewrite(
      'gatehouse.yaml',
      `${settings.replace(/^authentication_ban_time.*$/m, 'authentication_ban_time: 5s')}max_authentication_failures_per_address: 1\n`,
    );
    sub.equal((await gate.admin('/reload', { method: 'POST' })).status, 200);
    await fail(sub, gate, '203.0.113.5');
    sub.match((await logIn(sub, gate, '203.0.113.5', 'good')).login.error, BANNED);
    await gate.waitForLog({ msg: 'address "203.0.113.5" is let in again, 1 connections were refused' });
    sub.equal((await logIn(sub, gate, '203.0.113.5', 'good')).login.error, null);
  });
});

function authenticationOf(body: Buffer): string {
  return body.equals(authentication(0).subarray(5)) ? 'AuthenticationOk' : 'another request';
}

async function from(t: Scope, gate: Gate, address: string): Promise<RawClient> {
  const client = await connectRaw(t, gate.port);
  await client.send(proxyLine(address, 40_000, address.includes(':') ? 'TCP6' : 'TCP4'));
  return client;
}

async function logIn(
  t: Scope,
  gate: Gate,
  address: string,
  user: string,
): Promise<{ client: RawClient; login: Awaited<ReturnType<RawClient['login']>> }> {
  const client = await from(t, gate, address);
  const login = await client.login({ user });
  client.destroy();
  return { client, login };
}

/** One failed authentication. */
async function fail(t: Scope, gate: Gate, address: string): Promise<void> {
  const { login } = await logIn(t, gate, address, 'nobody');
  if (!login.error?.['M']?.startsWith('no pg_hba.conf entry')) throw new Error(JSON.stringify(login.error));
}

async function bans(gate: Gate): Promise<readonly BanRow[]> {
  const { status, body } = await gate.admin('/bans');
  if (status !== 200) throw new Error(body);
  const rows: BanRow[] = JSON.parse(body);
  return rows;
}

async function ruleHits(gate: Gate): Promise<number> {
  const rows: { hits: number }[] = JSON.parse((await gate.admin('/rules')).body);
  return rows.reduce((sum, { hits }) => sum + hits, 0);
}
