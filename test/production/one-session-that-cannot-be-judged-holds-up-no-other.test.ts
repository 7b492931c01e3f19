// A socket that dies while a reload judges its session, and rules that fail for one session: the others are judged.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { test } from 'tap';
import { ConfigHolder, loadSnapshot, type Snapshot } from '../../src/config/snapshot.ts';
import { ServingProcess } from '../../src/server/serving-process.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { SessionsJudge } from '../../src/server/rejudge.ts';
import { NO_CATALOG } from '../../src/session/upstream-catalog.ts';
import type { Session } from '../../src/session/sessions.ts';
import { chainOf } from '../../src/tls/judge/presented-chain.ts';
import { testAuthority, type Credentials } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { until } from '../session/clients.ts';
import { answering } from './clients.ts';

async function gateInProcess(t: Scope, hba: string) {
  const authority = testAuthority(t);
  writeGateFiles(authority.directory, authority, {
    hba,
    upstream: await scriptedUpstream(t, answering),
    config: { ssl_crl_file: 'ca.crl', admin: { listen: '' } },
    files: { 'ca.crl': authority.crl() },
  });
  const load = async (): Promise<ConfigHolder> =>
    new ConfigHolder(await loadSnapshot(join(authority.directory, 'gatehouse.yaml')));
  const config = await load();
  const log = createLogger('info', new Writable({ write: (_chunk, _encoding, done) => done() }));
  const gate = new ServingProcess({ config, log, metrics: createMetrics() });
  await gate.listen({ settings: config.current.settings, log });
  atEnd(t, async () => await gate.finish());
  return {
    authority,
    /** Logs in; the session that the gate has of it. */
    enter: async ({ cert, key }: Credentials, user: string): Promise<Session> => {
      const known = new Set(gate.live);
      const client = await connectRaw(t, gate.addresses[0]?.port ?? 0);
      await client.openTls({ ca: authority.cert, servername: 'localhost', cert, key });
      const { error } = await client.login({ user });
      const entered = [...gate.live].find((session) => !known.has(session));
      if (error !== null || entered === undefined) throw new Error(`not admitted: ${JSON.stringify(error)}`);
      return entered;
    },
    /** Writes files anew; what the gate would have in force after a reload. */
    changed: async (files: Readonly<Record<string, string>>): Promise<Snapshot> => {
      for (const [file, content] of Object.entries(files))
        writeFileSync(join(authority.directory, file), content);
      return (await load()).current;
    },
    judge: (snapshot: Snapshot) =>
      new SessionsJudge({ log, sessions: gate.live, catalog: NO_CATALOG }).judge(snapshot),
  };
}

const judged = async (session: Session, kind: Session['judgement']['kind']): Promise<void> =>
  await until(`${session.id} is ${kind}`, async () => {
    await setImmediate();
    return session.judgement.kind === kind;
  });

await test('a dying socket says nothing for the other sessions of its certificate', async (t) => {
  const { authority, enter, changed, judge } = await gateInProcess(t, 'hostssl all all all cert\n');
  const credentials = authority.client('alice');
  const dying = await enter(credentials, 'alice');
  const other = await enter(credentials, 'alice');
  const snapshot = await changed({ 'ca.crl': authority.crl({ revoked: [credentials] }) });
  dying.tls?.socket.destroy();
  judge(snapshot);
  await judged(other, 'no-longer-admitted');
  t.match(other.judgement, { reason: 'client certificate verification failed: certificate revoked' });
});

await test('a certificate that cannot be judged spares nobody whom a rule refuses', async (t) => {
  const { authority, enter, changed, judge } = await gateInProcess(t, 'hostssl all all all cert\n');
  const session = await enter(authority.client('alice'), 'alice');
  const other = await enter(authority.client('bob'), 'bob');
  const chain = chainOf([Buffer.from('no certificate')]);
  for (const one of [session, other]) Object.assign(one, { tls: { ...one.tls, chain } });
  judge(await changed({ 'pg_hba.conf': 'hostssl all bob all cert\n' }));
  await judged(session, 'no-longer-admitted');
  await judged(other, 'not-judged');
});

await test('rules that fail for one session judge the others', async (t) => {
  const hba = 'hostssl all all samehost cert\n';
  const { authority, enter, changed, judge } = await gateInProcess(t, hba);
  const failing = await enter(authority.client('alice'), 'alice');
  const other = await enter(authority.client('bob'), 'bob');
  // The interfaces of this machine cannot be read for one of them.
  const facts = {
    ...failing.facts,
    interfaces: () => {
      throw new Error('no interfaces');
    },
  };
  Object.assign(failing, { facts });
  judge(await changed({ 'pg_hba.conf': `hostssl all bob all reject\n${hba}` }));
  await judged(other, 'no-longer-admitted');
  await judged(failing, 'not-judged');
  t.strictSame(failing.judgement, { kind: 'not-judged', reason: 'no interfaces' });
});
