// Which test files a platform cannot run: those that start processes need Linux, and a server that npm does not have
// for a platform cannot be an upstream there. Each is left out by name, with what it lacks.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serversFor, type Platform } from '../servers/postgres-platforms.ts';

/** Where every test runs. */
export const WHOLE_PLATFORM: Platform = 'linux-x64';

/** A test file that is left out. */
export interface LeftOutFile {
  readonly file: string;
  /** What it needs and the platform lacks. */
  readonly wants: string;
}

/** What becomes of the test files on a platform. */
export interface PlatformFiles {
  readonly run: readonly string[];
  readonly leftOut: readonly LeftOutFile[];
}

const SUPPORT = fileURLToPath(new URL('../', import.meta.url));

/** With these a test starts processes, and looks at them through /proc. */
const STARTERS = ['run/program.ts', 'run/supervise.ts', 'run/leftovers.ts'].map((file) =>
  join(SUPPORT, file),
);
const SERVERS = join(SUPPORT, 'servers/postgres-binaries.ts');

/** Parts the files (absolute paths) into those that run on a platform and those that cannot. */
export function filesForPlatform(files: readonly string[], platform: Platform): PlatformFiles {
  const wants = files.map((file) => ({ file, wants: whatLacks(file, platform) }));
  return {
    run: wants.flatMap(({ file, wants: lacks }) => (lacks === null ? [file] : [])),
    leftOut: wants.flatMap(({ file, wants: lacks }) => (lacks === null ? [] : [{ file, wants: lacks }])),
  };
}

function whatLacks(file: string, platform: Platform): string | null {
  const reached = reachableFrom(file);
  const text = readFileSync(file, 'utf8');
  if (!platform.startsWith('linux-')) {
    const isBound =
      STARTERS.some((starter) => reached.has(starter)) || /\/proc\/|node:child_process/.test(text);
    return isBound ? 'Linux' : null;
  }
  if (!reached.has(SERVERS)) return null;
  const here = serversFor(platform);
  // A number that means something else leaves out a test too many, which is reported; never one too few.
  const missing = serversFor(WHOLE_PLATFORM).filter(
    (version) => !here.includes(version) && new RegExp(String.raw`\b${version}\b`).test(text),
  );
  return missing.length === 0 ? null : `PostgreSQL ${missing.join(', ')} for ${platform}`;
}

/** The file and everything that it imports by a relative path, and so on. */
function reachableFrom(file: string, reached = new Set<string>()): ReadonlySet<string> {
  if (reached.has(file)) return reached;
  reached.add(file);
  for (const [, path = ''] of readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+\.ts)'/g)) {
    reachableFrom(join(dirname(file), path), reached);
  }
  return reached;
}
