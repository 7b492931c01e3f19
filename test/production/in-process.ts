// A gate in the process of the test, for tests that hand its sessions to the judge of a reload themselves.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { ConfigHolder, loadSnapshot, type Snapshot } from '../../src/config/snapshot.ts';
import { ServingProcess } from '../../src/server/serving-process.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { SessionsJudge } from '../../src/server/rejudge.ts';
import { NO_CATALOG } from '../../src/session/upstream-catalog.ts';
import type { Session } from '../../src/session/sessions.ts';
import { testAuthority, type Credentials } from '../support/certificates/certificates.ts';
import { writeGateFiles } from '../support/run/gate-files.ts';
import { connectRaw } from '../support/peers/raw-client.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { scriptedUpstream } from '../support/peers/scripted-upstream.ts';
import { until } from '../session/clients.ts';
import { answering } from './clients.ts';

export async function gateInProcess(t: Scope, hba: string) {
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
  let written = '';
  const log = createLogger(
    'info',
    new Writable({
      write: (chunk, _encoding, done) => {
        written += String(chunk);
        done();
      },
    }),
  );
  const gate = new ServingProcess({ config, log, metrics: createMetrics() });
  await gate.listen({ settings: config.current.settings, log });
  atEnd(t, async () => await gate.finish());
  const judge = new SessionsJudge({ log, sessions: gate.live, catalog: NO_CATALOG });
  return {
    authority,
    /** All that was logged so far. */
    logged: () => written,
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
    judge: (snapshot: Snapshot) => judge.judge(snapshot),
  };
}

/** Resolves when the session has been judged so. */
export const judged = async (session: Session, kind: Session['judgement']['kind']): Promise<void> =>
  await until(`${session.id} is ${kind}`, async () => {
    await setImmediate();
    return session.judgement.kind === kind;
  });
