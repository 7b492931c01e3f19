// `pg-gatehouse migrate`: turns the files of a PostgreSQL server into a folder that `serve` takes as it is (contract §8).

import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { toText, type ByteString } from '../base/bytestring.ts';
import { LoadError } from '../base/problems.ts';
import { errnoOf } from '../base/system-error.ts';
import { RecordingFileSystem } from '../config/files.ts';
import { readConf, type ConfSetting } from '../migrate/conf.ts';
import { migrateHba, type Note } from '../migrate/hba.ts';
import { migrateIdent } from '../migrate/ident.ts';
import { migrateSettings, type MigratedSettings } from '../migrate/settings.ts';
import { sslOffNotes } from '../migrate/ssl-off.ts';
import { upstreamHba } from '../migrate/upstream.ts';
import { systemErrorText } from '../rules/bad-line.ts';
import { action, CommandError, exitStatus, UsageError } from './action.ts';
import { output } from './output.ts';
import { required } from './required.ts';

const MAX_PORT = 65_535;

interface MigrateOptions {
  readonly hba?: string;
  readonly ident?: string;
  readonly conf?: string;
  readonly out: string;
  readonly upstreamPort?: string;
  readonly force: boolean;
}

/** Adds the `migrate` command to the program. */
export function registerMigrate(program: Command): void {
  const command = program
    .command('migrate')
    .description("turn a PostgreSQL server's own files into a folder that serve takes as it is")
    .option('--hba <file>', "the server's pg_hba.conf; default: what --conf names, or the one beside it")
    .option('--ident <file>', "the server's pg_ident.conf; default as for --hba")
    .option('--conf <file>', "the server's postgresql.conf");
  required(command, '--out <directory>', 'the folder to write, new or empty')
    .option(
      '--upstream-port <number>',
      "where the server is to listen from now on; default: the port after the gate's",
    )
    .option('--force', 'write although a line could change who gets in, or over what is there', false)
    .action(action(migrate));
}

async function migrate(options: MigrateOptions): Promise<number> {
  const conf = options.conf === undefined ? null : resolve(options.conf);
  const settings = conf === null ? new Map<string, ConfSetting>() : await readConf(conf);
  const hbaFile = fileOf(options.hba, 'hba_file', 'pg_hba.conf', conf, settings);
  if (hbaFile === null) throw new UsageError('name the files of the server with --hba FILE or --conf FILE');
  const yaml = migrateSettings(settings, conf, portOf(options.upstreamPort));
  if (yaml.upstreamPort > MAX_PORT)
    throw new UsageError(
      `no port comes after ${yaml.port}: say with --upstream-port where the server is to listen`,
    );
  if (yaml.isOwnUpstream)
    throw new UsageError(
      `the gate itself listens on port ${yaml.port}: say with --upstream-port on which other port the server is to listen`,
    );
  const hbaFiles = await filesFrom(hbaFile);
  const hba = opened(hbaFile, () => migrateHba(hbaFile, hbaFiles));
  const ident = await identOf(
    fileOf(options.ident, 'ident_file', 'pg_ident.conf', conf, settings),
    options.ident !== undefined,
  );
  const upstream = upstreamHba(hba.kept);
  const tlsNotes = yaml.sslOff ? sslOffNotes(hba.kept) : [];
  const notes = [...yaml.notes, ...tlsNotes, ...hba.notes, ...ident.notes, ...upstream.notes];
  for (const { file, line, reason } of notes)
    output(`${line === null ? file : `${file}:${line}`}: ${reason}\n`);
  const isSerious = notes.some(({ serious }) => serious);
  if (!options.force) await assertMayWrite(options.out, isSerious);
  await write(options.out, {
    'gatehouse.yaml': yaml.text,
    'pg_hba.conf': hba.text,
    'pg_ident.conf': ident.text,
    'upstream-pg_hba.conf': upstream.text,
  });
  output(nextSteps(options.out, yaml));
  return isSerious ? exitStatus.failed : exitStatus.fine;
}

function fileOf(
  given: string | undefined,
  setting: string,
  name: string,
  conf: string | null,
  settings: ReadonlyMap<string, ConfSetting>,
): string | null {
  if (given !== undefined) return resolve(given);
  return conf === null ? null : resolve(dirname(conf), toText(settings.get(setting)?.value ?? name));
}

function portOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const port = Number(text);
  if (!/^[0-9]+$/.test(text) || port < 1 || port > MAX_PORT)
    throw new UsageError(`--upstream-port takes a port, not "${text}"`);
  return port;
}

/** The file and whatever it names, as a load would read them. */
async function filesFrom(file: string): Promise<RecordingFileSystem> {
  const fs = new RecordingFileSystem();
  await fs.gather(file);
  return fs;
}

/** A file that nobody has named may be missing, as for the server. */
async function identOf(
  file: string | null,
  isNamed: boolean,
): Promise<{ readonly text: ByteString; readonly notes: readonly Note[] }> {
  const none = { text: '# pg-gatehouse: the server has no pg_ident.conf.\n', notes: [] };
  if (file === null) return none;
  const fs = await filesFrom(file);
  return opened(file, () => {
    try {
      return migrateIdent(file, fs);
    } catch (error) {
      if (!isNamed && errnoOf(error) === 'ENOENT') return none;
      throw error;
    }
  });
}

/** @throws LoadError in PostgreSQL's words where the file cannot be read */
function opened<T>(file: string, migrated: () => T): T {
  try {
    return migrated();
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    const message = `could not open file "${file}": ${systemErrorText(error)}`;
    throw new LoadError([{ file, line: null, message }]);
  }
}

async function assertMayWrite(directory: string, isSerious: boolean): Promise<void> {
  if (isSerious) {
    throw new CommandError(
      'nothing was written: a line above could change who gets in. Look at it, then add --force.',
    );
  }
  const names = await readdir(directory).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });
  if (names.length > 0)
    throw new CommandError(
      `nothing was written: "${directory}" is not empty. Name another folder, or add --force.`,
    );
}

async function write(directory: string, files: Readonly<Record<string, ByteString>>): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(directory, name), Buffer.from(content, 'latin1'), { mode: 0o640 });
  }
}

function nextSteps(directory: string, { port, upstreamPort, files }: MigratedSettings): string {
  const relative = files.filter((file) => !file.startsWith('/'));
  return [
    ...(relative.length === 0 ? [] : [`Copy to ${directory}: ${relative.join(', ')}`]),
    `The gate takes over port ${port}. The server must move: set port = ${upstreamPort} and listen_addresses = 'localhost' in its postgresql.conf.`,
    `Its pg_hba.conf is then ${join(directory, 'upstream-pg_hba.conf')}.`,
    `Next: pg-gatehouse check --config ${join(directory, 'gatehouse.yaml')}`,
    '',
  ].join('\n');
}
