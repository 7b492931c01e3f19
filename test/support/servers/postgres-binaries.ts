// Where the PostgreSQL servers from npm are, and as whom they run: they refuse to be root.

import { spawnSync } from 'node:child_process';
import {
  chownSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serverPackage, serversFor, THIS_PLATFORM } from './postgres-platforms.ts';

/** npm ci brings 10, 15 and 18 where npm has them for this platform; the others come with `npm run test:majors`, which says where they are. */
export type PostgresVersion = 10 | 11 | 12 | 13 | 14 | 15 | 16 | 17 | 18;

/** Every major version, oldest first. */
export const POSTGRES_VERSIONS: readonly PostgresVersion[] = [10, 11, 12, 13, 14, 15, 16, 17, 18];

/** Whether this version's server is here. */
export function isInstalled(version: PostgresVersion): boolean {
  return isWithNpm(version) ? serversFor(THIS_PLATFORM).includes(version) : exists(packageFolder(version));
}

/** uid and gid of the server: nobody's when the tests run as root, otherwise our own. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

const NOBODY: Account = { uid: 65534, gid: 65534 };

/** The account that a server started here runs under. */
export function serverAccount(): Account {
  const uid = process.getuid!();
  return uid === 0 ? NOBODY : { uid, gid: process.getgid!() };
}

/** The package's `native` folder: bin/ with initdb, pg_ctl and postgres, lib/ with libpq. */
export function nativeFolder(version: PostgresVersion): string {
  return join(packageFolder(version), 'native');
}

function packageFolder(version: PostgresVersion): string {
  const name = serverPackage(version);
  if (isWithNpm(version)) return dirname(dirname(fileURLToPath(import.meta.resolve(name))));
  return join(process.env['GATEHOUSE_MAJORS'] ?? '/nonexistent', 'node_modules', name);
}

function isWithNpm(version: PostgresVersion): boolean {
  return version === 10 || version === 15 || version === 18;
}

/**
 * A `native` folder that the server's account can execute: the package's own, or a copy of it when the checkout
 * is somewhere only root may enter.
 */
export function executableFolder(version: PostgresVersion): string {
  const folder = nativeFolder(version);
  if (isExecutable(folder)) return folder;
  return cached(`native-${packageVersion(version)}`, (copy) => {
    // Hard links where the file system allows them: 60 MB of programs in no time.
    const { status } = spawnSync('cp', ['-Rl', folder, copy]);
    if (status === 0) return;
    rmSync(copy, { recursive: true, force: true });
    cpSync(folder, copy, { recursive: true, verbatimSymlinks: true });
  });
}

/** The data directory that initdb made for this version, to be copied; made once. */
export function templateDirectory(version: PostgresVersion): string {
  return cached(`data-${packageVersion(version)}`, (directory) => {
    mkdirSync(directory, { mode: 0o700 });
    const { uid, gid } = serverAccount();
    chownSync(directory, uid, gid);
    initdb(version, directory, []);
  });
}

/**
 * Runs initdb into an existing empty directory that the server's account owns.
 * @throws Error with initdb's own words.
 */
export function initdb(version: PostgresVersion, directory: string, extraArgs: readonly string[]): void {
  const args = ['-D', directory, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  runAsServer(join(executableFolder(version), 'bin', 'initdb'), [...args, ...extraArgs]);
}

/** Runs a short command under the server's account. @throws Error with its output when it fails. */
export function runAsServer(command: string, args: readonly string[]): void {
  const { status, error, stderr } = spawnSync(command, args, {
    ...serverAccount(),
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
    encoding: 'utf8',
    timeout: 120_000,
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
}

function isExecutable(folder: string): boolean {
  return (
    spawnSync(join(folder, 'bin', 'postgres'), ['--version'], { ...serverAccount(), cwd: '/' }).status === 0
  );
}

function packageVersion(version: PostgresVersion): string {
  const manifest = readFileSync(join(dirname(nativeFolder(version)), 'package.json'), 'utf8');
  return /"version": "(.+?)"/.exec(manifest)?.[1] ?? String(version);
}

/**
 * A directory under the temporary one that is made once and then shared by every test file. Made beside its place
 * and moved there whole, so that nobody sees half of it; the second process to finish throws its own away.
 */
function cached(name: string, make: (path: string) => void): string {
  const path = join(cacheFolder(), name);
  if (exists(path)) return path;
  const workshop = mkdtempSync(join(cacheFolder(), 'making-'));
  try {
    chownSync(workshop, serverAccount().uid, serverAccount().gid);
    make(join(workshop, name));
    moveUnlessTaken(join(workshop, name), path);
  } finally {
    rmSync(workshop, { recursive: true, force: true });
  }
  return path;
}

function moveUnlessTaken(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!exists(to)) throw error;
  }
}

function cacheFolder(): string {
  const uid = process.getuid!();
  const folder = join(tmpdir(), `pg-gatehouse-servers-${uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  // Anybody may write to the temporary directory; what lies there under our name must be ours.
  const { uid: owner } = lstatSync(folder);
  if (owner !== uid) throw new Error(`${folder} belongs to another user (uid ${owner})`);
  return folder;
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
