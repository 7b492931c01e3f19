// What goes wrong during the soak, on purpose: reloads good and bad, rotations, revocations, killed backends and
// workers, an upstream that restarts. Each tells the world what it is about to break, and checks what must hold.

import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import type { Credentials, TestAuthority } from '../test/support/certificates/certificates.ts';
import type { PostgresServer } from '../test/support/servers/postgres.ts';
import type { SoakGate } from './gate.ts';
import type { User, World } from './world.ts';

export interface Stage {
  readonly world: World;
  readonly gate: SoakGate;
  readonly upstream: PostgresServer;
  readonly authority: TestAuthority;
  readonly carol: Credentials;
  readonly random: () => number;
  /** What only one fault at a time may touch: the configuration. */
  readonly files: Files;
}

export type Fault = (stage: Stage) => Promise<void>;

/** Mean seconds between two of a kind. */
export const faults: readonly (readonly [everySeconds: number, name: string, fault: Fault])[] = [
  [5, 'backend terminated', terminateBackend],
  [8, 'good reload', goodReload],
  [12, 'bad reload', badReload],
  [25, 'certificate rotation', rotateCertificate],
  [25, 'revocation', revokeAndPardon],
  [25, 'rule against a user', shutOutAndLetIn],
  [180, 'worker killed', killWorker],
  [240, 'worker hung', hangWorker],
  [240, 'upstream restart', restartUpstream],
];

const RULES = `
hostssl   soak alice,carol,dave all cert
hostssl   soak sam              all scram-sha-256
hostnossl soak bob              all trust
`;

/** How long a session that a reload no longer admits may live on; the gate spreads their ends over five seconds. */
const TERMINATED_WITHIN_MS = 15_000;

/** A worker that hangs is given ten seconds by the gate; the machine may be busy. */
const REPLACED_WITHIN_MS = 30_000;

/** The configuration as it should be: what is written, and one writer at a time. */
export class Files {
  #shutOut = false;
  #revoked = false;
  #version = 0;
  #turn: Promise<unknown> = Promise.resolve();

  /** One change of the configuration after the other. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return await turn;
  }

  rules(): string {
    return `# ${++this.#version}\n${this.#shutOut ? 'host all dave all reject\n' : ''}${RULES}`;
  }

  set shutOut(value: boolean) {
    this.#shutOut = value;
  }

  crl(authority: TestAuthority, carol: Credentials): string {
    return authority.crl({ revoked: this.#revoked ? [carol] : [] });
  }

  set revoked(value: boolean) {
    this.#revoked = value;
  }
}

async function reload({ gate, world }: Stage, expected: 200 | 422): Promise<void> {
  const { status, body } = await gate.admin('/reload', 'POST');
  world.count(expected === 200 ? 'reloads accepted' : 'reloads refused');
  if (status !== expected) world.violate(`POST /reload answered ${status} instead of ${expected}: ${body}`);
}

async function goodReload(stage: Stage): Promise<void> {
  const { gate, files } = stage;
  await files.alone(async () => {
    gate.rewrite('pg_hba.conf', files.rules());
    await reload(stage, 200);
  });
}

/** One part is broken: it is refused by name, and nobody notices but the operator. */
async function badReload(stage: Stage): Promise<void> {
  const { gate, files, authority, carol, random, world } = stage;
  await files.alone(async () => {
    // The list is written anew, so its bytes change too.
    const over = world.beginTlsChange();
    switch (Math.floor(random() * 3)) {
      case 0:
        gate.rewrite('pg_hba.conf', `host all all all reject\nhostssl all all all certt\n`);
        break;
      case 1:
        gate.rewrite('ca.crl', '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n');
        break;
      default:
        gate.rewrite('pg_ident.conf', 'm alice\n');
    }
    await reload(stage, 422);
    gate.rewrite('pg_hba.conf', files.rules());
    gate.rewrite('ca.crl', files.crl(authority, carol));
    gate.rewrite('pg_ident.conf', '');
    await reload(stage, 200);
    over();
  });
}

async function rotateCertificate(stage: Stage): Promise<void> {
  const { gate, files, authority, world } = stage;
  await files.alone(async () => {
    const { cert, key, serial } = authority.server();
    const over = world.beginTlsChange();
    gate.rewrite('server.key', key);
    gate.rewrite('server.crt', cert);
    await reload(stage, 200);
    over();
    const { body } = await gate.admin('/certificates');
    if (!body.includes(String(serial))) world.violate('a rotated certificate is not the one in use');
  });
}

async function revokeAndPardon(stage: Stage): Promise<void> {
  const { gate, files, authority, carol } = stage;
  const write = (revoked: boolean) => (): void => {
    files.revoked = revoked;
    gate.rewrite('ca.crl', files.crl(authority, carol));
  };
  await change(stage, 'carol', 'out', write(true));
  await expectNoSessionOf(stage, 'carol');
  await pause(5_000);
  await change(stage, 'carol', 'in', write(false));
}

async function shutOutAndLetIn(stage: Stage): Promise<void> {
  const { gate, files } = stage;
  const write = (shutOut: boolean) => (): void => {
    files.shutOut = shutOut;
    gate.rewrite('pg_hba.conf', files.rules());
  };
  await change(stage, 'dave', 'out', write(true));
  await expectNoSessionOf(stage, 'dave');
  await pause(5_000);
  await change(stage, 'dave', 'in', write(false));
}

/** Changes who may be in. From the answer on every new connection must be judged by it. */
async function change(stage: Stage, user: User, standing: 'in' | 'out', write: () => void): Promise<void> {
  const { world, files } = stage;
  await files.alone(async () => {
    world.setStanding(user, 'changing');
    const over = world.beginTlsChange();
    write();
    await reload(stage, 200);
    over();
    world.setStanding(user, standing);
  });
}

/** reload.sessions is terminate: who may no longer be in is soon out. */
async function expectNoSessionOf({ gate, world }: Stage, user: User): Promise<void> {
  const deadline = Date.now() + TERMINATED_WITHIN_MS;
  for (;;) {
    const rows: { user: string }[] = JSON.parse((await gate.admin('/sessions')).body);
    if (!rows.some((row) => row.user === user)) return;
    if (Date.now() > deadline)
      return world.violate(`${user} still has a session ${TERMINATED_WITHIN_MS} ms after the reload`);
    await pause(500);
  }
}

async function terminateBackend({ world, upstream, random }: Stage): Promise<void> {
  const backends = [...world.backends];
  const victim = backends[Math.floor(random() * backends.length)];
  if (victim === undefined) return;
  world.doomed.add(victim);
  const { socketDir: host, port, superuser: user } = upstream;
  const client = new Client({ host, port, user, database: 'postgres' });
  // The upstream may be between two lives.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('select pg_terminate_backend($1)', [victim]);
  } catch {
    world.count('backends that a restart terminated first');
  }
  void client.end().catch(() => {});
}

async function killWorker({ gate, world, random }: Stage): Promise<void> {
  const [, ...workers] = gate.processes();
  const victim = workers[Math.floor(random() * workers.length)];
  if (victim === undefined) return;
  world.killedWorkers.set(victim, Date.now());
  process.kill(victim, 'SIGKILL');
}

/** A worker that answers nobody is killed and replaced; until then half of the new clients may wait in its queue. */
async function hangWorker({ gate, world, random }: Stage): Promise<void> {
  const [, ...workers] = gate.processes();
  const victim = workers[Math.floor(random() * workers.length)];
  if (victim === undefined) return;
  const over = world.beginHang(victim);
  process.kill(victim, 'SIGSTOP');
  const deadline = Date.now() + REPLACED_WITHIN_MS;
  while (gate.processes().includes(victim)) {
    if (Date.now() > deadline) {
      world.violate(`a hung worker was still there after ${REPLACED_WITHIN_MS} ms`);
      process.kill(victim, 'SIGKILL');
      break;
    }
    await pause(250);
  }
  over();
}

async function restartUpstream({ world, upstream }: Stage): Promise<void> {
  const over = world.beginOutage();
  await upstream.stop({ keepDirectory: true });
  await pause(1_000);
  await upstream.start();
  over();
}
