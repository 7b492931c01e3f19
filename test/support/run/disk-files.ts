// The disk as the synchronous file system that the parsers of settings and rules take, for tests that load one file.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fromBytes } from '../../../src/base/bytestring.ts';
import type { FileSystem } from '../../../src/rules/types.ts';

export const diskFiles: FileSystem = {
  readFile: (path) => fromBytes(readFileSync(path)),
  listFiles: (path) =>
    readdirSync(path, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name),
  resolve: (fromFile, relative) => resolve(dirname(fromFile), relative),
};
