// From the YAML file to Settings: finds each setting of the schema, refuses what the schema does not know, and
// checks what several settings mean together. Every problem is reported, not only the first.

import { dirname, join, resolve } from 'node:path';
import { fromText, MAX_NAME_BYTES, toBytes, toText, type ByteString } from '../base/bytestring.ts';
import { LoadError, type Problem, type SettingPlace } from '../base/problems.ts';
import { systemErrorText } from '../rules/bad-line.ts';
import type { FileSystem } from '../rules/types.ts';
import { isLoopback, isOwnListener, parseListenPlace } from './hosts.ts';
import { checkSocketPath, type Setting } from './kinds.ts';
import { nearest } from '../base/nearest.ts';
import { noOverrides, writtenOverride, type Override, type Overrides } from './overrides.ts';
import { groups, isSettingName, olderNames, schema, type SettingName, type Settings } from './schema.ts';
import { retiredSettings } from './retired.ts';
import { originOf, settingsOf } from './setting-values.ts';
import { parseYaml, type Position, type WrittenEntry } from './yaml.ts';
import { isPostgresqlConf, yamlHint } from './yaml-hints.ts';

/** More than any configuration needs; the YAML library's cost grows with it. */
const MAX_YAML_BYTES = 1024 * 1024;

/**
 * Reads the settings of a YAML file (contract §2). Paths in the result are absolute, durations in milliseconds.
 *
 * @param file path of the YAML file
 * @param fs how it is read
 * @param overrides what goes over the file
 * @throws LoadError with every problem, each with line and column where it has them
 */
export function loadSettings(file: string, fs: FileSystem, overrides = noOverrides): Settings {
  const { settings, problems } = readSettings(file, fs, overrides);
  if (problems.length > 0) throw new LoadError(problems);
  return settings;
}

/** What a YAML file says as far as it can be read. */
export interface ReadSettings {
  /** With the default wherever the file says something that cannot be. */
  readonly settings: Settings;
  /** In the order of the file; empty = all of it could be read. */
  readonly problems: readonly Problem[];
  /** Whether the file sets it. */
  readonly isWritten: (name: string) => boolean;
  /** Whether what it says of it, or by another name perhaps means to say of it, is refused, or is missing there. */
  readonly isWrong: (name: string) => boolean;
}

/**
 * Reads the settings of a YAML file in spite of what is wrong with it.
 *
 * @param file path of the YAML file
 * @param fs how it is read
 * @param overrides what goes over it
 * @throws LoadError where the file itself cannot be read
 */
export function readSettings(file: string, fs: FileSystem, overrides = noOverrides): ReadSettings {
  const absolute = resolve(file);
  const text = readText(absolute, fs);
  const { root, problems } = parseYaml(text);
  const found = new Found(absolute, overrides);
  for (const { message, at } of isPostgresqlConf(text) ? problems.slice(0, 1) : problems)
    found.fail(message, yamlHint(text, at), found.at(at));
  if (root.kind === 'map') found.addTopLevel(root.entries);
  else if (root.kind !== 'empty')
    found.fail(
      'the file must be a map of settings',
      yamlHint(text, root.at) ?? 'Write name: value lines.',
      found.at(root.at),
    );
  const settings = assemble(found);
  checkUpstream(settings, found);
  checkAdmin(settings, found);
  checkNames(settings, found);
  checkCatalog(settings, found);
  return {
    settings,
    problems: found.problems.toSorted(byPlace),
    isWritten: (name) => found.place(name) !== undefined,
    isWrong: (name) => found.hasWrong(name),
  };
}

function readText(file: string, fs: FileSystem): string {
  const refuse = (message: string): never => {
    throw new LoadError([{ file, line: null, message }]);
  };
  let bytes: Buffer;
  try {
    bytes = toBytes(fs.readFile(file));
  } catch (error) {
    return refuse(`could not open configuration file "${file}": ${systemErrorText(error)}`);
  }
  if (bytes.length > MAX_YAML_BYTES) return refuse(`the file is larger than ${MAX_YAML_BYTES} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return refuse('the file is not UTF-8');
  }
}

/** Suggestions for unknown names in one file. Each compares the name with every setting; a file of them never ends. */
const MAX_SUGGESTIONS = 20;

/** Where something is wrong. */
type Place = Pick<Problem, 'file' | 'line' | 'column'>;

/** What the file says: each setting's value as written, its place, and the problems met so far. */
class Found {
  readonly file: string;
  readonly problems: Problem[] = [];
  readonly #wrong = new Set<string>();
  readonly #entries = new Map<Setting<unknown>, WrittenEntry>();
  readonly #places = new Map<string, Position>();
  readonly #overrides: Overrides;
  #suggestions = 0;

  constructor(file: string, overrides: Overrides) {
    this.file = file;
    this.#overrides = overrides;
    this.problems.push(...overrides.problems);
  }

  fail(message: string, hint?: string, at: Place = { file: this.file, line: null }): void {
    this.problems.push({ ...at, message, ...(hint === undefined ? {} : { hint }) });
  }

  /**
   * Whether one of these is refused, and so has its default here: what several settings mean together says nothing then,
   * for the operator has written something else.
   */
  hasWrong(...names: readonly string[]): boolean {
    return names.some((name) => this.#wrong.has(name));
  }

  /** Has a setting count as refused, because others are written that mean nothing without it. */
  noteMissing(name: string): void {
    this.#wrong.add(name);
  }

  /** A place in the file. */
  at(position: Position): Place {
    return { file: this.file, ...position };
  }

  /** The setting's value; its default where nothing sets it, or sets it wrongly, which is a problem then. */
  read<T>(name: SettingName, setting: Setting<T>): T {
    // What the file says is read in any case: a wrong value is told, though another goes over it.
    const written = this.#written(setting);
    const override = this.#overrides.values.get(name);
    const value = override === undefined ? written : this.#overriding(name, setting, override);
    return setting.inDirectory(value ?? setting.initial, dirname(this.file));
  }

  #overriding<T>(name: SettingName, setting: Setting<T>, { label, text }: Override): T | undefined {
    const at: Place = { file: label, line: null };
    const { root, problems } = writtenOverride(setting, text);
    for (const { message } of problems) this.fail(message, undefined, at);
    const read =
      problems.length > 0
        ? undefined
        : setting.read(root, name, (message, hint) => this.fail(message, hint, at));
    if (read === undefined) this.#wrong.add(name);
    return read;
  }

  #written<T>(setting: Setting<T>): T | undefined {
    const entry = this.#entries.get(setting);
    if (entry === undefined) return undefined;
    const { key, value, at } = entry;
    // An empty value has no place of its own; its key has.
    const place = value.kind === 'empty' ? at : value.at;
    const read = setting.read(value, key, (message, hint, inner = place) =>
      this.fail(message, hint, this.at(inner)),
    );
    if (read === undefined) this.#wrong.add(olderNames.get(key) ?? key);
    return read;
  }

  /** Where a setting that is not a default was read. */
  place(name: string): Place | undefined {
    const override = isSettingName(name) ? this.#overrides.values.get(name) : undefined;
    if (override !== undefined) return { file: override.label, line: null };
    const position = this.#places.get(name);
    return position === undefined ? undefined : this.at(position);
  }

  /** The same, for Settings. */
  places(): Map<string, SettingPlace> {
    const places = new Map<string, SettingPlace>();
    for (const [name, { line }] of this.#places)
      places.set(name, { source: 'configuration file', file: this.file, line });
    for (const [name, { source, label }] of this.#overrides.values)
      places.set(name, { source, file: label, line: null });
    return places;
  }

  addTopLevel(entries: readonly WrittenEntry[]): void {
    for (const entry of entries) {
      if (groups.has(entry.key)) this.#addGroup(entry);
      // `upstream.host: x` as one key would be a second way to write the same thing.
      else if (entry.key.includes('.')) this.#failUnknown(entry.key, entry.at);
      else this.#addSetting(entry);
    }
  }

  #addGroup({ key, at, value }: WrittenEntry): void {
    this.#places.set(key, at);
    if (value.kind === 'empty') return;
    if (value.kind !== 'map') {
      this.fail(
        `parameter "${key}" requires a map of settings`,
        `Write ${key}: and its settings indented below.`,
        this.at(value.at),
      );
      return;
    }
    for (const entry of value.entries) this.#addSetting({ ...entry, key: `${key}.${entry.key}` });
  }

  /** `entry.key` is the full name, as written. */
  #addSetting(entry: WrittenEntry): void {
    const { key, at } = entry;
    const name = olderNames.get(key) ?? key;
    const retired = retiredSettings.get(name);
    if (retired === undefined && !isSettingName(name)) {
      this.#failUnknown(key, at);
      return;
    }
    const earlier = this.#places.get(name);
    if (earlier !== undefined) {
      this.fail(`parameter "${name}" is set twice, first in line ${earlier.line}`, undefined, this.at(at));
      return;
    }
    this.#places.set(name, at);
    if (isSettingName(name)) this.#entries.set(schema[name], entry);
    else if (retired !== undefined) this.#checkRetired(retired, entry);
  }

  #checkRetired(setting: Setting<unknown>, { key, value, at }: WrittenEntry): void {
    const place = value.kind === 'empty' ? at : value.at;
    const read = setting.read(value, key, (message, hint) => this.fail(message, hint, this.at(place)));
    if (read === undefined) this.#wrong.add(key);
  }

  #failUnknown(name: string, at: Position): void {
    const meant = this.#suggestions < MAX_SUGGESTIONS ? meantBy(name) : undefined;
    this.#suggestions += 1;
    if (meant !== undefined) this.#wrong.add(olderNames.get(meant) ?? meant);
    this.fail(`unrecognized configuration parameter "${name}"`, hintForUnknown(meant), this.at(at));
  }
}

/** The setting that somebody may have had in mind who wrote `name`. */
function meantBy(name: string): string | undefined {
  const names = [...Object.keys(schema), ...olderNames.keys()];
  return (
    nearest(name, [...names, ...groups]) ??
    names.find((candidate) => candidate.endsWith(`.${name.toLowerCase()}`))
  );
}

function hintForUnknown(meant: string | undefined): string | undefined {
  if (meant === undefined) return undefined;
  const [group, leaf] = meant.split('.');
  if (leaf === undefined) return `Perhaps you meant "${meant}".`;
  return `Perhaps you meant "${leaf}" beneath "${group}:".`;
}

function assemble(found: Found): Settings {
  return settingsOf((name) => found.read<unknown>(name, schema[name]), originOf(found.file, found.places()));
}

function checkUpstream(settings: Settings, found: Found): void {
  const { host, port, allow_remote: allowRemote } = settings.upstream;
  const at = found.place('upstream.host') ?? found.place('upstream');
  if (host.startsWith('/')) {
    const path = join(host, `.s.PGSQL.${port}`);
    checkSocketPath(host, path, (message) => found.fail(message, undefined, at));
    return;
  }
  // SECURITY: a gate that dials itself opens connection after connection until nothing is left, for one stranger.
  const places = ['upstream.host', 'upstream.port', 'listen_addresses', 'port'];
  if (!found.hasWrong(...places) && isOwnListener(settings)) {
    found.fail(
      `upstream.host "${host}" and upstream.port ${port} lead to this gate itself`,
      'Set them to where the PostgreSQL server listens, or have the gate listen elsewhere (listen_addresses, port).',
      at ?? found.place('port'),
    );
    return;
  }
  if (found.hasWrong('upstream.allow_remote')) return;
  // SECURITY: what the gate has decrypted goes on in the clear. It leaves this machine only when the operator says so.
  if (!isLoopback(host) && !allowRemote) {
    found.fail(
      `upstream.host "${host}" is neither a loopback address nor the directory of a Unix socket`,
      'The link to the upstream is not encrypted. Set upstream.allow_remote to on where the network between is trusted.',
      at,
    );
  }
}

function checkAdmin({ admin }: Settings, found: Found): void {
  const isOnePlace = admin.status_listen === admin.listen && !admin.listen.endsWith(':0');
  if (admin.status_listen !== '' && isOnePlace && !found.hasWrong('admin.listen')) {
    found.fail(
      `admin.status_listen and admin.listen are both "${admin.listen}"`,
      'Give each a port of its own, such as 9433.',
      found.place('admin.status_listen'),
    );
  }
  const place = parseListenPlace(admin.listen);
  const files = {
    'admin.ssl_cert_file': admin.ssl_cert_file,
    'admin.ssl_key_file': admin.ssl_key_file,
    'admin.ssl_ca_file': admin.ssl_ca_file,
  };
  const names = Object.keys(files);
  if (found.hasWrong(...names)) return;
  const [set, missing] = [
    Object.entries(files).filter(([, file]) => file !== ''),
    Object.entries(files).filter(([, file]) => file === ''),
  ];
  const at = found.place('admin.listen') ?? found.place('admin');
  if (set.length > 0 && missing.length > 0) {
    const [first = ['']] = set;
    const message = `parameter "${first[0]}" is set, and ${missing.map(([name]) => `"${name}"`).join(' and ')} is not`;
    found.fail(message, `Set all of ${names.join(', ')}, or none.`, found.place(first[0]));
    for (const [name] of missing) found.noteMissing(name);
    return;
  }
  if (set.length > 0 && place?.kind === 'unix') {
    found.fail(`parameters ${names.join(', ')} mean nothing for a Unix socket`, 'Leave them out.', at);
  }
  // SECURITY: without certificates the admin listener asks nobody who they are; only this machine may reach it.
  if (set.length === 0 && place?.kind === 'tcp' && !isLoopback(place.host)) {
    found.fail(
      `admin.listen "${admin.listen}" is neither a loopback address nor a Unix socket`,
      `There it must speak TLS and ask for client certificates: set ${names.join(', ')}.`,
      at,
    );
  }
}

/** The names of users and databases. A client's are cut, so none would ever equal a longer one. */
function checkNames(settings: Settings, found: Found): void {
  const users = { admin_users: settings.admin_users, stats_users: settings.stats_users };
  const names = {
    auth_user: fromText(settings.auth_user),
    auth_dbname: fromText(settings.auth_dbname),
    console_database: fromText(settings.console_database),
  };
  for (const [name, value] of Object.entries(names)) {
    if (isTooLong(value))
      found.fail(`parameter "${name}" is longer than ${MAX_NAME_BYTES} bytes`, undefined, found.place(name));
  }
  for (const [name, value] of Object.entries(users)) {
    const user = value.find(isTooLong);
    if (user === undefined) continue;
    const message = `parameter "${name}" has a name that is longer than ${MAX_NAME_BYTES} bytes: "${toText(user)}"`;
    found.fail(message, undefined, found.place(name));
  }
  if (names.console_database === '' && Object.values(users).some((list) => list.length > 0))
    found.fail(
      'parameter "console_database" is empty',
      'Name the database whose connections the console answers.',
      found.place('console_database'),
    );
}

const isTooLong = (name: ByteString): boolean => name.length > MAX_NAME_BYTES;

/** What the session of auth_user cannot do without, or would not survive. */
function checkCatalog(settings: Settings, found: Found): void {
  const { auth_user: user, auth_dbname: database, auth_query: query } = settings;
  if (user !== '' && database === '')
    found.fail(
      'parameter "auth_dbname" is empty',
      'Name the database that auth_user logs in to.',
      found.place('auth_dbname'),
    );
  if (query === '') return;
  const at = found.place('auth_query');
  if (user === '' && !found.hasWrong('auth_user'))
    found.fail(
      'parameter "auth_query" is set, and "auth_user" is not',
      'Set auth_user to the role that may run it.',
      at,
    );
  if (!/\$1(?!\d)/.test(query))
    found.fail(
      'parameter "auth_query" has no parameter $1',
      "Write $1 where the user's name belongs: SELECT usename, passwd FROM pg_catalog.pg_shadow WHERE usename = $1",
      at,
    );
}

function byPlace(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}
