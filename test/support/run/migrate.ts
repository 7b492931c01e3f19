// `pg-gatehouse migrate` on a server's files of a test: what it says, and what it writes.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runProgram, type Finished } from './program.ts';
import type { Scope } from './scope.ts';
import { temporaryDirectory } from './temporary.ts';

export interface Migrated extends Finished {
  /** The notes on stdout, the names of files without their directory. */
  readonly said: readonly string[];
  /** The lines of a file that it has written. */
  readonly read: (name: string) => string[];
  /** The folder that it was to write. */
  readonly out: string;
  /** The same again, with more arguments. */
  readonly run: (...more: string[]) => Promise<Finished>;
  /** `check` on what it has written, without the certificates that it does not write. */
  readonly check: () => Promise<Finished>;
}

/** Files by their names. Those of the names that a server gives them are told to the command. */
export async function migrate(
  t: Scope,
  files: Readonly<Record<string, string | Uint8Array>>,
  ...args: string[]
): Promise<Migrated> {
  const directory = temporaryDirectory(t);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
  const given = Object.entries({
    '--hba': 'pg_hba.conf',
    '--ident': 'pg_ident.conf',
    '--conf': 'postgresql.conf',
  });
  const named = given.flatMap(([flag, name]) => (name in files ? [flag, join(directory, name)] : []));
  const out = join(directory, 'out');
  const run = async (...more: string[]) =>
    await runProgram(['migrate', ...named, '--out', out, ...args, ...more], { via: 'dist' });
  const check = async () =>
    await runProgram(['check', '--config', join(out, 'gatehouse.yaml'), '--set', 'ssl=off'], { via: 'dist' });
  const found = await run();
  const plain = (text: string): string => text.replaceAll(`${directory}/`, '');
  const read = (name: string): string[] =>
    plain(readFileSync(join(out, name), 'utf8'))
      .trimEnd()
      .split('\n');
  const said = found.stdout
    .split('\n')
    .filter((line) => line.startsWith(directory))
    .map(plain);
  return { ...found, said, read, out, run, check };
}
