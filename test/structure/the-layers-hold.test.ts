// The rooms of ARCHITECTURE.md, kept by a program: which room may know which, which library has which owner, and what
// every file of src/ looks like.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import * as ts from 'typescript';
import { roomOf, rooms, withRoomsTable } from '../../tools/rooms.ts';

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

/** In session/: the life of a connection, and its parts that begin, decide and answer. Only they compose steps. */
const COMPOSERS = [
  'session/connection.ts',
  'session/negotiation.ts',
  'session/admission.ts',
  'session/console-step.ts',
  'session/cancel-step.ts',
  'session/upstream-step.ts',
];

/** In session/: what the steps share. Everything else there is a step. */
const SHARED_BY_STEPS = [
  'end-signal.ts',
  'host-names.ts',
  'look-ups.ts',
  'rules-step.ts',
  // What strangers.ts is made of, none of them a step.
  'handshakes.ts',
  'opening-watch.ts',
  'debts.ts',
  'turns.ts',
  // What password-step.ts and login.ts are made of.
  'check-password.ts',
  'upstream-answers.ts',
  // Asked by rules-step.ts, password-step.ts and admission.ts.
  'upstream-catalog.ts',
  // A part of bans.ts, which is not a step.
  'guesses.ts',
  // The end of what relay.ts copies.
  'closing.ts',
  'dial.ts',
  // What sessions.ts keeps.
  'cancel-keys.ts',
  'dial-errors.ts',
  'answers.ts',
  'login-guard.ts',
  'upstream-address.ts',
  'certificate-fields.ts',
];

/** Each library's owners: the files or folders of src/ that may import it, for its types too. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  commander: ['cli.ts', 'commands/'],
  pg: ['catalog/'],
  pino: ['telemetry/'],
  'prom-client': ['telemetry/'],
  yaml: ['config/'],
  '@mongodb-js/saslprep': ['auth/'],
  '@electric-sql/pglite': ['commands/demo.ts'],
  '@electric-sql/pglite-socket': ['commands/demo.ts'],
};

const MAX_LINES = 400;

/** A screen. */
const MAX_FUNCTION_LINES = 50;

const root = fileURLToPath(new URL('../../src', import.meta.url));
const sources = readSources();

await test('a room knows only the rooms that its line names, for types too', async (t) => {
  const offences = allImports(({ target }) => isOurs(target)).filter(({ source, target }) => {
    const [from, to] = [roomOf(source), roomOf(target)];
    return from !== to && rooms[from]?.mayKnow.includes(to) !== true;
  });
  t.strictSame(offences.map(told), []);
});

await test('every room is there, and every folder of src/ is a room', async (t) => {
  const names = Object.keys(rooms);
  t.strictSame([...new Set(sources.map(({ file }) => roomOf(file)))].toSorted(), names.toSorted());
  const upwards = Object.entries(rooms).flatMap(([name, { mayKnow }]) =>
    mayKnow
      .filter((other) => names.indexOf(other) >= names.indexOf(name))
      .map((other) => `${name} knows ${other}`),
  );
  t.strictSame(upwards, [], 'a room knows only rooms that stand before it in the table');
});

await test('ARCHITECTURE.md shows the table of rooms as it is', async (t) => {
  const text = readFileSync(join(root, '../ARCHITECTURE.md'), 'utf8');
  t.equal(text, withRoomsTable(text), 'run: node tools/rooms.ts');
});

await test('the rules and the protocol know nothing of Node', async (t) => {
  const offences = allImports(({ target }) => target.startsWith('node:')).filter(({ source }) =>
    ['rules', 'protocol', 'regex'].includes(roomOf(source)),
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

await test('a function fits on a screen', async (t) => {
  const tooLong = sources
    .flatMap(({ file, text }) => functionsOf(file, text))
    .filter(({ lines }) => lines > MAX_FUNCTION_LINES);
  t.strictSame(tooLong, []);
});

/** Every function with a body, and how many lines it takes. */
function functionsOf(file: string, text: string): { readonly place: string; readonly lines: number }[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: { place: string; lines: number }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const begin = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
      const end = source.getLineAndCharacterOfPosition(node.end).line;
      found.push({ place: `src/${file}:${begin + 1}`, lines: end - begin + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

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
