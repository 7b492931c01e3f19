// The program as single files, by esbuild: the executable's script, and the script of the console's thread.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type BuildOptions, type Plugin } from 'esbuild';

/** What a bundle was made of. */
export interface Bundled {
  /** The npm packages whose code is in it. */
  readonly packages: readonly string[];
}

/**
 * Bundles src/executable.ts as an ES module and the console's thread as CommonJS, which a thread takes as text.
 * @param root the checkout
 * @param out where `executable.mjs` and `engine-thread.js` go
 */
export async function bundle(root: string, out: string, version: string): Promise<Bundled> {
  const common: BuildOptions = {
    bundle: true,
    platform: 'node',
    target: 'node26',
    absWorkingDir: root,
    plugins: [versionPlugin(version)],
    // The demo's packages stay outside: it says how to get them.
    external: ['@electric-sql/*', 'pg-native', 'pg-cloudflare'],
    legalComments: 'none',
    metafile: true,
    // A script is held in memory as text. Names stay, for stack traces.
    minifyWhitespace: true,
    logLevel: 'warning',
  };
  const script = await build({
    ...common,
    entryPoints: ['src/executable.ts'],
    outfile: join(out, 'executable.mjs'),
    format: 'esm',
    // Packages in CommonJS ask for Node's own modules by require().
    banner: {
      js: "import { createRequire as createNodeRequire } from 'node:module'; const require = createNodeRequire(import.meta.url);",
    },
  });
  const thread = await build({
    ...common,
    entryPoints: ['src/console/engine-thread.ts'],
    outfile: join(out, 'engine-thread.js'),
    format: 'cjs',
  });
  const inputs = [script, thread].flatMap(({ metafile }) => Object.keys(metafile?.inputs ?? {}));
  return { packages: [...new Set(inputs.flatMap(packageOf))].toSorted() };
}

/** `node_modules/a/node_modules/b/x.js` is of `node_modules/a/node_modules/b`. */
function packageOf(file: string): string[] {
  const match = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file);
  return match === null ? [] : [match[0]];
}

/** The version as a word of the program: the executable has no package.json beside it. */
function versionPlugin(version: string): Plugin {
  return {
    name: 'version',
    setup(bundler) {
      bundler.onLoad({ filter: /\/src\/base\/version\.ts$/ }, ({ path }) => {
        if (!readFileSync(path, 'utf8').includes('export const VERSION'))
          throw new Error(`${path} has no VERSION`);
        return { contents: `export const VERSION = ${JSON.stringify(version)};`, loader: 'ts' };
      });
    },
  };
}
