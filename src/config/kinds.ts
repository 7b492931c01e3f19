// The kinds of settings there are: how each is read from what the operator wrote, with PostgreSQL's error texts,
// and how each describes itself to the documentation.

import { availableParallelism } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import { fromText, type ByteString } from '../base/bytestring.ts';
import { parseNetwork, type Network } from '../rules/address.ts';
import type { Roles } from '../rules/types.ts';
import {
  booleanSchema,
  durationSchema,
  listSchema,
  numberSchema,
  rolesSchema,
  textSchema,
  wordSchema,
  type JsonSchema,
} from './json-schema.ts';
import { isHost, MAX_SOCKET_PATH_BYTES, parseListenPlace } from './hosts.ts';
import { parseBoolean, parseInteger, type Unit } from './units.ts';
import type { Position, Written } from './yaml.ts';

/** Called with what is wrong; `at` where that is not the value's own place. */
export type Fail = (message: string, hint?: string, at?: Position) => void;

/** One setting: all that the loader, the documentation and the sample file know of it. */
export interface Setting<T> {
  /** What it takes, as docs/configuration.md says it. */
  readonly type: string;
  /** The default as YAML would write it. */
  readonly written: string;
  readonly initial: T;
  readonly doc: string;
  /** Whether a change needs a restart. */
  readonly restart: boolean;
  /** Whether its value is a map, which a text beside the YAML file is to write as YAML does. */
  readonly isMap: boolean;
  /** What an editor may know of its values. */
  readonly json: JsonSchema;
  /** Undefined after at least one `fail`. `name` is the setting's own, for messages. */
  readonly read: (value: Written, name: string, fail: Fail) => T | undefined;
  /** What a value means in a YAML file of this directory: a path becomes absolute, anything else stays. */
  inDirectory(value: T, directory: string): T;
}

/** What every setting says of itself. */
export interface Entry {
  /** As YAML would write it. */
  readonly default: string;
  /** One paragraph of Markdown. */
  readonly doc: string;
  readonly restart?: true;
}

type Read<T> = (text: string, name: string, fail: Fail) => T | undefined;

export function boolean(entry: Entry): Setting<boolean> {
  return scalar('boolean', { ...entry, json: booleanSchema }, (text, name, fail) => {
    const value = parseBoolean(text);
    if (value === null) return failed(fail, `parameter "${name}" requires a Boolean value`);
    return value;
  });
}

interface Range {
  readonly min: number;
  readonly max: number;
}

export function integer(entry: Entry & Range): Setting<number> {
  return scalar(
    `integer, ${entry.min} to ${entry.max}`,
    { ...entry, json: numberSchema(entry) },
    (text, name, fail) => readNumber(text, null, entry, name, fail),
  );
}

/** A duration kept to the setting's own unit, as PostgreSQL keeps its own. The value is in milliseconds. */
export function duration(entry: Entry & Range & { readonly unit: Unit }): Setting<number> {
  const { unit, min, max } = entry;
  const factor = unit === 's' ? 1000 : 1;
  const type = `duration, ${min} to ${max}, in ${unit} where no unit is given`;
  return scalar(type, { ...entry, json: durationSchema(entry) }, (text, name, fail) => {
    const value = readNumber(text, unit, entry, name, fail);
    return value === undefined ? undefined : value * factor;
  });
}

/**
 * A duration that PostgreSQL does not have: a bare number is seconds, and with a unit it is kept to the
 * millisecond. The range and the value are in milliseconds.
 */
export function fineDuration(entry: Entry & Range): Setting<number> {
  const type = `duration, ${entry.min} ms to ${entry.max} ms, in s where no unit is given`;
  const json = durationSchema({ min: entry.min / 1000, max: entry.max / 1000 });
  return scalar(type, { ...entry, json }, (text, name, fail) =>
    readNumber(parseInteger(text).ok ? `${text}s` : text, 'ms', entry, name, fail, text),
  );
}

/** One of a few words, whatever the case, as PostgreSQL's enum settings. */
export function oneOf<const T extends string>(values: readonly T[], entry: Entry): Setting<T> {
  const type = values.map((value) => (value === '' ? 'empty' : `\`${value}\``)).join(', ');
  return scalar(type, { ...entry, json: wordSchema(values) }, (text, name, fail) => {
    const value = values.find((candidate) => candidate.toLowerCase() === text.toLowerCase());
    if (value === undefined) return invalid(fail, name, text, `Available values: ${values.join(', ')}.`);
    return value;
  });
}

export function string(entry: Entry): Setting<string> {
  return scalar('string', entry, (text) => text);
}

/** One SQL identifier that needs no quotes, or empty. */
export function identifier(entry: Entry): Setting<string> {
  return scalar('identifier or empty', entry, (text, name, fail) => {
    if (/^([A-Za-z_][A-Za-z0-9_]{0,62})?$/.test(text)) return text;
    return invalid(fail, name, text, 'Give one word of letters, digits and underscores, or nothing.');
  });
}

/**
 * The path of a file or directory, relative to the YAML file; '' stays empty. An absolute one stays as it is written, as in
 * PostgreSQL: behind a link to another directory `..` leads elsewhere than it seems. `hba_file`, `ident_file` and
 * `hosts_file` are the exception there too: their `..` is worked out from the text.
 */
export function path(entry: Entry & { readonly required?: true }): Setting<string> {
  const required = entry.required === true;
  const setting = scalar(required ? 'path' : 'path or empty', entry, (text, name, fail) => {
    if (required && text === '') return invalid(fail, name, text, 'Give the path of a file.');
    return text;
  });
  const staysAsWritten = (value: string): boolean => value === '' || (!required && isAbsolute(value));
  return {
    ...setting,
    inDirectory: (value, directory) => (staysAsWritten(value) ? value : resolve(directory, value)),
  };
}

/** A number of processes; `auto` is one per processor core. */
export function workerCount(entry: Entry & Range): Setting<number> {
  const json = { anyOf: [numberSchema(entry), { enum: ['auto'] }] };
  return scalar(
    `integer, ${entry.min} to ${entry.max}, or \`auto\``,
    { ...entry, json },
    (text, name, fail) =>
      text === 'auto' ? availableParallelism() : readNumber(text, null, entry, name, fail),
  );
}

/** A YAML list, or one text with commas, as PostgreSQL's listen_addresses. */
export function listenAddresses(entry: Entry): Setting<readonly string[]> {
  return {
    ...described('list of addresses, or one text with commas', entry, listSchema),
    initial: [entry.default],
    read: (value, name, fail) => {
      const items = value.kind === 'list' ? value.items : [value];
      const hosts = items.flatMap((item) => readAddresses(item, value.kind === 'list', name, fail));
      if (hosts.length === 0) return invalid(fail, name, '', 'At least one address is needed.');
      return allDefined(hosts);
    },
  };
}

/** The addresses of one text: an item of a YAML list is one, else commas part them. */
function readAddresses(item: Written, inList: boolean, name: string, fail: Fail): (string | undefined)[] {
  const text = readText(item, name, fail);
  if (text === undefined) return [undefined];
  const addresses = inList ? [text] : text.split(',').map((part) => part.trim());
  return addresses.map((address) => {
    if (address === '*' || isHost(address)) return address;
    fail(
      `invalid value for parameter "${name}": "${address}"`,
      'Give host names, addresses, or "*" for every address.',
      item.at,
    );
    return undefined;
  });
}

/** Addresses and CIDR masks: a YAML list, or one text with commas. Empty is none. */
export function networks(entry: Entry): Setting<readonly Network[]> {
  return {
    ...described('list of addresses and CIDR masks, or one text with commas', entry, listSchema),
    initial: [],
    read: (value, name, fail) => {
      const items = value.kind === 'list' ? value.items : [value];
      return allDefined(items.flatMap((item) => readNetworks(item, value.kind === 'list', name, fail)));
    },
  };
}

function readNetworks(item: Written, inList: boolean, name: string, fail: Fail): (Network | undefined)[] {
  const text = readText(item, name, fail);
  if (text === undefined) return [undefined];
  if (text === '' && !inList) return [];
  const texts = inList ? [text] : text.split(',').map((part) => part.trim());
  return texts.map((each) => {
    const network = parseNetwork(each);
    const refuse = (hint: string): undefined =>
      failed(fail, `invalid value for parameter "${name}": "${each}"`, hint, item.at);
    if (network === null) return refuse('Give addresses and CIDR masks, such as 10.0.0.7 or 10.1.0.0/16.');
    // SECURITY: with every address in it, every client could say who it is.
    if (network.mask.every((byte) => byte === 0))
      return refuse('Name the addresses of the load balancers alone.');
    return network;
  });
}

/** Role → its direct members, as byte strings. */
export function roles(entry: Entry): Setting<Roles> {
  return {
    ...described('map of roles to lists of their direct members', entry, rolesSchema),
    isMap: true,
    initial: new Map(),
    read: (value, name, fail) => {
      if (value.kind === 'empty') return new Map();
      if (value.kind !== 'map')
        return failed(fail, `parameter "${name}" requires a map of roles to lists of members`);
      const read = value.entries.map(({ key, value: members }): [ByteString, ByteString[]] | undefined => {
        const names = readMembers(members, `${name}.${key}`, fail);
        return names === undefined ? undefined : [fromText(key), names];
      });
      const defined = allDefined(read);
      return defined === undefined ? undefined : new Map(defined);
    },
  };
}

function readMembers(value: Written, name: string, fail: Fail): ByteString[] | undefined {
  if (value.kind === 'empty') return [];
  if (value.kind !== 'list') {
    return failed(
      fail,
      `parameter "${name}" requires a list of members`,
      'Write [a, b], or [] for none.',
      value.at,
    );
  }
  const names = value.items.map((item) => {
    const text = readText(item, name, (message, hint) => fail(message, hint, item.at));
    return text === undefined ? undefined : fromText(text);
  });
  return allDefined(names);
}

/** Users: a YAML list, or one text with commas, as PgBouncer's admin_users. Byte strings. */
export function users(entry: Entry): Setting<readonly ByteString[]> {
  return {
    ...described('list of users, or one text with commas', entry, listSchema),
    initial: [],
    read: (value, name, fail) => {
      if (value.kind === 'list') return readMembers(value, name, fail);
      const text = readText(value, name, fail);
      return text
        ?.split(',')
        .map((part) => fromText(part.trim()))
        .filter((part) => part !== '');
    },
  };
}

/** The upstream's host: a name, an address, or the directory of a Unix socket as in libpq. */
export function upstreamHost(entry: Entry): Setting<string> {
  return scalar('host name, address, or directory of a Unix socket', entry, (text, name, fail) => {
    if (text.startsWith('/') || isHost(text)) return text;
    return invalid(fail, name, text, 'Give one host name, one address, or the absolute path of a directory.');
  });
}

/** The admin listener's place; '' = off. Where it needs TLS is for load.ts to see. */
export function adminListen(entry: Entry): Setting<string> {
  return scalar(
    '`host:port`, `[IPv6]:port`, absolute path of a Unix socket, or empty',
    entry,
    (text, name, fail) => {
      if (text === '') return '';
      const place = parseListenPlace(text);
      if (place === null) {
        return invalid(
          fail,
          name,
          text,
          'Write host:port, [IPv6 address]:port or the absolute path of a Unix socket.',
        );
      }
      return place.kind === 'unix' ? checkSocketPath(text, place.path, fail) : text;
    },
  );
}

/** `value` when the socket's path fits into a sockaddr_un, with PostgreSQL's text where it does not. */
export function checkSocketPath<T>(value: T, socketPath: string, fail: Fail): T | undefined {
  if (Buffer.byteLength(socketPath) <= MAX_SOCKET_PATH_BYTES) return value;
  return failed(
    fail,
    `Unix-domain socket path "${socketPath}" is too long (maximum ${MAX_SOCKET_PATH_BYTES} bytes)`,
  );
}

// --- what the kinds share

export function described(type: string, entry: Entry, json: JsonSchema) {
  return {
    type,
    written: entry.default,
    doc: entry.doc,
    restart: entry.restart === true,
    isMap: false,
    json,
    inDirectory: <T>(value: T) => value,
  };
}

/** A setting of one text; its default is read like any other text, so that it is always a legal one. */
function scalar<T>(type: string, entry: Entry & { readonly json?: JsonSchema }, read: Read<T>): Setting<T> {
  const written = entry.default.replace(/^'(.*)'$/, '$1');
  const initial = read(written, 'default', (message) => {
    throw new Error(message);
  });
  if (initial === undefined) throw new Error(`the default ${entry.default} is not a legal value`);
  return {
    ...described(type, entry, entry.json ?? textSchema),
    initial,
    read: (value, name, fail) => {
      const text = readText(value, name, fail);
      return text === undefined ? undefined : read(text, name, fail);
    },
  };
}

/** A text, or the texts of a YAML list. */
export function readTexts(value: Written, name: string, fail: Fail): readonly string[] | undefined {
  const items = value.kind === 'list' ? value.items : [value];
  return allDefined(
    items.map((item) => readText(item, name, (message, hint) => fail(message, hint, item.at))),
  );
}

function readText(value: Written, name: string, fail: Fail): string | undefined {
  switch (value.kind) {
    case 'scalar':
      // No path, name or cipher list holds a NUL, and C would cut it there.
      if (value.text.includes('\0')) return failed(fail, `parameter "${name}" contains a NUL byte`);
      return value.text;
    case 'empty':
      return failed(fail, `parameter "${name}" has no value`, "Write '' where empty is meant.");
    case 'list':
      return failed(fail, `parameter "${name}" requires a single value, not a list`);
    case 'map':
      return failed(fail, `parameter "${name}" requires a single value, not a map`);
    default:
      return value satisfies never;
  }
}

/** `shown` is the text as written, where `text` has been completed. */
function readNumber(
  text: string,
  unit: Unit | null,
  range: Range,
  name: string,
  fail: Fail,
  shown = text,
): number | undefined {
  const parsed = parseInteger(text, unit);
  if (!parsed.ok) return invalid(fail, name, shown, parsed.hint);
  if (parsed.value >= range.min && parsed.value <= range.max) return parsed.value;
  const [value, min, max] = [parsed.value, range.min, range.max].map((n) =>
    unit === null ? `${n}` : `${n} ${unit}`,
  );
  return failed(fail, `${value} is outside the valid range for parameter "${name}" (${min} .. ${max})`);
}

function invalid(fail: Fail, name: string, text: string, hint?: string): undefined {
  return failed(fail, `invalid value for parameter "${name}": "${text}"`, hint);
}

export function failed(fail: Fail, message: string, hint?: string, at?: Position): undefined {
  fail(message, hint, at);
  return undefined;
}

function allDefined<T>(values: readonly (T | undefined)[]): T[] | undefined {
  const defined = values.filter((value) => value !== undefined);
  return defined.length === values.length ? defined : undefined;
}
