// `pg-gatehouse check` on files of a test, and what it says.

import { join } from 'node:path';
import { testAuthority, type TestAuthority } from '../certificates/certificates.ts';
import { writeGateFiles, type GateFiles } from './gate-files.ts';
import { runProgram } from './program.ts';
import type { Scope } from './scope.ts';

/** What a gate's directory holds; what is not given is as writeGateFiles() has it. */
export type Checked = Partial<GateFiles> & { readonly hba: string };

/** What `check` prints of these files, the names of files without their directory, and its exit status. */
export async function check(
  t: Scope,
  given: Checked | ((authority: TestAuthority) => Checked),
  ...args: string[]
): Promise<{ readonly lines: string[]; readonly code: number | null }> {
  const authority = testAuthority(t);
  const { directory } = authority;
  const files = typeof given === 'function' ? given(authority) : given;
  writeGateFiles(directory, authority, {
    upstream: { host: '127.0.0.1', port: 1 },
    ...files,
    hba: `${files.hba}\n`,
  });
  const command = ['check', '--config', join(directory, 'gatehouse.yaml'), ...args];
  const { code, stdout } = await runProgram(command, { via: 'dist' });
  return { lines: stdout.trimEnd().replaceAll(`${directory}/`, '').split('\n'), code };
}

/** The warnings, without the word. */
export function warningsIn(lines: readonly string[]): string[] {
  return lines.filter((line) => line.includes(': warning: ')).map((line) => line.replace(': warning:', ''));
}
