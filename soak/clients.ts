// The clients of the soak: each activity connects, does something whose result it knows beforehand, and leaves, or is
// of a kind that must never get in.

import { createHash } from 'node:crypto';
import { connect, Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { Client, type ClientConfig } from 'pg';
import type { Credentials } from '../test/support/certificates/certificates.ts';
import { cancelRequest, sslRequest, startupMessage } from '../test/support/peers/messages.ts';
import { CopySession } from './copy.ts';
import type { User, Visit, World } from './world.ts';

/** What every activity gets. */
export interface Surroundings {
  readonly world: World;
  readonly port: () => number;
  readonly caCert: string;
  /** By user; `mallory` is signed by another CA. */
  readonly certificates: Readonly<Record<'alice' | 'carol' | 'dave' | 'mallory', Credentials>>;
  readonly password: string;
  readonly random: () => number;
  /** The time is up: who is in leaves. */
  readonly isOver: () => boolean;
}

export type Activity = (around: Surroundings) => Promise<void>;

/** Relative frequencies. */
export const activities: readonly (readonly [weight: number, name: string, activity: Activity])[] = [
  [10, 'queries', queries],
  [6, 'passwords', passwords],
  [5, 'plaintext', plaintext],
  [4, 'long session', longSession],
  [4, 'notifications', notifications],
  [3, 'cancel', cancelled],
  [4, 'copy out', copyOut],
  [2, 'slow copy out', slowCopyOut],
  [3, 'copy in', copyIn],
  [3, 'killed client', killedClient],
  [5, 'foreign certificate', foreignCertificate],
  [3, 'no certificate', noCertificate],
  [3, 'wrong password', wrongPassword],
  [3, 'no rule', noRule],
  [4, 'stranger', stranger],
  [6, 'parked', parked],
];

const CERTIFIED = ['alice', 'alice', 'carol', 'dave'] as const;

/** Opens a session, hands it to `work`, closes it; judges whatever goes otherwise. */
async function session(
  around: Surroundings,
  user: User,
  work: (client: Client, visit: Visit) => Promise<void>,
): Promise<void> {
  const { world } = around;
  const visit = world.visit(user);
  const { client, socket } = newClient(around, user, {});
  socket.once('connect', () => void (visit.port = socket.localPort ?? 0));
  try {
    await client.connect();
  } catch (error) {
    world.refused(visit, error);
    socket.destroy();
    return;
  }
  world.admitted(visit);
  try {
    visit.backend = Number((await client.query('select pg_backend_pid() as pid')).rows[0]?.pid ?? 0);
    world.backends.add(visit.backend);
    await work(client, visit);
    await client.end();
    world.count('sessions ended by their clients');
  } catch (error) {
    if (error instanceof WrongAnswerError) world.violate(`${user}: ${error.message}`);
    else world.lost(visit, error);
    socket.destroy();
  } finally {
    world.backends.delete(visit.backend);
  }
}

function newClient(
  { port, caCert, certificates, password }: Surroundings,
  user: User | 'nobody',
  overrides: ClientConfig & { readonly certificate?: Credentials | null },
): { client: Client; socket: Socket } {
  // Ours, so that its port is known; the driver connects it.
  const socket = new Socket();
  const {
    certificate = user === 'alice' || user === 'carol' || user === 'dave' ? certificates[user] : null,
    ...config
  } = overrides;
  const client = new Client({
    host: '127.0.0.1',
    port: port(),
    user,
    database: 'soak',
    application_name: 'soak',
    password: user === 'sam' ? password : '',
    connectionTimeoutMillis: 30_000,
    stream: () => socket,
    ssl:
      user === 'bob' || user === 'nobody'
        ? false
        : {
            ca: caCert,
            servername: 'localhost',
            ...(certificate === null ? {} : { cert: certificate.cert, key: certificate.key }),
          },
    ...config,
  });
  // A loss is judged where it is met; in between it may be met by nobody.
  client.on('error', () => {});
  socket.on('error', () => {});
  return { client, socket };
}

class WrongAnswerError extends Error {}

function expectEqual(got: unknown, wanted: unknown, what: string): void {
  if (got !== wanted) throw new WrongAnswerError(`${what}: ${String(got)} instead of ${String(wanted)}`);
}

function pick<T>({ random }: Surroundings, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}

async function queries(around: Surroundings): Promise<void> {
  await session(around, pick(around, CERTIFIED), async (client) => {
    for (let round = 0; round < 5; round++) await query(around, client);
  });
}

async function query({ world, random }: Surroundings, client: Client): Promise<void> {
  const text = Math.floor(random() * 1e9)
    .toString(36)
    .repeat(1 + Math.floor(random() * 2_000));
  const { rows } = await client.query({
    name: 'echo',
    text: 'select $1::text as echo, md5($1) as digest',
    values: [text],
  });
  expectEqual(rows[0]?.echo, text, 'an echo');
  expectEqual(rows[0]?.digest, createHash('md5').update(text).digest('hex'), 'its digest');
  world.count('bytes checked', 2 * text.length);
  world.count('queries answered');
}

async function passwords(around: Surroundings): Promise<void> {
  await session(around, 'sam', (client) => query(around, client));
}

async function plaintext(around: Surroundings): Promise<void> {
  await session(around, 'bob', async (client) => {
    await client.query('begin');
    await query(around, client);
    await client.query('rollback');
  });
}

async function longSession(around: Surroundings): Promise<void> {
  await session(around, pick(around, CERTIFIED), async (client) => {
    for (let round = 0; round < 40 && !around.isOver(); round++) {
      await query(around, client);
      await pause(200 + around.random() * 1_000);
    }
  });
}

async function notifications(around: Surroundings): Promise<void> {
  await session(around, 'alice', async (client) => {
    const channel = `c${Math.floor(around.random() * 1e9)}`;
    const heard: (string | undefined)[] = [];
    client.on('notification', ({ payload }) => void heard.push(payload));
    await client.query(`listen ${channel}`);
    for (const payload of ['one', 'two', 'three'])
      await client.query('select pg_notify($1, $2)', [channel, payload]);
    await client.query('select 1');
    expectEqual(heard.join(), 'one,two,three', 'notifications');
    around.world.count('notifications heard', heard.length);
  });
}

/** A query is cancelled by its key and by no other. */
async function cancelled(around: Surroundings): Promise<void> {
  await session(around, 'alice', async (client) => {
    const { pid, secret } = keyOf(client);
    const asleep = new Promise((resolve) => client.once('notice', resolve));
    const sleeping = client.query("do $$ begin raise notice 'asleep'; perform pg_sleep(60); end $$").then(
      () => 'slept',
      (error: unknown) => error,
    );
    // A cancel request that comes before its query is dropped, however right its key.
    await Promise.race([asleep, sleeping]);
    const wrong = Buffer.from(secret.map((byte) => byte ^ 0xff));
    await sendAndForget(around, cancelRequest(pid, wrong));
    await pause(300);
    const request = around.world.visit('alice');
    request.port = await sendAndForget(around, cancelRequest(pid, secret));
    const closedAt = Date.now();
    const outcome = await sleeping;
    const isCancelled = outcome instanceof Error && 'code' in outcome && outcome.code === '57014';
    if (!isCancelled && outcome instanceof Error) throw outcome;
    // A worker that hangs or is killed takes the requests in its queue along, and nobody answers a cancel request.
    if (isCancelled) around.world.count('queries cancelled');
    else around.world.cancelLost(request, closedAt);
    await query(around, client);
  });
}

/** What BackendKeyData said: the driver keeps it without declaring it. */
function keyOf(client: Client): { readonly pid: number; readonly secret: Buffer } {
  const secret = Buffer.alloc(4);
  secret.writeInt32BE(Number(Reflect.get(client, 'secretKey')));
  return { pid: Number(Reflect.get(client, 'processID')), secret };
}

/** Resolves at the end of the connection with the port that it came from; 0 where there was none. */
async function sendAndForget({ port }: Surroundings, bytes: Uint8Array): Promise<number> {
  const socket = connect({ host: '127.0.0.1', port: port() });
  let from = 0;
  socket.once('connect', () => void (from = socket.localPort ?? 0));
  socket.on('error', () => {});
  socket.on('data', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.end(bytes);
  await closed;
  return from;
}

async function copyOut(around: Surroundings): Promise<void> {
  await copy(around, async (copying) => {
    const rows = 200 + Math.floor(around.random() * 4_000);
    around.world.count('bytes checked', await copying.out(rows));
  });
}

async function slowCopyOut(around: Surroundings): Promise<void> {
  await copy(around, async (copying) => {
    around.world.count('bytes checked', await copying.out(4_000, { pauseMs: 20 }));
  });
}

async function copyIn(around: Surroundings): Promise<void> {
  await copy(around, async (copying) => {
    around.world.count('bytes checked', await copying.in(200 + Math.floor(around.random() * 2_000)));
  });
}

async function copy(around: Surroundings, work: (copying: CopySession) => Promise<void>): Promise<void> {
  const { world, certificates, caCert } = around;
  const visit = world.visit('alice');
  let copying: CopySession;
  try {
    copying = await CopySession.open(
      around.port(),
      { ca: caCert, ...pem(certificates.alice) },
      (port) => void (visit.port = port),
    );
  } catch (error) {
    world.refused(visit, error);
    return;
  }
  world.admitted(visit);
  try {
    await work(copying);
    await copying.close();
    world.count('copies checked');
    world.count('sessions ended by their clients');
  } catch (error) {
    world.lost(visit, error);
    copying.destroy();
  }
}

function pem({ cert, key }: Credentials): { cert: string; key: string } {
  return { cert, key };
}

/** Breaks off in the middle of an answer. */
async function killedClient(around: Surroundings): Promise<void> {
  const { client, socket } = newClient(around, 'alice', {});
  try {
    await client.connect();
    client.query("select repeat('x', 1000) from generate_series(1, 20000)").catch(() => {});
    await pause(around.random() * 50);
    around.world.count('clients killed');
  } catch {
    // An alice who is refused is met elsewhere.
  }
  if (around.random() < 0.5) socket.destroy();
  else socket.resetAndDestroy();
}

/** Someone who must be refused with this SQLSTATE; anything but that, or a fault that excuses it, is a violation. */
async function mustBeRefused(
  around: Surroundings,
  who: string,
  sqlstate: string,
  { client, socket }: { readonly client: Client; readonly socket: Socket },
): Promise<void> {
  const visit = around.world.visit('alice');
  socket.once('connect', () => void (visit.port = socket.localPort ?? 0));
  try {
    await client.connect();
    around.world.violate(`${who} got in`);
  } catch (error) {
    const isRefusal = error instanceof Error && 'code' in error && error.code === sqlstate;
    if (isRefusal) around.world.count(`refused: ${who}`);
    else around.world.refused(visit, error);
  }
  socket.destroy();
}

async function foreignCertificate(around: Surroundings): Promise<void> {
  const client = newClient(around, 'alice', { certificate: around.certificates.mallory });
  await mustBeRefused(around, 'a foreign certificate', '28000', client);
}

async function noCertificate(around: Surroundings): Promise<void> {
  await mustBeRefused(around, 'no certificate', '28000', newClient(around, 'alice', { certificate: null }));
}

async function wrongPassword(around: Surroundings): Promise<void> {
  await mustBeRefused(around, 'a wrong password', '28P01', newClient(around, 'sam', { password: 'wrong' }));
}

async function noRule(around: Surroundings): Promise<void> {
  await mustBeRefused(around, 'nobody without a rule', '28000', newClient(around, 'nobody', {}));
}

/** How long a connection may be parked, in milliseconds: some reloads, and less than authentication_timeout. */
const PARKED_MS = 12_000;

/**
 * Connects and waits over some reloads: before the first byte, after `S`, or after the handshake. Only then does it say
 * who it is, so the state in force at that moment decides, whatever was in force when it came.
 */
async function parked(around: Surroundings): Promise<void> {
  const { world, random } = around;
  const user = pick(around, ['carol', 'dave', 'alice'] as const);
  const place = pick(around, ['bare', 'after S', 'after TLS'] as const);
  const raw = connect({ host: '127.0.0.1', port: around.port() });
  raw.on('error', () => {});
  // Listened for from the first moment: a socket that is gone already would say so to nobody.
  const gone = new Promise<never>((_, reject) => raw.once('close', () => reject(new Error(CLOSED))));
  gone.catch(() => {});
  const early = world.visit(user);
  try {
    if (place === 'bare') await pause(PARKED_MS * random());
    raw.write(sslRequest());
    await Promise.race([answered(raw), gone]);
    if (place === 'after S') await pause(PARKED_MS * random());
    const { certificates, caCert } = around;
    const socket = connectTls({
      socket: raw,
      ca: caCert,
      servername: 'localhost',
      ...pem(certificates[user]),
    });
    socket.on('error', () => {});
    await Promise.race([opened(socket), gone]);
    if (place === 'after TLS') await pause(PARKED_MS * random());
    await Promise.race([finishParked(around, socket, early, place), gone]);
    socket.destroy();
  } catch (error) {
    // A handshake with a revoked certificate ends here, and so does whatever met a fault.
    if (error instanceof Error && error.message === CLOSED) world.count(`parked ${place}: closed`);
    else world.refused(early, error);
  }
  raw.destroy();
}

const CLOSED = 'the connection was closed';

/** Says who it is, and judges the answer by who may be in now. */
async function finishParked(
  { world }: Surroundings,
  socket: Socket,
  early: Visit,
  place: string,
): Promise<void> {
  const { user } = early;
  const visit = world.visit(user);
  visit.port = socket.localPort ?? 0;
  socket.write(startupMessage({ user, database: 'soak' }));
  const answer = await answered(socket);
  if (answer[0] === 0x52) {
    world.admitted(visit);
    world.count(`parked ${place}: admitted`);
    return;
  }
  world.count(`parked ${place}: refused`);
  world.refused(
    { ...visit, from: early.from },
    new Error(answer.toString('latin1').replaceAll('\0', ' ').slice(0, 200)),
  );
}

async function answered(socket: Socket): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    socket.once('data', (bytes: Buffer) => resolve(bytes));
    socket.once('close', () => reject(new Error(CLOSED)));
    if (socket.destroyed) reject(new Error(CLOSED));
  });
}

async function opened(socket: Socket): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', () => resolve());
    socket.once('close', () => reject(new Error(CLOSED)));
  });
}

/** Health checks, half packets, half handshakes and noise. */
async function stranger(around: Surroundings): Promise<void> {
  const noise = Buffer.from(Array.from({ length: 200 }, () => Math.floor(around.random() * 256)));
  const whole = startupMessage({ user: 'alice', database: 'soak' });
  const said = pick(around, [
    Buffer.alloc(0),
    sslRequest(),
    whole.subarray(0, 11),
    noise,
    Buffer.concat([sslRequest(), noise]),
  ]);
  around.world.count('strangers');
  if (around.random() < 0.7) {
    await sendAndForget(around, said);
    return;
  }
  const socket = connectTls({
    host: '127.0.0.1',
    port: around.port(),
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  });
  socket.on('error', () => {});
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
}
