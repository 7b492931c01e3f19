// Several certificates with two workers (contract §11): a reload of one host's files leaves the clients of the others
// alone, one that fails keeps names and certificates together, and a live session is judged by the host that it named.

import { chmodSync, readFileSync, rmSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import { test } from 'tap';
import { testAuthority, type Credentials, type TestAuthority } from '../support/certificates/certificates.ts';
import type { RawClient } from '../support/peers/raw-client.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { startGate } from '../support/run/gate.ts';
import type { Scope } from '../support/run/scope.ts';
import { clientOfHost } from '../session/clients.ts';
import { answering, answers, reloaded, serverSerial } from '../production/clients.ts';

const STALE = { S: 'FATAL', C: '57P03', M: "the server's certificates have changed, please reconnect" };
/** Of each kind of client: so many that both workers have some. */
const CROWD = 6;

const line = (names: string, { certFile, keyFile }: Credentials, ca: TestAuthority): string =>
  `${names} ${certFile} ${keyFile} ${ca.caFile}\n`;

async function setUp(t: Scope) {
  const [org, com] = [testAuthority(t, { cn: 'Org CA' }), testAuthority(t, { cn: 'Com CA' })];
  const servers = { org: org.server(), com: com.server(), new: org.server() };
  const clients = { org: org.client('alice'), com: com.client('alice') };
  const hosts = line('org.example', servers.org, org) + line('com.example', servers.com, com);
  const gate = await startGate(t, {
    hba: 'hostssl all alice all cert\n',
    upstream: await scriptedUpstream(t, answering),
    config: {
      workers: 2,
      ssl_sni: 'on',
      ssl_ca_file: null,
      reload: { watch: 'off', sessions: 'terminate' },
    },
    files: { 'pg_hosts.conf': hosts },
  });
  return { gate, org, com, servers, clients, hosts };
}

type Side = 'org' | 'com';

/** A crowd of clients of both hosts, before their startup packets. */
async function crowd(t: Scope, { gate, clients }: Awaited<ReturnType<typeof setUp>>) {
  const parked: { readonly side: Side; readonly client: RawClient }[] = [];
  for (let count = 0; count < CROWD; count++) {
    for (const side of ['org', 'com'] as const)
      parked.push({ side, client: await clientOfHost(t, gate, `${side}.example`, clients[side]) });
  }
  return parked;
}

const serialOf = ({ serial }: Credentials): string => serial.toString(16);

await test('a rotated certificate makes only the clients of its host come again', async (t) => {
  const world = await setUp(t);
  const { gate, servers, clients, hosts } = world;
  const parked = await crowd(t, world);
  gate.rewrite('pg_hosts.conf', `# another line\n${hosts}`);
  t.match(await reloaded(gate), { ok: true });
  const [first, second, ...others] = parked;
  for (const each of [first, second]) t.equal((await each?.client.login({ user: 'alice' }))?.error, null);
  gate.rewrite(
    'pg_hosts.conf',
    line('org.example', servers.new, world.org) + line('com.example', servers.com, world.com),
  );
  t.match(await reloaded(gate), { ok: true });
  for (const { side, client } of others) {
    const { error } = await client.login({ user: 'alice' });
    if (side === 'org') t.match(error, STALE);
    else t.equal(error, null, 'the other host has not changed');
  }
  for (let count = 0; count < CROWD; count++) {
    const client = await clientOfHost(t, gate, 'ORG.example', clients.org);
    t.equal(serverSerial(client), serialOf(servers.new), 'the new one, in every worker');
    t.equal((await client.login({ user: 'alice' })).error, null);
    client.destroy();
  }
});

await test('a reload that fails keeps the names and their certificates together', async (t) => {
  const world = await setUp(t);
  const { gate, servers, clients } = world;
  const parked = await crowd(t, world);
  // ssl_sni off with no certificate to serve: the setting is in force, and the hosts are too.
  const settings: Record<string, unknown> = parse(readFileSync(gate.path('gatehouse.yaml'), 'utf8'));
  rmSync(gate.path('server.crt'));
  gate.rewrite('gatehouse.yaml', stringify({ ...settings, ssl_sni: 'off' }));
  t.match(await reloaded(gate), { ok: false, reloaded: ['settings', 'rules', 'maps'] });
  await gate.waitForLog({ msg: 'SSL configuration was not reloaded' });
  const servesAsBefore = async (): Promise<void> => {
    for (let count = 0; count < CROWD; count++) {
      for (const side of ['org', 'com'] as const) {
        const client = await clientOfHost(t, gate, `${side}.example`, clients[side]);
        t.equal(serverSerial(client), serialOf(servers[side]));
        t.equal((await client.login({ user: 'alice' })).error, null);
        client.destroy();
      }
      await t.rejects(clientOfHost(t, gate, 'net.example', clients.org), /unrecognized name/);
    }
  };
  await servesAsBefore();
  gate.rewrite('gatehouse.yaml', stringify(settings));
  gate.rewrite('pg_hosts.conf', 'org.example\n');
  t.match(await reloaded(gate), { ok: false });
  await servesAsBefore();
  for (const { client } of parked)
    t.equal((await client.login({ user: 'alice' })).error, null, 'none is stale');
  gate.rewrite('pg_hosts.conf', world.hosts);
  t.match(await reloaded(gate), { ok: true });
  chmodSync(servers.com.keyFile, 0o644);
  t.match(
    await reloaded(gate),
    {
      ok: false,
      errors: [{ message: `private key file "${servers.com.keyFile}" has group or world access` }],
    },
    'a key that others can read by now is refused, though nothing else has changed',
  );
});

await test('a live session is judged by the host that it named', async (t) => {
  const world = await setUp(t);
  const { gate, org, com, servers, clients, hosts } = world;
  const standard = line('*', servers.org, org);
  gate.rewrite('pg_hosts.conf', hosts + standard);
  t.match(await reloaded(gate), { ok: true });
  const names = { org: clients.org, com: clients.com, other: clients.org, gone: clients.org };
  const sessions = new Map<string, RawClient>();
  for (const [name, credentials] of Object.entries(names)) {
    const client = await clientOfHost(t, gate, `${name}.example`, credentials);
    t.equal((await client.login({ user: 'alice' })).error, null, name);
    sessions.set(name, client);
  }
  const ends = async (name: string): Promise<void> => {
    const client = sessions.get(name)!;
    t.match(await client.readMessage(), { type: 'E' }, `${name} is ended`);
    await client.readUntilClose();
  };
  // A line of its own, with another CA, for a name that the default has served.
  gate.rewrite('pg_hosts.conf', hosts + line('other.example', servers.org, com) + standard);
  t.match(await reloaded(gate), { ok: true });
  await ends('other');
  // The default is gone, so nobody serves that name any more.
  gate.rewrite('pg_hosts.conf', hosts);
  t.match(await reloaded(gate), { ok: true });
  await ends('gone');
  await gate.waitForLog({ msg: /would no longer be admitted: no host of pg_hosts.conf serves it/ });
  // Another CA for one host.
  gate.rewrite(
    'pg_hosts.conf',
    line('org.example', servers.org, com) + line('com.example', servers.com, com),
  );
  t.match(await reloaded(gate), { ok: true });
  await ends('org');
  t.ok(await answers(sessions.get('com')!), 'the other host goes on');
});
