// The readers of auth_file and of a client's SCRAM messages: any bytes give users and problems, or an exchange that is
// refused in PostgreSQL's words. No input proves a password that it does not contain.

import { SCRAM, ScramServer } from '../../src/auth/scram-server.ts';
import { ScramClient } from '../../src/auth/scram-client.ts';
import { formatScramSecret, parseSecret, type ScramSecret } from '../../src/auth/secret.ts';
import { parseUserlist, userlistLine } from '../../src/auth/userlist.ts';
import { fromBytes } from '../../src/base/bytestring.ts';
import { GatehouseError } from '../../src/base/errors.ts';
import { invariant, type Target } from '../target.ts';

const SECRET: ScramSecret = {
  iterations: 4_096,
  salt: Buffer.alloc(16, 1),
  storedKey: Buffer.alloc(32, 2),
  serverKey: Buffer.alloc(32, 3),
};

/** The file of secrets. */
export function userlistTarget(): Target {
  return {
    maxLength: 4_096,
    limitMs: 200,
    seeds: [
      '"alice" "secret"\n; comment\n"bob" "md50123456789abcdef0123456789abcdef" more\n',
      `"d""q" "${formatScramSecret(SECRET)}"\n\n"two" "li\nnes"\n"empty" ""`,
    ].map((text) => Buffer.from(text)),
    dictionary: ['"', '""', ';', '\n', ' ', 'md5', 'SCRAM-SHA-256$'],
    run: (input) => {
      const { secrets, problems, warnings } = parseUserlist(fromBytes(input), '/f');
      const lines = fromBytes(input).split('\n').length;
      for (const { line } of [...problems, ...warnings]) {
        invariant(line !== null && line >= 1 && line <= lines, 'each problem has a line of the file');
      }
      for (const [user, secret] of secrets) {
        invariant(user !== '' && user.length <= 63, 'names are those of a role');
        if (secret.kind !== 'plain') continue;
        const again = parseUserlist(userlistLine(user, secret.password), '/f').secrets.get(user);
        invariant(
          again?.kind === 'plain' && again.password === secret.password,
          'what is written reads back',
        );
      }
    },
  };
}

/** Both sides of SCRAM: each message is what the other side sends. */
export function scramTarget(): Target {
  const first = 'n,,n=,r=abc';
  const final = `c=biws,r=abcserver,p=${Buffer.alloc(32).toString('base64')}`;
  return {
    maxLength: 1_024,
    limitMs: 100,
    seeds: [
      [0, first, final],
      [1, 'p=tls-server-end-point,,n=,r=abc', final],
      [0, 'y,,n=x,r=abc,x=1', `c=eSws,r=abcserver,x=1,p=AAAA`],
      [2, 'r=clientserver,s=AAAA,i=4096', 'v=AAAA'],
    ].map(([kind, ...messages]) => Buffer.from(`${String.fromCharCode(Number(kind))}${messages.join('\n')}`)),
    dictionary: ['n,,', 'y,,', 'p=', 'c=biws', 'r=', 's=', 'i=', 'v=', 'm=', 'a=', ',', '='],
    run: (input) => {
      const [one = '', two = ''] = fromBytes(input.subarray(1)).split('\n');
      try {
        if (input[0] === 2) upstream(one, two);
        else client(one, two, input[0] === 1);
      } catch (error) {
        if (!(error instanceof GatehouseError)) throw error;
        invariant((error.reply ?? '').length < 300, 'no reply grows with the message');
      }
      parseSecret(one);
    },
  };
}

function client(first: string, final: string, binds: boolean): void {
  const channel = { isTls: binds, endPoint: binds ? Buffer.alloc(32, 4) : null };
  const server = new ScramServer(SECRET, channel, { doomed: false, serverNonce: 'server' });
  server.select(binds ? `${SCRAM}-PLUS` : SCRAM);
  server.first(first);
  invariant(server.final(final).kind === 'wrong', 'nobody can prove a key that nobody knows');
}

function upstream(first: string, final: string): void {
  const exchange = new ScramClient('client');
  exchange.first();
  const { salt, iterations } = exchange.challenge(first);
  invariant(iterations >= 1 && iterations <= 100_000, 'iterations are bounded');
  invariant(salt.length > 0 && salt.length <= 512, 'salts are bounded');
  exchange.proof({ clientKey: Buffer.alloc(32, 5), serverKey: Buffer.alloc(32, 6) });
  let isTrusted = true;
  try {
    exchange.verify(final);
  } catch (error) {
    if (!(error instanceof GatehouseError)) throw error;
    isTrusted = false;
  }
  invariant(!isTrusted, 'no upstream can prove a key that nobody knows');
}
