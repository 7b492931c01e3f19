// The program's version: package.json's.

import { createRequire } from 'node:module';

/** Stands one folder above both src/ and dist/. */
const manifest: unknown = createRequire(import.meta.url)('../../package.json');

/** As `--version` prints it. */
export const VERSION =
  typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
