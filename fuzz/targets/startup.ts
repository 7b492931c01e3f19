// The StartupMessage: every body is a request or an error of PostgreSQL's, and what goes to the upstream says the same
// as what came. With a prefix for the gate's own settings, nothing of the client's is set under it, by any server's
// reading, and all else is.

import { GatehouseError } from '../../src/base/errors.ts';
import {
  encodeStartupMessage,
  MAX_STARTUP_PACKET_LENGTH,
  type StartupRequest,
} from '../../src/protocol/startup-message.ts';
import type { Settings } from '../../src/config/schema.ts';
import { upstreamStartup, type UpstreamStartup } from '../../src/session/identity.ts';
import { acceptStartup } from '../../src/session/startup.ts';
import {
  decodeMessages,
  decodeNegotiateProtocolVersion,
  startupMessage,
  type Parameters,
} from '../../test/support/peers/messages.ts';
import { invariant, type Target } from '../target.ts';

const VERSION_BYTES = 4;
const LENGTH_BYTES = 4;
const PREFIX = 'g_h';
const OPTIONS = [
  '-c g_h.x=1 -c a.b=2',
  '--g-h.x=1 --a-b=g_h.x',
  '-ecG_H.x=1 -S 4\\ 5 -e- g\\_h.x=1',
  '-c a=b\\ -c g_h.x=1',
];

export function startupTarget(): Target {
  const seed = (parameters: Parameters, version?: number): Buffer =>
    startupMessage(parameters, version).subarray(LENGTH_BYTES);
  return {
    maxLength: MAX_STARTUP_PACKET_LENGTH - LENGTH_BYTES,
    limitMs: 200,
    seeds: [
      seed({ user: 'alice', database: 'app', application_name: 'psql', client_encoding: 'UTF8' }),
      seed({ user: 'alice' }, (3 << 16) | 2),
      ...OPTIONS.map((options) => seed({ user: 'alice', options })),
      seed({ user: 'alice', 'G_H.X': '1', application_name: 'g_h.x' }),
      seed({ user: 'alice', '_pq_.cursor': '1', options: '-c geqo=off' }, (3 << 16) | 9999),
      seed([
        ['user', 'alice'],
        ['user', 'bob'],
        ['replication', 'database'],
      ]),
      seed({ user: 'standby', replication: 'true' }),
      seed({ user: 'a'.repeat(9_980) }),
      seed({ user: 'alice' }, 2 << 16),
      seed({}),
    ],
    dictionary: [
      'user\0',
      'database\0',
      'replication\0',
      '_pq_.',
      '\0',
      'true\0',
      'OFF\0',
      'database\0database\0',
      'options\0',
      '-c g_h.x=1 ',
      '--G-H.x=',
      '-ec',
      '\\',
      '\\ ',
      ' -',
      '-S',
      'g_h.',
    ],
    run: (input) => {
      if (input.length < VERSION_BYTES) return;
      const code = input.readInt32BE(0);
      const sent: Buffer[] = [];
      let request: StartupRequest;
      try {
        request = acceptStartup(code, input.subarray(VERSION_BYTES), (bytes) => void sent.push(bytes));
      } catch (error) {
        if (error instanceof GatehouseError) return;
        throw error;
      }
      invariant(request.user.length >= 1 && request.user.length <= 63, 'a user name of 1 to 63 bytes');
      invariant(request.database.length <= 63, 'a database name of 63 bytes at most');
      invariant(
        (request.database === '') === (request.replication === 'physical'),
        'no database: a physical standby',
      );
      checkNegotiation(request, Buffer.concat(sent));
      checkForwarded(request);
      checkFiltered(request);
    },
  };
}

function checkNegotiation(request: StartupRequest, sent: Buffer): void {
  const isNegotiated = request.minorVersion > 2 || request.protocolOptions.length > 0;
  if (!isNegotiated)
    return invariant(sent.length === 0, 'nothing is sent to a client that asks for nothing new');
  const [message, ...more] = decodeMessages(sent);
  invariant(message !== undefined && more.length === 0, 'one NegotiateProtocolVersion');
  const { newest, options } = decodeNegotiateProtocolVersion(message);
  invariant(
    newest === ((3 << 16) | Math.min(request.minorVersion, 2)) &&
      options.length === request.protocolOptions.length,
    'it names the version asked for, at most 3.2, and every option',
  );
}

function checkForwarded(request: StartupRequest): void {
  const packet = encodeStartupMessage(request);
  invariant(
    packet.length <= MAX_STARTUP_PACKET_LENGTH,
    'the upstream takes no longer packet than the client may send',
  );
  invariant(packet.readInt32BE(0) === packet.length, "the packet's length is its length");
  const again = acceptStartup(packet.readInt32BE(4), packet.subarray(8), () =>
    invariant(false, 'the upstream is asked for 3.0 and for no option'),
  );
  for (const key of ['user', 'database', 'replication', 'applicationName'] as const) {
    invariant(again[key] === request[key], `the upstream reads the same ${key}`);
  }
  for (const name of ['user', 'database']) {
    invariant(
      (again.parameters.get(name)?.length ?? 0) <= 63,
      `the upstream gets a ${name} of 63 bytes at most`,
    );
  }
  for (const [name, value] of request.parameters) {
    // The names that were judged are compared above; a standby's database is judged by nobody.
    if (name === 'user' || name === 'database') continue;
    invariant(again.parameters.get(name) === value, 'the upstream reads the same parameters');
  }
}

/** What the upstream gets with the gate's own settings, read by an independent reader. */
function checkFiltered(request: StartupRequest): void {
  const upstream = { identity_prefix: PREFIX, application_name_add_host: true };
  const rule = { file: '/pg_hba.conf', line: 1 };
  const client = { host: '::1', port: 5, dn: null, identity: null, rule };
  let sent: UpstreamStartup;
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it reads nothing else of the settings
    sent = upstreamStartup(request, { upstream } as unknown as Settings, client, true);
  } catch (error) {
    const isRefusal = error instanceof GatehouseError && error.code === 'identity-setting-unclear';
    invariant(isRefusal, 'refused where it cannot be told, and never in another way');
    const text = (request.parameters.get('options') ?? '').toLowerCase();
    return invariant(
      text.replaceAll('\\', '').replaceAll('-', '_').includes('g_h.'),
      'and not without a cause',
    );
  }
  invariant(sent.packet.length <= MAX_STARTUP_PACKET_LENGTH, 'no longer than the upstream takes');
  const { parameters } = acceptStartup(sent.packet.readInt32BE(4), sent.packet.subarray(8), () => undefined);
  const under = [...parameters.keys()].filter((name) => isOurs(name));
  invariant(
    under.every((name) => sent.added.includes(name)),
    () => `under the prefix: ${under.join()}`,
  );
  const [before, after] = [request.parameters.get('options') ?? '', parameters.get('options') ?? ''];
  for (const hasEscapes of [true, false]) {
    const names = settingsOf(after, hasEscapes);
    invariant(!names.some(isOurs), () => `${JSON.stringify(after)} still sets ${names.join()}`);
  }
  invariant(
    settingsOf(before, true)
      .filter((setting) => !isOurs(setting))
      .join('\0') === settingsOf(after, true).join('\0'),
    'the other settings stay',
  );
  const name = parameters.get('application_name') ?? '';
  const isLong = request.replication === 'physical' || sent.leftOut.includes('application_name');
  invariant(isLong || (name.length <= 63 && name.endsWith(' - [::1]:5')), () => `application_name ${name}`);
}

function isOurs(setting: string): boolean {
  return /^g[_-]h\./i.test(setting);
}

/** The settings, `name=value`, that a server takes from `options` before it finds fault. */
function settingsOf(options: string, hasEscapes: boolean): string[] {
  const words = hasEscapes
    ? [...options.matchAll(/(?:\\[^]|[^\s\\]|\\$)+/g)].map(([word]) => word.replaceAll(/\\([^]?)/g, '$1'))
    : options.split(/[ \t\n\v\f\r]+/).filter(Boolean);
  const settings: string[] = [];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    // glibc's getopt passes over a word that is not a switch and goes on with the next.
    if (!/^-./.test(word)) continue;
    if (word === '--') break;
    const [, letter = '', rest = ''] = /^-[beEFijlnOPsT]*([ABcCDdfhkNoprStvW-]?)([^]*)$/.exec(word)!;
    if (letter === '' && rest !== '') break;
    if (letter === '') continue;
    const argument = rest === '' ? words.shift() : rest;
    if (argument !== undefined && (letter === 'c' || letter === '-')) settings.push(argument);
  }
  return settings;
}
