// Rule files in memory and the facts of connections, for tests of the rules; and the reader of the expectation
// tables in test/fixtures/rules, whose form is described there in README.md.

import type { CertificateNames } from '../../../src/x509/types.ts';
import { posix } from 'node:path';
import { fromText } from '../../../src/base/bytestring.ts';
import type { ByteString } from '../../../src/base/bytestring.ts';
import { LoadError } from '../../../src/base/problems.ts';
import type { Problem } from '../../../src/base/problems.ts';
import { clientAddress } from '../../../src/rules/address.ts';
import { loadHba } from '../../../src/rules/hba.ts';
import { loadIdent } from '../../../src/rules/ident.ts';
import type {
  Facts,
  FileSystem,
  HostName,
  InterfaceAddress,
  Roles,
  RuleBook,
} from '../../../src/rules/types.ts';

/** Where the rule files of memoryFiles() stand. */
export const HBA_FILE = '/etc/gate/pg_hba.conf';
export const IDENT_FILE = '/etc/gate/pg_ident.conf';

/** A file system of these files (absolute paths; contents as text), and of the directories above them. */
export function memoryFiles(files: Readonly<Record<string, string>>): FileSystem {
  const paths = Object.keys(files);
  return {
    readFile(path) {
      const content = files[path];
      if (content !== undefined) return fromText(content);
      throw systemError(paths.some((other) => other.startsWith(`${path}/`)) ? 'EISDIR' : 'ENOENT');
    },
    listFiles(path) {
      const inside = paths.filter((other) => other.startsWith(`${path}/`));
      if (inside.length === 0) throw systemError('ENOENT');
      return inside.map((other) => other.slice(path.length + 1)).filter((name) => !name.includes('/'));
    },
    resolve: (fromFile, relative) => posix.resolve(posix.dirname(fromFile), relative),
  };
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

export interface BookOptions {
  readonly ident?: string;
  readonly roles?: Readonly<Record<string, readonly string[]>>;
  /** Further files by absolute path. */
  readonly files?: Readonly<Record<string, string>>;
  readonly ssl?: boolean;
}

/** Loads rules from texts. @throws LoadError */
export function bookOf(hba: string, options: BookOptions = {}): RuleBook {
  const fs = memoryFiles({ [HBA_FILE]: hba, [IDENT_FILE]: options.ident ?? '', ...options.files });
  const roles = rolesOf(options.roles ?? {});
  return {
    hba: loadHba(HBA_FILE, fs, { ssl: options.ssl ?? true, roles }),
    ident: loadIdent(IDENT_FILE, fs, roles),
    roles,
  };
}

export function rolesOf(roles: Readonly<Record<string, readonly string[]>>): Roles {
  return new Map(Object.entries(roles).map(([role, members]) => [fromText(role), members.map(fromText)]));
}

/** The problems with which a load is refused; none when it is not. */
export function problemsOf(load: () => unknown): readonly Problem[] {
  try {
    load();
    return [];
  } catch (error) {
    if (error instanceof LoadError) return error.problems;
    throw error;
  }
}

export interface Connection {
  readonly user?: ByteString;
  readonly database?: ByteString;
  readonly address?: string;
  readonly tls?: boolean;
  readonly replication?: Facts['replication'];
  readonly certificate?: Partial<CertificateNames> | null;
  readonly hostName?: HostName;
  readonly interfaces?: readonly InterfaceAddress[];
  readonly hasRootCertificates?: boolean;
}

/** Facts of a connection; what is not said is alice's to database app, in clear from 10.0.0.1. */
export function factsOf(connection: Connection = {}): Facts {
  const client = clientAddress(connection.address ?? '10.0.0.1');
  if (client === null) throw new Error(`no numeric address: ${connection.address}`);
  const { certificate = null, replication = 'none' } = connection;
  return {
    user: connection.user ?? 'alice',
    database: replication === 'physical' ? '' : (connection.database ?? 'app'),
    replication,
    tls: connection.tls ?? certificate !== null,
    address: client.address,
    addressText: client.text,
    hostName: connection.hostName ?? { state: 'unknown' },
    interfaces: () => connection.interfaces ?? [],
    certificate:
      certificate === null ? null : { cn: null, dn: null, uri: [], dns: [], email: [], ...certificate },
    hasRootCertificates: connection.hasRootCertificates ?? true,
  };
}

/** One line of an expectation table. */
export interface Expectation {
  readonly line: number;
  readonly connection: Connection;
  /** `12 admit`, `12 refuse client-cert-required` or `no entry`. */
  readonly verdict: string;
  /** What the client is told; null where the table does not say. */
  readonly message: string | null;
}

export interface ExpectationTable {
  readonly roles: Readonly<Record<string, readonly string[]>>;
  readonly expectations: readonly Expectation[];
}

/** Reads a `.expect` file. @throws Error that names the line which is not understood. */
export function parseExpectations(text: string): ExpectationTable {
  const roles: Record<string, string[]> = {};
  const expectations: Expectation[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const role = /^role (\S+):(.*)$/.exec(line);
    if (role !== null) {
      roles[role[1]!] = words(role[2]!.replaceAll(',', ' '));
      continue;
    }
    const arrow = line.indexOf(' => ');
    if (arrow === -1) throw new Error(`line ${index + 1} expects nothing: ${line}`);
    const [verdict, message] = line.slice(arrow + 4).split(' : ', 2);
    expectations.push({
      line: index + 1,
      connection: parseConnection(words(line.slice(0, arrow))),
      verdict: verdict!.trim(),
      message: message?.trim() ?? null,
    });
  }
  return { roles, expectations };
}

/** `user database address tls|plain`, then attributes. */
function parseConnection([user, database, address, channel, ...attributes]: string[]): Connection {
  if (channel !== 'tls' && channel !== 'plain') throw new Error(`neither tls nor plain: ${channel}`);
  const names: Record<string, string[]> = {};
  const replication = attributes.filter((attribute) => attribute.startsWith('replication='));
  for (const attribute of attributes.filter((other) => !replication.includes(other))) {
    const equals = attribute.indexOf('=');
    (names[attribute.slice(0, equals)] ??= []).push(attribute.slice(equals + 1));
  }
  const { cn, dn, uri = [], dns = [], email = [], ...unknown } = names;
  if (Object.keys(unknown).length > 0)
    throw new Error(`unknown attribute: ${Object.keys(unknown).join(' ')}`);
  return {
    user: user!,
    database: database!,
    address: address!,
    tls: channel === 'tls',
    replication: replication[0] === undefined ? 'none' : parseReplication(replication[0]),
    certificate:
      Object.keys(names).length === 0 ? null : { cn: cn?.[0] ?? null, dn: dn?.[0] ?? null, uri, dns, email },
  };
}

function parseReplication(attribute: string): Facts['replication'] {
  const value = attribute.slice('replication='.length);
  if (value !== 'physical' && value !== 'database') throw new Error(`unknown replication: ${value}`);
  return value;
}

/** Words between blanks as byte strings; `"a b"` is one word, wherever the quotes stand, `""` in it one quote. */
function words(text: string): ByteString[] {
  return (text.match(/(?:"(?:[^"]|"")*"|[^\s"])+/g) ?? []).map((word) =>
    fromText(word.replaceAll(/"((?:[^"]|"")*)"/g, (_, inner: string) => inner.replaceAll('""', '"'))),
  );
}
