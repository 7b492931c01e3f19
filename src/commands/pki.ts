// `pg-gatehouse pki`: a small certificate authority for development and tests (contract §1).

import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { inDays } from '../pki/authority.ts';
import type { AltName, KeyType } from '../pki/authority.ts';
import { FolderError, PkiFolder } from '../pki/folder.ts';
import { action, CommandError, exitStatus, UsageError } from './action.ts';
import { output } from './output.ts';

interface FolderOptions {
  readonly dir: string;
}

interface IssueOptions extends FolderOptions {
  readonly days: number;
  readonly force: boolean;
}

interface LeafOptions extends IssueOptions {
  readonly keyType: KeyType;
}

interface ServerOptions extends LeafOptions {
  readonly host: readonly string[];
}

interface ClientOptions extends LeafOptions {
  readonly uri: readonly string[];
  readonly dns: readonly string[];
  readonly email: readonly string[];
}

/** Adds the `pki` command and its subcommands to the program. */
export function registerPki(program: Command): void {
  const pki = program
    .command('pki')
    .description(
      'a small CA for development and tests: certificates, keys and a CRL, with the permissions PostgreSQL demands',
    );

  withFolder(pki.command('init'))
    .description('make a new CA: ca.crt, ca.key and an empty ca.crl')
    .option('--name <name>', 'common name of the CA', 'pg-gatehouse development CA')
    .option('--days <days>', 'how long the CA is valid', days, 3650)
    .option('--force', 'replace a CA that is there; what it issued is then worthless', false)
    .action(action(init));

  withLeaf(pki.command('server'))
    .description('issue server.crt and server.key')
    .option(
      '--host <host>',
      'name or address of the server; repeatable (default: localhost, 127.0.0.1, ::1)',
      collect(host),
      [],
    )
    .action(action(server));

  withLeaf(pki.command('client'))
    .description('issue NAME.crt and NAME.key, whose common name is NAME')
    .argument('<name>', 'the database user', clientName)
    .option(
      '--uri <uri>',
      'alternative name for clientname=URI, such as a SPIFFE ID; repeatable',
      collect(ascii),
      [],
    )
    .option('--dns <name>', 'alternative name for clientname=DNS; repeatable', collect(ascii), [])
    .option('--email <address>', 'alternative name for clientname=EMAIL; repeatable', collect(ascii), [])
    .action(action(client));

  withFolder(pki.command('revoke'))
    .description('add to ca.crl all certificates that were issued for NAME, or the one of a serial number')
    .argument('[name]', 'as given to "pki client", or "server"', fileName)
    .option(
      '--serial <number>',
      'this certificate only: decimal, as in the log, or 0x and hexadecimal',
      serial,
    )
    .action(action(revoke));
}

function withFolder(command: Command): Command {
  return command.option('--dir <directory>', 'where the files are', 'pki');
}

function withLeaf(command: Command): Command {
  return withFolder(command)
    .option('--days <days>', 'how long the certificate is valid', days, 365)
    .addOption(
      new Option('--key-type <type>', 'type of the key').choices(['ec', 'rsa', 'ed25519']).default('ec'),
    )
    .option('--force', 'replace files that are there', false);
}

async function init(options: IssueOptions & { readonly name: string }): Promise<number> {
  const folder = folderOf(options);
  await saying(folder.create({ subject: options.name, notAfter: inDays(options.days) }, options));
  const files = folder.authorityFiles;
  print(`ssl_ca_file: ${files.certificate}`, `ssl_crl_file: ${files.crl}`);
  return exitStatus.fine;
}

const LOCAL_HOSTS = ['localhost', '127.0.0.1', '::1'];

async function server(options: ServerOptions): Promise<number> {
  const hosts = options.host.length === 0 ? LOCAL_HOSTS : options.host;
  const request = {
    subject: hosts[0] ?? '',
    altNames: hosts.map((value): AltName => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
    purposes: ['serverAuth'] as const,
    keyType: options.keyType,
    notAfter: inDays(options.days),
  };
  const files = await saying(folderOf(options).issue('server', request, options));
  print(`ssl_cert_file: ${files.certificate}`, `ssl_key_file: ${files.key}`);
  return exitStatus.fine;
}

async function client(name: string, options: ClientOptions): Promise<number> {
  const altNames = (['uri', 'dns', 'email'] as const).flatMap((type) =>
    options[type].map((value): AltName => ({ type, value })),
  );
  const folder = folderOf(options);
  const request = {
    subject: name,
    altNames,
    purposes: ['clientAuth'] as const,
    keyType: options.keyType,
    notAfter: inDays(options.days),
  };
  const files = await saying(folder.issue(name, request, options));
  print(
    `sslrootcert=${folder.authorityFiles.certificate}`,
    `sslcert=${files.certificate}`,
    `sslkey=${files.key}`,
  );
  return exitStatus.fine;
}

async function revoke(
  name: string | undefined,
  options: FolderOptions & { readonly serial?: bigint },
): Promise<number> {
  const folder = folderOf(options);
  const { serial: number } = options;
  if ((name === undefined) === (number === undefined)) throw new UsageError('give either a name or --serial');
  const which = number === undefined ? { name: name ?? '' } : { serial: number };
  const what = name ?? `certificate ${number}`;
  const added = await saying(folder.revoke(which));
  const several = added > 1 ? `: ${added} certificates` : '';
  print(
    added > 0 ? `${what} is revoked${several}` : `${what} was revoked before`,
    `ssl_crl_file: ${folder.authorityFiles.crl}`,
  );
  return exitStatus.fine;
}

function folderOf({ dir }: FolderOptions): PkiFolder {
  return new PkiFolder(resolve(dir));
}

/** The folder's objections are the command's. */
async function saying<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof FolderError ? new CommandError(error.message) : error;
  }
}

function print(...lines: readonly string[]): void {
  output(`${lines.join('\n')}\n`);
}

/** For an option that may be given more than once. */
function collect(
  parse: (value: string) => string,
): (value: string, before: readonly string[]) => readonly string[] {
  return (value, before) => [...before, parse(value)];
}

function serial(value: string): bigint {
  const digits = value.replaceAll(':', '');
  if (!/^(?:\d{1,50}|0x[0-9a-f]{1,40})$/i.test(digits))
    throw new InvalidArgumentError('It must be a decimal number, or 0x and hexadecimal digits.');
  return BigInt(digits);
}

/** A hundred years. */
const MAX_DAYS = 36_500;

function days(value: string): number {
  const number = /^\d+$/.test(value) ? Number(value) : 0;
  if (number < 1 || number > MAX_DAYS)
    throw new InvalidArgumentError(`It must be a number from 1 to ${MAX_DAYS}.`);
  return number;
}

function host(value: string): string {
  const isName = /^[A-Za-z0-9_*]([A-Za-z0-9_.-]{0,252})$/.test(value);
  if (isIP(value) === 0 && !isName)
    throw new InvalidArgumentError('It must be a host name or a numeric address.');
  return value;
}

/** What an alternative name can hold: IA5String, and nothing invisible. */
function ascii(value: string): string {
  if (!/^[\x21-\x7e]+$/.test(value))
    throw new InvalidArgumentError('It must be printable ASCII without blanks.');
  return value;
}

/** An X.509 common name has at most 64 characters, a PostgreSQL user at most 63 bytes. */
const MAX_NAME_BYTES = 63;

/** SECURITY: the name becomes a file's, and must not leave the folder. */
function fileName(value: string): string {
  const sound =
    /^[^./\\-]/.test(value) && !/[/\\\p{Cc}]/u.test(value) && Buffer.byteLength(value) <= MAX_NAME_BYTES;
  if (!sound) {
    throw new InvalidArgumentError(
      'It must have 1 to 63 bytes, no slash or control character, and begin with neither dot nor dash.',
    );
  }
  return value;
}

function clientName(value: string): string {
  if (['ca', 'server'].includes(value.toLowerCase()))
    throw new InvalidArgumentError(`The files of "${value}" have another use.`);
  return fileName(value);
}
