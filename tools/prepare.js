// `npm ci` in a clone leaves dist/ built. Without TypeScript (`npm ci --omit=dev`) nothing is built and nothing fails.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

if (existsSync(fileURLToPath(new URL('../node_modules/typescript', import.meta.url)))) {
  process.exitCode = spawnSync('npm', ['run', 'build'], { stdio: 'inherit' }).status ?? 1;
} else {
  process.stdout.write('TypeScript is not installed: dist/ is left as it is\n');
}
