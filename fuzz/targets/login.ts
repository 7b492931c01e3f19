// The watch over the upstream's login: an upstream may say what it likes, in pieces of any size. The client gets whole
// messages only, exactly as they came, and is let in only when it was asked for what the rule demands.

import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { GatehouseError } from '../../src/errors.ts';
import type { UpstreamDemand } from '../../src/rules/types.ts';
import type { UpstreamLink } from '../../src/session/dial.ts';
import { logIn } from '../../src/session/upstream.ts';
import {
  authentication,
  authenticationCleartextPassword,
  authenticationMd5Password,
  authenticationOk,
  authenticationSasl,
  backendKeyData,
  decodeMessages,
  errorResponse,
  noticeResponse,
  parameterStatus,
  readyForQuery,
} from '../../test/support/messages.ts';
import { Draws, pieces } from '../draws.ts';
import { promise, type Target } from '../target.ts';

const DEMANDS: readonly UpstreamDemand[] = ['none', 'password', 'md5', 'scram-sha-256'];
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
    ],
    dictionary: [
      authenticationOk(),
      authenticationCleartextPassword(),
      authenticationMd5Password(),
      ...SCRAM,
      ...GREETING,
      errorResponse({ C: '28000' }),
      noticeResponse({}),
    ],
    run: async (input) => {
      const draws = new Draws(input);
      const demand = draws.pick(DEMANDS);
      const pattern = draws.take(3);
      const said = draws.rest();
      const { sent, authenticated, rest } = await loggedIn(said, pattern, demand);
      const relayed = Buffer.concat(sent);
      promise(
        said.subarray(0, relayed.length).equals(relayed),
        'what the client gets is what the upstream sent',
      );
      const messages = decodeMessages(relayed);
      promise(messages.length === sent.length, 'the client gets whole messages');
      const admission = messages.findIndex(({ type, body }) => type === 'R' && body.readInt32BE(0) === 0);
      promise(authenticated === (admission === -1 ? 0 : 1), 'AuthenticationOk counts once');
      if (admission !== -1) {
        const proof = messages.slice(0, admission).filter(({ type }) => type === 'R');
        promise(
          satisfies(
            proof.map(({ body }) => body),
            demand,
          ),
          `let in by less than ${demand}`,
        );
      }
      if (rest === null) return;
      promise(
        admission !== -1 && messages.at(-1)?.type === 'Z',
        'a login ends with ReadyForQuery behind AuthenticationOk',
      );
      // What lies in later pieces stays with the kernel; what came with the end belongs to the client.
      promise(
        said.subarray(relayed.length, relayed.length + rest.length).equals(rest),
        'nothing is lost behind it',
      );
    },
  };
}

/** The strength of what was asked last, told anew: at least what the rule demands. */
function satisfies(requests: readonly Buffer[], demand: UpstreamDemand): boolean {
  if (demand === 'none') return true;
  const asked = requests.findLast((body) => code(body) !== 11 && code(body) !== 12);
  if (asked === undefined) return false;
  const isScram =
    code(asked) === 10 &&
    asked.includes('SCRAM-SHA-256') &&
    requests.slice(requests.indexOf(asked)).some((body) => code(body) === 12);
  if (demand === 'scram-sha-256') return isScram;
  return isScram || code(asked) === 5 || (demand === 'password' && code(asked) === 3);
}

interface Outcome {
  readonly sent: readonly Buffer[];
  readonly authenticated: number;
  /** What came behind ReadyForQuery; null when the login failed. */
  readonly rest: Buffer | null;
}

async function loggedIn(said: Buffer, pattern: Uint8Array, demand: UpstreamDemand): Promise<Outcome> {
  const sent: Buffer[] = [];
  let authenticated = 0;
  const socket = new Duplex({
    read: () => {},
    write: (_chunk, _encoding, done) => done(),
    autoDestroy: false,
  });
  const link: UpstreamLink = {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the login uses nothing that a Duplex has not
    socket: socket as unknown as Socket,
    knowsReset: true,
    receive: () => false,
    answered: () => {},
  };
  const login = logIn(link, {
    startup: Buffer.from('startup'),
    demand,
    user: 'alice',
    signal: new AbortController().signal,
    send: (message) => void sent.push(message),
    onAuthenticated: () => void authenticated++,
  });
  // One slab for all that arrives, as in the product: who keeps a part of it without a copy will see it change.
  const slab = Buffer.alloc(256);
  for (const piece of pieces(said, pattern).flatMap((large) => pieces(large, Buffer.from([255])))) {
    slab.fill(0xee);
    piece.copy(slab);
    if (!link.receive(piece.length, slab)) break;
  }
  slab.fill(0xee);
  socket.emit('end');
  try {
    const { rest } = await login;
    return { sent, authenticated, rest };
  } catch (error) {
    if (error instanceof GatehouseError) return { sent, authenticated, rest: null };
    throw error;
  }
}

/** What an upstream says, uncut, where the rule demands this. */
function seed(demand: UpstreamDemand, ...messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from([DEMANDS.indexOf(demand), 0, 0, 0]), ...messages]);
}

/** The kind of an Authentication message. */
function code(body: Buffer): number {
  return body.readInt32BE(0);
}
