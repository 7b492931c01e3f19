// The StartupMessage: every body is a request or an error of PostgreSQL's, and what goes to the upstream says the same
// as what came.

import { GatehouseError } from '../../src/base/errors.ts';
import {
  encodeStartupMessage,
  MAX_STARTUP_PACKET_LENGTH,
  type StartupRequest,
} from '../../src/protocol/startup-message.ts';
import { acceptStartup } from '../../src/session/startup.ts';
import {
  decodeMessages,
  decodeNegotiateProtocolVersion,
  startupMessage,
  type Parameters,
} from '../../test/support/peers/messages.ts';
import { promise, type Target } from '../target.ts';

const VERSION_BYTES = 4;
const LENGTH_BYTES = 4;

export function startupTarget(): Target {
  const seed = (parameters: Parameters, version?: number): Buffer =>
    startupMessage(parameters, version).subarray(LENGTH_BYTES);
  return {
    maxLength: MAX_STARTUP_PACKET_LENGTH - LENGTH_BYTES,
    limitMs: 200,
    seeds: [
      seed({ user: 'alice', database: 'app', application_name: 'psql', client_encoding: 'UTF8' }),
      seed({ user: 'alice' }, (3 << 16) | 2),
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
      promise(request.user.length >= 1 && request.user.length <= 63, 'a user name of 1 to 63 bytes');
      promise(request.database.length <= 63, 'a database name of 63 bytes at most');
      promise(
        (request.database === '') === (request.replication === 'physical'),
        'no database: a physical standby',
      );
      checkNegotiation(request, Buffer.concat(sent));
      checkForwarded(request);
    },
  };
}

function checkNegotiation(request: StartupRequest, sent: Buffer): void {
  const isNegotiated = request.minorVersion > 2 || request.protocolOptions.length > 0;
  if (!isNegotiated)
    return promise(sent.length === 0, 'nothing is sent to a client that asks for nothing new');
  const [message, ...more] = decodeMessages(sent);
  promise(message !== undefined && more.length === 0, 'one NegotiateProtocolVersion');
  const { newest, options } = decodeNegotiateProtocolVersion(message);
  promise(
    newest === ((3 << 16) | Math.min(request.minorVersion, 2)) &&
      options.length === request.protocolOptions.length,
    'it names the version asked for, at most 3.2, and every option',
  );
}

function checkForwarded(request: StartupRequest): void {
  const packet = encodeStartupMessage(request);
  promise(
    packet.length <= MAX_STARTUP_PACKET_LENGTH,
    'the upstream takes no longer packet than the client may send',
  );
  promise(packet.readInt32BE(0) === packet.length, "the packet's length is its length");
  const again = acceptStartup(packet.readInt32BE(4), packet.subarray(8), () =>
    promise(false, 'the upstream is asked for 3.0 and for no option'),
  );
  for (const key of ['user', 'database', 'replication', 'applicationName'] as const) {
    promise(again[key] === request[key], `the upstream reads the same ${key}`);
  }
  for (const name of ['user', 'database']) {
    promise(
      (again.parameters.get(name)?.length ?? 0) <= 63,
      `the upstream gets a ${name} of 63 bytes at most`,
    );
  }
  for (const [name, value] of request.parameters) {
    // The names that were judged are compared above; a standby's database is judged by nobody.
    if (name === 'user' || name === 'database') continue;
    promise(again.parameters.get(name) === value, 'the upstream reads the same parameters');
  }
}
