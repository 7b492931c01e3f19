// `pg-gatehouse secret USER`: one line for auth_file (contract §1). The password is read from the terminal, twice and
// without echo, or as one line of standard input; it is never an argument, which every user of the machine could read.

import { Option, type Command } from 'commander';
import { md5Hash } from '../auth/md5.ts';
import { makeScramSecret } from '../auth/scram-keys.ts';
import { formatScramSecret, MAX_STORED_ITERATIONS, parseSecret } from '../auth/secret.ts';
import { userlistLine } from '../auth/userlist.ts';
import { fromBytes, fromText, MAX_NAME_BYTES, toBytes, type ByteString } from '../base/bytestring.ts';
import { action, CommandError, exitStatus, UsageError } from './action.ts';
import { output } from './output.ts';

interface SecretOptions {
  readonly scram?: true;
  readonly md5?: true;
  readonly plain?: true;
  readonly iterations?: string;
}

/** PostgreSQL's default for scram_iterations. */
const DEFAULT_ITERATIONS = 4_096;

/** Longest password that is read. */
const MAX_PASSWORD_BYTES = 65_530;

/** Adds the `secret` command to the program. */
export function registerSecret(program: Command): void {
  program
    .command('secret')
    .description(
      'read a password and print the line of auth_file for a user; SCRAM-SHA-256 unless told otherwise',
    )
    .argument('<user>', 'the database user')
    .addOption(new Option('--scram', 'a SCRAM-SHA-256 secret').conflicts(['md5', 'plain']))
    .addOption(
      new Option('--md5', 'an MD5 hash, for upstream servers that know no SCRAM').conflicts([
        'scram',
        'plain',
      ]),
    )
    .addOption(
      new Option('--plain', 'the password itself: it fits every upstream server').conflicts(['scram', 'md5']),
    )
    .option('--iterations <number>', `the iterations of SCRAM-SHA-256 (default ${DEFAULT_ITERATIONS})`)
    .action(action(printSecret));
}

async function printSecret(user: string, options: SecretOptions): Promise<number> {
  const name = fromText(user);
  if (name === '' || name.length > MAX_NAME_BYTES)
    throw new UsageError(`a user name has 1 to ${MAX_NAME_BYTES} bytes`);
  const iterations = iterationsOf(options);
  const password = await readPassword(user);
  if (password === '') throw new CommandError('the password is empty');
  if (password.length > MAX_PASSWORD_BYTES)
    throw new CommandError(`the password is longer than ${MAX_PASSWORD_BYTES} bytes`);
  // No client can send such a password, and no auth_file may hold one.
  if (password.includes('\0')) throw new CommandError('the password contains a NUL byte');
  output(toBytes(`${userlistLine(name, await secretOf(name, password, iterations, options))}\n`));
  return exitStatus.fine;
}

function iterationsOf({ iterations, md5, plain }: SecretOptions): number {
  if (iterations === undefined) return DEFAULT_ITERATIONS;
  if (md5 === true || plain === true) throw new UsageError('--iterations is for SCRAM only');
  const number = /^\d{1,10}$/.test(iterations) ? Number(iterations) : 0;
  // A secret of more would be read from auth_file as a plain password, and nobody could log in with it.
  if (number < 1 || number > MAX_STORED_ITERATIONS)
    throw new UsageError(
      `--iterations takes a number from 1 to ${MAX_STORED_ITERATIONS}, not "${iterations}"`,
    );
  return number;
}

async function secretOf(
  user: ByteString,
  password: ByteString,
  iterations: number,
  { md5, plain }: SecretOptions,
): Promise<ByteString> {
  if (md5 === true) return md5Hash(user, password);
  if (plain !== true) return formatScramSecret(await makeScramSecret(password, iterations));
  // It would be read as a hash, and then nobody could log in with it.
  if (parseSecret(password).kind !== 'plain')
    throw new CommandError('the password has the form of a hash: it cannot be written plainly');
  return password;
}

/** As the bytes that were typed: a password need not be UTF-8, and then counts as it is (login.md §6). */
async function readPassword(user: string): Promise<ByteString> {
  const { stdin } = process;
  if (!stdin.isTTY) return await readLine();
  const password = await ask(`Password for ${user}: `);
  const again = await ask('Again: ');
  if (password !== again) throw new CommandError('the two passwords are not the same');
  return password;
}

/** The first line of standard input, without its end. */
async function readLine(): Promise<ByteString> {
  const input: AsyncIterable<Buffer> = process.stdin;
  let text = '';
  for await (const chunk of input) {
    text += fromBytes(chunk);
    if (text.includes('\n') || text.length > MAX_PASSWORD_BYTES) break;
  }
  const [line = ''] = text.split('\n', 1);
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

/** SECURITY: nothing of the answer is shown; the question goes to stderr, so that stdout can be added to a file. */
async function ask(question: string): Promise<ByteString> {
  const { stdin, stderr } = process;
  // Before the question: an answer that comes at once must not be echoed.
  stdin.setRawMode(true).resume();
  stderr.write(question);
  try {
    return await typed(stdin);
  } finally {
    stdin.setRawMode(false).pause();
    stderr.write('\n');
  }
}

/** A character of UTF-8 that has several bytes, or any byte. */
const LAST_CHARACTER = /(?:[\xc2-\xf4][\x80-\xbf]{1,3}|[^])$/;

async function typed(stdin: NodeJS.ReadStream): Promise<ByteString> {
  const { promise, resolve, reject } = Promise.withResolvers<ByteString>();
  let text = '';
  const onData = (chunk: Buffer): void => {
    for (const character of fromBytes(chunk)) {
      if (character === '\r' || character === '\n') resolve(text);
      else if (character === '\x03' || character === '\x04')
        reject(new CommandError('no password was given'));
      else if (character === '\x7f' || character === '\b') text = text.replace(LAST_CHARACTER, '');
      else text += character;
    }
  };
  const onEnd = (): void => reject(new CommandError('no password was given'));
  stdin.on('data', onData).once('end', onEnd);
  try {
    return await promise;
  } finally {
    stdin.off('data', onData).off('end', onEnd);
  }
}
