// gatehouse.yaml from postgresql.conf: the settings that the two have in common, unchanged (contract §8).

import { fromText } from '../base/bytestring.ts';
import { readSettings } from '../config/load.ts';
import { isSettingName, olderNames } from '../config/schema.ts';
import type { ConfSetting } from './conf.ts';
import type { Note } from './hba.ts';

/** What the migrated configuration is made by. */
export interface MigratedSettings {
  /** gatehouse.yaml. */
  readonly text: string;
  readonly notes: readonly Note[];
  /** The gate's port, which was the server's. */
  readonly port: number;
  readonly upstreamPort: number;
  /** The server has TLS off; false where nobody knows, without its postgresql.conf. */
  readonly sslOff: boolean;
  /** Names of the files of ssl_* settings, as written. */
  readonly files: readonly string[];
}

const DEFAULT_PORT = 5432;
/** Written by us, or of another meaning in a file of the gate's. */
const NOT_TAKEN = new Set(['ssl', 'port', 'hba_file', 'ident_file', 'hosts_file', 'auth_file']);

/**
 * @param conf the server's settings
 * @param file where they stand; null = there is none
 * @param upstreamPort null = the port after the gate's
 */
export function migrateSettings(
  conf: ReadonlyMap<string, ConfSetting>,
  file: string | null,
  upstreamPort: number | null,
): MigratedSettings {
  const notes: Note[] = [];
  const note = (at: { readonly file: string; readonly line: number | null }, reason: string): void =>
    void notes.push({ file: at.file, line: at.line, reason, serious: false });
  const port = Number(conf.get('port')?.value ?? DEFAULT_PORT);
  const after = upstreamPort ?? port + 1;
  const lines = [`port: ${port}`];
  const files: string[] = [];
  const ssl = conf.get('ssl');
  const sslOff = file !== null && (ssl === undefined || isOff(ssl.value));
  if (file !== null && ssl === undefined)
    note(
      { file, line: null },
      'ssl is not set, so the server has it off, which is not taken over: the gate is there for TLS',
    );
  else if (ssl !== undefined && sslOff) note(ssl, 'ssl = off is not taken over: the gate is there for TLS');
  else if (ssl !== undefined) lines.push('ssl: on');
  for (const [name, { value, file: source, line }] of conf) {
    if (NOT_TAKEN.has(name) || !isTaken(name)) continue;
    const written = `${name}: '${value.replaceAll("'", "''")}'`;
    const objection = objectionTo(written, olderNames.get(name) ?? name);
    if (objection !== null) {
      note({ file: source, line }, `${name} is not taken over: ${objection}`);
      continue;
    }
    lines.push(written);
    if (name === 'ssl_sni' && !isOff(value)) {
      const hosts = conf.get('hosts_file')?.value ?? 'pg_hosts.conf';
      note({ file: source, line }, `copy ${hosts} here as pg_hosts.conf: its paths count from there`);
    }
    if (/^ssl_.*_file$/.test(name) && value !== '') files.push(value);
  }
  lines.push(
    'hba_file: pg_hba.conf',
    'ident_file: pg_ident.conf',
    'upstream:',
    '  host: 127.0.0.1',
    `  port: ${after}`,
  );
  return { text: `${lines.join('\n')}\n`, notes, port, upstreamPort: after, sslOff, files };
}

function isTaken(name: string): boolean {
  return isSettingName(name) || olderNames.has(name);
}

/** `off`, and every other spelling that PostgreSQL takes for it. */
function isOff(value: string): boolean {
  return /^(?:of|off|f|fa|fal|fals|false|n|no|0)$/i.test(value);
}

/** Why the gate would refuse a setting; null = it takes it. */
function objectionTo(line: string, name: string): string | null {
  const fs = {
    readFile: () => fromText(`${line}\n`),
    listFiles: () => [],
    resolve: (_: string, relative: string) => relative,
  };
  const { isWrong, problems } = readSettings('/gatehouse.yaml', fs);
  return isWrong(name) ? (problems[0]?.message ?? 'the gate does not take its value') : null;
}
