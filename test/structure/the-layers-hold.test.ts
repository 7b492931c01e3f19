// The layers of ARCHITECTURE.md, kept by a program: who may import whom, which library has which owner, and what
// every file of src/ looks like.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';

interface Import {
  /** A path below src/, or what stands in the import of a package or of node. */
  readonly target: string;
  /** Erased before it runs. */
  readonly typeOnly: boolean;
}

interface Source {
  /** Below src/. */
  readonly file: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

type Layer = keyof typeof MAY_IMPORT;

/** Who may import whom, from the ground up; every layer may import itself. Types are free: they are gone at run time. */
const MAY_IMPORT = {
  ground: [],
  rules: ['ground'],
  protocol: ['ground'],
  tls: ['ground', 'protocol'],
  config: ['ground', 'rules', 'tls'],
  pki: ['ground', 'tls'],
  telemetry: ['ground'],
  session: ['ground', 'rules', 'protocol', 'tls', 'telemetry'],
  admin: ['ground', 'rules', 'tls', 'config', 'telemetry', 'session'],
  systemd: ['ground'],
  server: ['ground', 'rules', 'tls', 'config', 'telemetry', 'session', 'admin', 'systemd'],
  commands: ['ground', 'rules', 'tls', 'config', 'pki', 'session', 'admin', 'server'],
  cli: ['ground', 'config', 'commands', 'server'],
} as const satisfies Record<string, readonly string[]>;

/** The layers of files that stand directly in src/; a file not named here is the server's. */
const TOP_LEVEL: Readonly<Record<string, Layer>> = {
  'bytestring.ts': 'ground',
  'errors.ts': 'ground',
  'regular-file.ts': 'ground',
  'signals.ts': 'ground',
  'slices.ts': 'ground',
  'steps.ts': 'ground',
  'system-errors.ts': 'ground',
  'keep-alive.ts': 'ground',
  'local-addresses.ts': 'ground',
  'log.ts': 'telemetry',
  'log-line.ts': 'telemetry',
  'log-sink.ts': 'telemetry',
  'metrics.ts': 'telemetry',
  'metrics/labels.ts': 'telemetry',
  'metrics/rule-hits.ts': 'telemetry',
  'metrics/sum.ts': 'telemetry',
  'cli.ts': 'cli',
};

/** In session/: the life of a connection, and the part of it that decides. Only they compose steps. */
const COMPOSERS = ['session/connection.ts', 'session/admission.ts'];

/** In session/: what the steps share. Everything else there is a step. */
const SHARED_BY_STEPS = [
  'bytes.ts',
  'deadline.ts',
  'network.ts',
  'look-ups.ts',
  'judge.ts',
  // What strangers.ts is made of, none of them a step.
  'handshakes.ts',
  'opening-watch.ts',
  'turns.ts',
  'dial.ts',
  'dial-errors.ts',
  'answers.ts',
  'upstream-address.ts',
  'certificate-fields.ts',
];

/** Each library's owners: the files or folders of src/ that may import it, for its types too. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  commander: ['cli.ts', 'commands/'],
  fastify: ['admin/'],
  'pg-protocol': ['protocol/', 'session/upstream.ts'],
  pino: ['log.ts'],
  'prom-client': ['metrics.ts', 'metrics/'],
  yaml: ['config/'],
  '@electric-sql/pglite': ['commands/demo.ts'],
  '@electric-sql/pglite-socket': ['commands/demo.ts'],
};

const MAX_LINES = 400;

const root = fileURLToPath(new URL('../../src', import.meta.url));
const sources = readSources();

await test('a layer imports only the layers below it', async (t) => {
  const offences = allImports(({ typeOnly, target }) => !typeOnly && isOurs(target)).filter(
    ({ source, target }) => {
      const [from, to] = [layerOf(source), layerOf(target)];
      return from !== to && !MAY_IMPORT[from].some((allowed) => allowed === to);
    },
  );
  t.strictSame(offences.map(told), []);
});

await test('the rules and the protocol know nothing of Node', async (t) => {
  const offences = allImports(({ target }) => target.startsWith('node:')).filter(({ source }) =>
    ['rules', 'protocol'].includes(layerOf(source)),
  );
  t.strictSame(offences.map(told), []);
});

await test("the steps of a connection's life do not import each other", async (t) => {
  const within = allImports(({ typeOnly, target }) => !typeOnly && target.startsWith('session/')).filter(
    ({ source }) => source.startsWith('session/'),
  );
  t.strictSame(
    within.filter(({ source, target }) => !COMPOSERS.includes(source) && !shared(target)).map(told),
    [],
  );
  t.strictSame(
    within.filter(({ source, target }) => shared(source) && !shared(target)).map(told),
    [],
    'what they share stands on its own',
  );
});

await test('every library has one owner', async (t) => {
  const offences = allImports(({ target }) => !isOurs(target) && !target.startsWith('node:')).filter(
    ({ source, target }) => !OWNERS[packageOf(target)]?.some((owner) => source.startsWith(owner)),
  );
  t.strictSame(offences.map(told), []);
});

await test('every production dependency is used', async (t) => {
  const manifest: { dependencies: Record<string, string> } = JSON.parse(
    readFileSync(join(root, '../package.json'), 'utf8'),
  );
  const used = new Set(allImports(() => true).map(({ target }) => packageOf(target)));
  t.strictSame(
    Object.keys(manifest.dependencies).filter((name) => !used.has(name)),
    [],
  );
});

await test('every file opens by saying where it stands, and stays readable', async (t) => {
  t.ok(sources.length > 20, 'there are files to look at');
  for (const { file, text } of sources) {
    t.match(text, /^(#!.*\n)?\/\/ \S/, `${file} opens with a comment`);
    t.ok(text.split('\n').length <= MAX_LINES + 1, `${file} has ${MAX_LINES} lines at most`);
    t.notMatch(text, /\bconsole\.\w/, `${file} leaves the console alone`);
  }
});

function readSources(): Source[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => {
      const text = readFileSync(join(root, file), 'utf8');
      return { file, text, imports: importsOf(file, text) };
    });
}

function importsOf(file: string, text: string): Import[] {
  const target = (specifier: string): string =>
    specifier.startsWith('.') ? relative(root, join(root, dirname(file), specifier)) : specifier;
  const statements = [...text.matchAll(/^(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'/gm)];
  const bare = [...text.matchAll(/^import\s+'([^']+)'/gm)];
  const calls = [...text.matchAll(/\bimport\(\s*'([^']+)'\s*\)(\.\w)?/g)];
  return [
    ...statements.map(([, type, specifier]) => ({
      target: target(specifier!),
      typeOnly: type !== undefined,
    })),
    ...bare.map(([, specifier]) => ({ target: target(specifier!), typeOnly: false })),
    // `import('x').T` without await is a type.
    ...calls.map(([, specifier, member]) => ({ target: target(specifier!), typeOnly: member !== undefined })),
  ];
}

function allImports(wanted: (each: Import) => boolean): { source: string; target: string }[] {
  return sources.flatMap(({ file, imports }) =>
    imports.filter(wanted).map(({ target }) => ({ source: file, target })),
  );
}

function layerOf(file: string): Layer {
  const known = TOP_LEVEL[file];
  if (known !== undefined) return known;
  const [folder] = file.includes('/') ? file.split('/') : ['server'];
  // Several processes in the place of one: the server's business.
  if (folder === 'fleet') return 'server';
  if (folder !== undefined && isLayer(folder)) return folder;
  throw new Error(`src/${file} belongs to no layer`);
}

function isLayer(name: string): name is Layer {
  return Object.hasOwn(MAY_IMPORT, name);
}

function shared(file: string): boolean {
  return SHARED_BY_STEPS.includes(file.slice('session/'.length));
}

function isOurs(target: string): boolean {
  return target.endsWith('.ts');
}

function packageOf(target: string): string {
  return target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');
}

function told({ source, target }: { source: string; target: string }): string {
  return `src/${source} imports ${target}`;
}
