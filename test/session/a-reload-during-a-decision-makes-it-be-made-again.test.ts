// Counting a session may wait for another process. A reload that comes in that wait is one before the decision: the
// rules and the certificates of before it decide nothing, and every place that was taken is given back. A drain that
// comes then refuses.

import { Writable } from 'node:stream';
import { test } from 'tap';
import { ConfigHolder, loadSnapshot } from '../../src/config/snapshot.ts';
import { ServingProcess } from '../../src/server/serving-process.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { LocalQuota, type Quota } from '../../src/session/quota.ts';
import { testAuthority, type TestAuthority } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { connectRaw, passwordMessage, startupMessage, type RawClient } from '../support/peers/raw-client.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { scriptedUpstream, scripts, type Script } from '../support/peers/scripted-upstream.ts';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const RULES = 'hostssl all alice all cert\n';
const SHUTTING_DOWN = { C: '57P03', M: 'the database system is shutting down' };

/** A quota whose next answer waits until the test lets it go. */
class HeldQuota implements Quota {
  readonly #inner = new LocalQuota();
  /** Places that are taken. */
  taken = 0;
  #held: {
    readonly method: 'check' | 'take';
    readonly reached: () => void;
    readonly release: Promise<void>;
  } | null = null;

  /** The next call of `method` waits. Resolves when it is made; what it resolves with lets it go on. */
  hold(method: 'check' | 'take'): Promise<() => void> {
    const release = Promise.withResolvers<void>();
    return new Promise((resolve) => {
      this.#held = { method, reached: () => resolve(release.resolve), release: release.promise };
    });
  }

  async check(...args: Parameters<Quota['check']>): ReturnType<Quota['check']> {
    await this.#wait('check');
    return await this.#inner.check(...args);
  }

  async take(...args: Parameters<Quota['take']>): ReturnType<Quota['take']> {
    const exhausted = await this.#inner.take(...args);
    if (exhausted === null) this.taken++;
    await this.#wait('take');
    return exhausted;
  }

  release(address: string): void {
    this.taken--;
    this.#inner.release(address);
  }

  async #wait(method: 'check' | 'take'): Promise<void> {
    const held = this.#held;
    if (held?.method !== method) return;
    this.#held = null;
    held.reached();
    await held.release;
  }
}

const changes = {
  'a removed rule': {
    change: (directory: string) => writeFileSync(join(directory, 'pg_hba.conf'), 'host all bob all trust\n'),
    refusal: { C: '28000', M: /^no pg_hba.conf entry/ },
  },
  'a revoked certificate': {
    change: (directory: string, authority: TestAuthority, credentials: { readonly serial: bigint }) =>
      writeFileSync(join(directory, 'ca.crl'), authority.crl({ revoked: [credentials] })),
    refusal: { C: '57P03', M: "the server's certificates have changed, please reconnect" },
  },
};

for (const method of ['check', 'take'] as const) {
  for (const [name, { change, refusal }] of Object.entries(changes)) {
    void test(`${name} while the gate waits for ${method}`, async (t) => {
      const { authority, config, quota, connect, upstream } = await gateWithHeldQuota(t);
      const credentials = authority.client('alice');
      const client = await connect(credentials);
      const held = quota.hold(method);
      await client.send(startupMessage({ user: 'alice' }));
      const goOn = await held;
      change(authority.directory, authority, credentials);
      t.match(await config.reload(), { ok: true });
      goOn();
      t.match((await client.readLogin()).error, refusal);
      await client.closed;
      t.equal(quota.taken, 0, 'no place is kept');
      t.equal(upstream.connections.length, 0);
    });
  }
}

for (const method of ['check', 'take'] as const) {
  void test(`a drain while the gate waits for ${method}`, async (t) => {
    const { authority, quota, connect, upstream, gate } = await gateWithHeldQuota(t);
    const client = await connect(authority.client('alice'));
    const held = quota.hold(method);
    await client.send(startupMessage({ user: 'alice' }));
    const goOn = await held;
    await gate.drain();
    goOn();
    t.match((await client.readLogin()).error, SHUTTING_DOWN);
    await client.closed;
    t.equal(quota.taken, 0, 'no place is kept');
    t.equal(upstream.connections.length, 0);
  });
}

void test('a drain while a client that has proved itself at the upstream waits for its place', async (t) => {
  const { quota, connect, gate } = await gateWithHeldQuota(
    t,
    'host all all all password\n',
    scripts.password,
  );
  const client = await connect(null);
  await client.send(startupMessage({ user: 'alice' }));
  await client.readMessagesUntil('R');
  const held = quota.hold('take');
  await client.send(passwordMessage('secret'));
  const goOn = await held;
  await gate.drain();
  goOn();
  t.match((await client.readLogin()).error, SHUTTING_DOWN);
  await client.closed;
  t.equal(quota.taken, 0, 'no place is kept');
});

void test('what a reload gives counts as well as what it takes', async (t) => {
  const { authority, config, quota, connect } = await gateWithHeldQuota(t);
  writeFileSync(join(authority.directory, 'pg_hba.conf'), 'host all bob all trust\n');
  t.match(await config.reload(), { ok: true });
  const client = await connect(authority.client('alice'));
  const held = quota.hold('check');
  await client.send(startupMessage({ user: 'alice' }));
  const goOn = await held;
  writeFileSync(join(authority.directory, 'pg_hba.conf'), RULES);
  t.match(await config.reload(), { ok: true });
  goOn();
  t.equal((await client.readLogin()).error, null);
  t.equal(quota.taken, 1, 'one place for one session');
});

async function gateWithHeldQuota(t: Scope, hba = RULES, script: Script = scripts.trust) {
  const authority = testAuthority(t);
  const upstream = await scriptedUpstream(t, script);
  writeGateFiles(authority.directory, authority, {
    hba,
    upstream,
    config: { ssl_crl_file: 'ca.crl', admin: { listen: '' } },
    files: { 'ca.crl': authority.crl() },
  });
  const loaded = await loadSnapshot(join(authority.directory, 'gatehouse.yaml'));
  const config = new ConfigHolder(loaded);
  const quota = new HeldQuota();
  const log = createLogger('info', new Writable({ write: (_chunk, _encoding, done) => done() }));
  const gate = new ServingProcess({
    config,
    log,
    metrics: createMetrics(),
    shared: { quota, useKey: async () => null, onHandshakes: () => {} },
  });
  await gate.listen({ settings: loaded.snapshot.settings, log });
  atEnd(t, async () => await gate.finish());
  const connect = async (
    credentials: { readonly cert: string; readonly key: string } | null,
  ): Promise<RawClient> => {
    const client = await connectRaw(t, gate.addresses[0]?.port ?? 0);
    if (credentials === null) return client;
    await client.openTls({
      ca: authority.cert,
      servername: 'localhost',
      cert: credentials.cert,
      key: credentials.key,
    });
    return client;
  };
  return { authority, config, quota, connect, upstream, gate };
}
