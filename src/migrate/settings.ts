// gatehouse.yaml from postgresql.conf: the settings that the two have in common, unchanged (contract §8).

import { fromText, toText, type ByteString } from '../base/bytestring.ts';
import { LoadError } from '../base/problems.ts';
import { isOwnListener } from '../config/hosts.ts';
import { readSettings, type ReadSettings } from '../config/load.ts';
import { isSettingName, schema } from '../config/schema.ts';
import { parseBoolean, parseInteger } from '../config/units.ts';
import type { ConfSetting } from './conf.ts';
import type { Note } from './hba.ts';

/** What the migrated configuration is made by. */
export interface MigratedSettings {
  /** gatehouse.yaml. */
  readonly text: ByteString;
  readonly notes: readonly Note[];
  /** The gate's port, which was the server's. */
  readonly port: number;
  readonly upstreamPort: number;
  /** The gate would dial itself there. */
  readonly isOwnUpstream: boolean;
  /** The server has TLS off; false where nobody knows, without its postgresql.conf. */
  readonly sslOff: boolean;
  /** Names of the files and directories of ssl_* settings, as written, and those that PostgreSQL takes unasked. */
  readonly files: readonly string[];
}

/** Settings by name, as readConf has them. */
type Conf = ReadonlyMap<string, ConfSetting>;

const DEFAULT_PORT = 5432;
const MAX_PORT = 65_535;
/** Written by us, or of another meaning in a file of the gate's. */
const NOT_TAKEN = new Set(['ssl', 'port', 'hba_file', 'ident_file', 'hosts_file', 'auth_file']);

/**
 * @param conf the server's settings
 * @param file where they stand; null = there is none
 * @param upstreamPort null = the port after the gate's
 * @throws LoadError where the server would not start with its port
 */
export function migrateSettings(
  conf: Conf,
  file: string | null,
  upstreamPort: number | null,
): MigratedSettings {
  const port = portOf(conf.get('port'));
  const after = upstreamPort ?? port + 1;
  const ssl = serverSsl(conf, file);
  const taken = takenOver(conf);
  const lines = [
    `port: ${port}`,
    ...(ssl.state === 'on' ? ['ssl: on'] : []),
    ...taken.lines,
    'hba_file: pg_hba.conf',
    'ident_file: pg_ident.conf',
    'upstream:',
    '  host: 127.0.0.1',
    `  port: ${after}`,
  ];
  const text = `${lines.join('\n')}\n`;
  return {
    text,
    notes: [...ssl.notes, ...taken.notes],
    port,
    upstreamPort: after,
    isOwnUpstream: isOwnListener(readBack(text).settings),
    sslOff: ssl.state === 'off',
    files: [...(ssl.state === 'on' ? unnamedFiles(conf) : []), ...taken.files],
  };
}

/** Read as PostgreSQL reads it, in octal too; in its words where it does not. */
function portOf(setting: ConfSetting | undefined): number {
  if (setting === undefined) return DEFAULT_PORT;
  const { file, line } = setting;
  const value = toText(setting.value);
  const port = parseInteger(value);
  if (port.ok && port.value >= 1 && port.value <= MAX_PORT) return port.value;
  const message = port.ok
    ? `${port.value} is outside the valid range for parameter "port" (1 .. ${MAX_PORT})`
    : `invalid value for parameter "port": "${value}"`;
  throw new LoadError([
    { file, line, message, ...(port.ok || port.hint === undefined ? {} : { hint: port.hint }) },
  ]);
}

function serverSsl(
  conf: Conf,
  file: string | null,
): { readonly state: 'on' | 'off' | 'unknown'; readonly notes: readonly Note[] } {
  if (file === null) return { state: 'unknown', notes: [] };
  const ssl = conf.get('ssl');
  if (ssl === undefined) {
    const reason =
      'ssl is not set, so the server has it off, which is not taken over: the gate is there for TLS';
    return { state: 'off', notes: [{ file, line: null, reason, serious: false }] };
  }
  if (!isOff(ssl.value)) return { state: 'on', notes: [] };
  return {
    state: 'off',
    notes: [noteOn(ssl, 'ssl = off is not taken over: the gate is there for TLS')],
  };
}

function takenOver(conf: Conf): {
  readonly lines: readonly ByteString[];
  readonly notes: readonly Note[];
  readonly files: readonly string[];
} {
  const lines: ByteString[] = [];
  const notes: Note[] = [];
  const files: string[] = [];
  for (const [name, setting] of conf) {
    // A name with a dot is an extension's, also where it is one of the gate's.
    if (NOT_TAKEN.has(name) || name.includes('.') || !isSettingName(name)) continue;
    const { value } = setting;
    const line = `${name}: ${scalar(value)}`;
    const objection = objectionTo(name, value, line);
    if (objection !== null) {
      notes.push(noteOn(setting, `${name} is not taken over: ${objection}`));
      continue;
    }
    lines.push(line);
    if (name === 'ssl_sni' && !isOff(value)) {
      const hosts = toText(conf.get('hosts_file')?.value ?? 'pg_hosts.conf');
      notes.push(noteOn(setting, `copy ${hosts} here as pg_hosts.conf: its paths count from there`));
    }
    if (/^ssl_.*_(?:file|dir)$/.test(name) && value !== '') files.push(toText(value));
  }
  return { lines, notes, files };
}

/** The files of a server that speaks TLS and does not say by which. */
function unnamedFiles(conf: Conf): string[] {
  const names = ['ssl_cert_file', 'ssl_key_file'] as const;
  return names.filter((name) => !conf.has(name)).map((name) => schema[name].initial);
}

function noteOn({ file, line }: ConfSetting, reason: string): Note {
  return { file, line, reason, serious: false };
}

/** `off`, and every other spelling that PostgreSQL takes for it. */
function isOff(value: ByteString): boolean {
  return parseBoolean(value) === false;
}

/** A value in YAML. In single quotes a line break would be a blank. */
function scalar(value: ByteString): ByteString {
  // eslint-disable-next-line no-control-regex
  return /[\x00-\x1f\x7f]/.test(value) ? JSON.stringify(value) : `'${value.replaceAll("'", "''")}'`;
}

/** Why the gate would refuse a setting; null = it takes it. */
function objectionTo(name: string, value: ByteString, line: ByteString): string | null {
  // A single such byte would have the gate refuse the whole file.
  if (fromText(toText(value)) !== value) return 'its value is not UTF-8';
  const { isWrong, problems } = readBack(`${line}\n`);
  return isWrong(name) ? (problems[0]?.message ?? 'the gate does not take its value') : null;
}

/** What the gate reads in a gatehouse.yaml. */
function readBack(text: ByteString): ReadSettings {
  return readSettings('/gatehouse.yaml', {
    readFile: () => text,
    listFiles: () => [],
    resolve: (_, relative) => relative,
  });
}
