// The watch over the login: an upstream may say what it likes, in pieces of any size, to a client that has sent ahead all
// that it has to say. The client gets whole messages only, exactly as they came, and is let in only when it has answered
// what the rule demands. The upstream gets one answer for each request and nothing else.

import { setImmediate } from 'node:timers/promises';
import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { GatehouseError } from '../../src/base/errors.ts';
import type { CancelKey } from '../../src/protocol/backend-key-data.ts';
import { BackendStream } from '../../src/protocol/message-boundary.ts';
import type { UpstreamDemand } from '../../src/rules/types.ts';
import type { UpstreamLink } from '../../src/session/dial.ts';
import { logIn } from '../../src/session/login.ts';
import {
  authentication,
  authenticationCleartextPassword,
  authenticationMd5Password,
  authenticationOk,
  authenticationSasl,
  backendKeyData,
  decodeMessages,
  errorResponse,
  int32,
  message,
  noticeResponse,
  parameterStatus,
  passwordMessage,
  query,
  readyForQuery,
  type Message,
} from '../../test/support/peers/messages.ts';
import { Draws, pieces } from '../draws.ts';
import { invariant, type Target } from '../target.ts';

const DEMANDS: readonly UpstreamDemand[] = ['none', 'password', 'md5', 'scram-sha-256'];
/** What the client has sent when the login begins, and whether it has closed then. */
const ANSWER = passwordMessage('x');
const CLIENTS: readonly { readonly ahead: Buffer; readonly ends: boolean }[] = [
  // More answers than an input can ask for, and a command after them.
  { ahead: Buffer.concat([...Array<Buffer>(1_000).fill(ANSWER), query('x')]), ends: false },
  { ahead: Buffer.alloc(0), ends: false },
  { ahead: Buffer.concat([query('x'), ANSWER]), ends: false },
  { ahead: ANSWER.subarray(0, -1), ends: true },
];
/** The first of the inputs kept in test/fixtures draw the client that answers. */
const WAYS = CLIENTS.flatMap((client) => DEMANDS.map((demand) => ({ client, demand })));
const STARTUP = Buffer.from('startup');
/** What an upstream says that does not take the gate's settings. */
const OURS = 'ours';
const OUR_KEY: CancelKey = { pid: 7, key: Buffer.alloc(32, 7) };
const GREETING = [
  parameterStatus('server_version', '10.23'),
  backendKeyData(1, Buffer.alloc(4)),
  readyForQuery(),
];
const SCRAM = [
  authenticationSasl(),
  authentication(11, Buffer.from('r=1')),
  authentication(12, Buffer.from('v=1')),
];

export function loginTarget(): Target {
  return {
    maxLength: 4_096,
    limitMs: 500,
    seeds: [
      seed('none', authenticationOk(), ...GREETING),
      seed('password', authenticationCleartextPassword(), authenticationOk(), ...GREETING),
      seed('md5', authenticationMd5Password(), authenticationOk(), ...GREETING),
      seed('scram-sha-256', ...SCRAM, authenticationOk(), ...GREETING),
      seed('scram-sha-256', authenticationSasl(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256']), authenticationOk()),
      seed(
        'none',
        noticeResponse({ S: 'NOTICE', M: 'm' }),
        errorResponse({ S: 'FATAL', C: '28P01', M: 'no' }),
      ),
      seed('none', authenticationOk(), ...GREETING, parameterStatus('a', 'b')),
      seed('none', authenticationOk(), errorResponse({ S: 'FATAL', C: '42704', M: OURS })),
      seed('md5', authenticationMd5Password(), authenticationOk(), errorResponse({ C: '42704', M: OURS })),
      ...CLIENTS.map((_, client) =>
        seedFor(client, 'md5', authenticationMd5Password(), authenticationOk(), ...GREETING),
      ),
    ],
    dictionary: [
      authenticationOk(),
      authenticationCleartextPassword(),
      authenticationMd5Password(),
      ...SCRAM,
      ...GREETING,
      errorResponse({ C: '28000' }),
      errorResponse({ C: '42704', M: OURS }),
      noticeResponse({}),
    ],
    run: async (input) => {
      const draws = new Draws(input);
      const { client, demand } = draws.pick(WAYS);
      const pattern = draws.take(3);
      const said = draws.rest();
      const { sent, written, authenticated, rest, keys } = await loggedIn(said, pattern, demand, client);
      const messages = decodeMessages(Buffer.concat(sent));
      const relayed = asUpstreamSaidIt(messages, keys);
      invariant(
        said.subarray(0, relayed.length).equals(relayed),
        'what the client gets is what the upstream sent, but for its keys',
      );
      invariant(messages.length === sent.length, 'the client gets whole messages');
      const wanting = messages.filter(
        ({ type, body }) => type === 'R' && code(body) !== 0 && code(body) !== 12,
      );
      const answers = written.subarray(STARTUP.length);
      const owed = client === CLIENTS[0] ? wanting.length : 0;
      invariant(written.subarray(0, STARTUP.length).equals(STARTUP), 'the upstream gets the startup first');
      invariant(
        answers.equals(Buffer.concat(Array<Buffer>(owed).fill(ANSWER))),
        () => `${wanting.length} requests, and the upstream got ${answers.toString('latin1')}`,
      );
      const admission = messages.findIndex(({ type, body }) => type === 'R' && body.readInt32BE(0) === 0);
      invariant(authenticated === (admission === -1 ? 0 : 1), 'AuthenticationOk counts once');
      if (admission !== -1 && demand !== 'none') {
        invariant(owed === wanting.length, 'let in without an answer');
        const proof = messages.slice(0, admission).filter(({ type }) => type === 'R');
        invariant(
          satisfies(
            proof.map(({ body }) => body),
            demand,
          ),
          `let in by less than ${demand}`,
        );
      }
      if (rest === null) return;
      invariant(
        admission !== -1 && messages.at(-1)?.type === 'Z',
        'a login ends with ReadyForQuery after AuthenticationOk',
      );
      // What lies in later pieces stays with the kernel; what came with the end belongs to the client.
      invariant(
        said.subarray(relayed.length, relayed.length + rest.length).equals(rest),
        'nothing is lost after it',
      );
    },
  };
}

/** The strength of what was asked last, told anew: at least what the rule demands. */
function satisfies(requests: readonly Buffer[], demand: UpstreamDemand): boolean {
  if (demand === 'none') return true;
  const asked = requests.findLast((body) => code(body) !== 11 && code(body) !== 12);
  if (asked === undefined) return false;
  const mechanisms = asked.toString('latin1', 4).split('\0').filter(Boolean);
  const isScram =
    code(asked) === 10 &&
    mechanisms.length > 0 &&
    mechanisms.every((name) => name.startsWith('SCRAM-SHA-256')) &&
    requests.slice(requests.indexOf(asked)).some((body) => code(body) === 12);
  if (demand === 'scram-sha-256') return isScram;
  return isScram || code(asked) === 5 || (demand === 'password' && code(asked) === 3);
}

/** The client's messages with the upstream's keys in the place of the gate's. */
function asUpstreamSaidIt(messages: readonly Message[], keys: readonly CancelKey[]): Buffer {
  let given = 0;
  const said = messages.map(({ type, body }) => {
    if (type !== 'K') return message(type, body);
    invariant(body.equals(Buffer.concat([int32(OUR_KEY.pid), OUR_KEY.key])), 'the client gets our key');
    const theirs = keys[given++];
    invariant(theirs !== undefined, 'a key for each of theirs');
    return backendKeyData(theirs.pid, theirs.key);
  });
  invariant(given === keys.length, 'each of their keys is replaced');
  return Buffer.concat(said);
}

interface Outcome {
  /** What the upstream got. */
  readonly written: Buffer;
  readonly sent: readonly Buffer[];
  readonly authenticated: number;
  /** What came after ReadyForQuery; null when the login failed. */
  readonly rest: Buffer | null;
  /** The upstream's. */
  readonly keys: readonly CancelKey[];
}

async function loggedIn(
  said: Buffer,
  pattern: Uint8Array,
  demand: UpstreamDemand,
  { ahead, ends }: (typeof CLIENTS)[number],
): Promise<Outcome> {
  const sent: Buffer[] = [];
  const written: Buffer[] = [];
  const keys: CancelKey[] = [];
  const isTrial = (pattern[0] ?? 0) % 2 === 1;
  let authenticated = 0;
  const socket = endpoint(written);
  const client = endpoint(sent);
  let isResumed = false;
  socket.resume = () => {
    isResumed = true;
    return socket;
  };
  const place = { host: '127.0.0.1', port: 5432 };
  const link: UpstreamLink = { socket, place, knowsReset: true, receive: () => false, answered: () => {} };
  if (ahead.length > 0) client.push(ahead);
  if (ends) client.push(null);
  const login = logIn({ socket: client, raw: client, said: new BackendStream() }, link, {
    startup: STARTUP,
    demand,
    user: 'alice',
    signal: new AbortController().signal,
    answers: null,
    settings: isTrial ? { isTrial, isRefusal: (error) => error.message === OURS } : null,
    onStep: () => undefined,
    onBackendKey: (theirs) => {
      keys.push(theirs);
      return OUR_KEY;
    },
    beforeAnswer: null,
    onAuthenticated: async () => void authenticated++,
  });
  // It may fail while this waits for it to read on.
  login.catch(() => undefined);
  // One slab for all that arrives, as in the product: who keeps a part of it without a copy will see it change.
  const slab = Buffer.alloc(256);
  for (const piece of pieces(said, pattern).flatMap((large) => pieces(large, Buffer.from([255])))) {
    slab.fill(0xee);
    piece.copy(slab);
    isResumed = false;
    if (link.receive(piece.length, slab)) continue;
    // It reads on once AuthenticationOk has been sent; else the login is over.
    await setImmediate();
    if (!isResumed) break;
  }
  slab.fill(0xee);
  socket.emit('end');
  const outcome = (rest: Buffer | null): Outcome => {
    return { sent, written: Buffer.concat(written), authenticated, rest, keys };
  };
  try {
    const result = await login;
    if (result !== 'settings-refused') return outcome(result.rest);
    invariant(authenticated === 0, 'the client does not know of a login that is made again');
    return outcome(null);
  } catch (error) {
    if (error instanceof GatehouseError) return outcome(null);
    throw error;
  }
}

/** A socket as far as the login uses one; keeps what is written to it. */
function endpoint(written: Buffer[]): Socket {
  const duplex = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      written.push(chunk);
      done();
    },
    // It never asks anybody to wait, so that an input is one turn of the event loop.
    writableHighWaterMark: 2 ** 30,
    autoDestroy: false,
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the login uses nothing that a Duplex has not
  return duplex as unknown as Socket;
}

/** What an upstream says, uncut, where the rule demands this. */
function seed(demand: UpstreamDemand, ...messages: readonly Uint8Array[]): Buffer {
  return seedFor(0, demand, ...messages);
}

function seedFor(client: number, demand: UpstreamDemand, ...messages: readonly Uint8Array[]): Buffer {
  const way = client * DEMANDS.length + DEMANDS.indexOf(demand);
  return Buffer.concat([Buffer.from([way, 0, 0, 0]), ...messages]);
}

/** The kind of an Authentication message. */
function code(body: Buffer): number {
  return body.readInt32BE(0);
}
