// `@file`, `include`, `include_if_exists` and `include_dir` (semantics §3, T8 to T11): what is read, in which order,
// what is wrong with it, and what a watcher must watch.

import { test } from 'tap';
import { loadHba } from '../../src/rules/hba.ts';
import { loadIdent } from '../../src/rules/ident.ts';
import { readLines } from '../../src/rules/tokens.ts';
import type { FileSystem } from '../../src/rules/types.ts';
import { HBA_FILE, IDENT_FILE, memoryFiles, problemsOf } from '../support/oracles/rules.ts';

const options = { ssl: true, roles: new Map() };

/** `file:line: database tokens` of each record, paths relative to /etc/gate. */
function recordsOf(files: Readonly<Record<string, string>>): string[] {
  return loadHba(HBA_FILE, filesIn(files), options).records.map(
    ({ file, line, databases }) =>
      `${file.slice('/etc/gate/'.length)}:${line}: ${databases.map((spec) => ('name' in spec ? `"${spec.name}"` : spec.kind)).join(' ')}`,
  );
}

function errorsOf(files: Readonly<Record<string, string>>): string[] {
  return problemsOf(() => loadHba(HBA_FILE, filesIn(files), options)).map(({ file, line, message }) =>
    `${file}:${line}: ${message}`.replaceAll('/etc/gate/', ''),
  );
}

function filesIn(files: Readonly<Record<string, string>>): FileSystem {
  return memoryFiles(
    Object.fromEntries(Object.entries(files).map(([name, content]) => [`/etc/gate/${name}`, content])),
  );
}

/** The same, and what the reader asks for goes into `asked`: a watcher watches that. */
function recording(asked: Set<string>, contents: Readonly<Record<string, string>>): FileSystem {
  const files = filesIn(contents);
  return {
    ...files,
    readFile(path) {
      asked.add(path);
      return files.readFile(path);
    },
    listFiles(path) {
      asked.add(path);
      return files.listFiles(path);
    },
  };
}

const rule = (database: string) => `host ${database} all all trust\n`;

await test('@file stands for all tokens of all fields of all its lines', (t) => {
  t.same(
    recordsOf({
      'pg_hba.conf': `${rule('x,@lists/a,z')}${rule('"@lists/a"')}${rule('@')}${rule('@"lists/a b"')}`,
      'lists/a': 'one two\n# no\nthree,"all"\n@b\n',
      'lists/b': 'all\n',
      'lists/a b': 'spaced\n',
    }),
    [
      'pg_hba.conf:1: "x" "one" "two" "three" "all" all "z"',
      'pg_hba.conf:2: "@lists/a"',
      'pg_hba.conf:3: "@"',
      'pg_hba.conf:4: "spaced"',
    ],
  );
  t.same(recordsOf({ 'pg_hba.conf': 'host @none a all all trust\n', none: '#\n' }), ['pg_hba.conf:1: "a"']);
  t.same(recordsOf({ 'pg_hba.conf': rule('@inc'), inc: 'include names\n', names: 'a b\n' }), [
    'pg_hba.conf:1: "a" "b"',
  ]);
  t.end();
});

await test('included records take the place of the directive', (t) => {
  t.same(
    recordsOf({
      'pg_hba.conf': `${rule('a')}include sub/more\n"include_if_exists" absent\ninclude_dir sub\n${rule('z')}`,
      'sub/more': `\n${rule('b')}include_if_exists deep.conf\n`,
      'sub/deep.conf': rule('c'),
      'sub/B.conf': rule('B'),
      'sub/1.conf': rule('d1'),
      'sub/a.conf': rule('da'),
      'sub/.hidden.conf': rule('hidden'),
      'sub/.conf': rule('too short'),
      'sub/other.txt': rule('other'),
      'sub/dir/x.conf': rule('x'),
    }),
    [
      'pg_hba.conf:1: "a"',
      'sub/more:2: "b"',
      'sub/deep.conf:1: "c"',
      'sub/1.conf:1: "d1"',
      'sub/B.conf:1: "B"',
      'sub/a.conf:1: "da"',
      'sub/deep.conf:1: "c"',
      'pg_hba.conf:5: "z"',
    ],
  );
  t.end();
});

await test('with any other number of fields it is a record, and a wrong one', (t) => {
  t.same(errorsOf({ 'pg_hba.conf': 'include\ninclude a b\nInclude a\n' }), [
    'pg_hba.conf:1: invalid connection type "include"',
    'pg_hba.conf:2: invalid connection type "include"',
    'pg_hba.conf:3: invalid connection type "Include"',
  ]);
  t.end();
});

await test('every error is told, at the line that is to be mended, and the file is refused', (t) => {
  t.same(
    errorsOf({
      'pg_hba.conf': `${rule('@absent')}include absent\ninclude_dir absent\ninclude_dir " "\ninclude sub\ninclude bad\n${rule('@list')}host\n`,
      'sub/x': '',
      bad: `host a\n${rule('ok')}local all all foo\n`,
      list: 'a\n@absent\n',
    }),
    [
      'pg_hba.conf:1: could not open file "absent": No such file or directory',
      'pg_hba.conf:2: could not open file "absent": No such file or directory',
      'pg_hba.conf:3: could not open directory "absent"',
      'pg_hba.conf:4: empty configuration directory name: " "',
      'pg_hba.conf:5: could not read file "sub": Is a directory',
      'bad:1: end-of-line before role specification',
      'bad:3: invalid authentication method "foo"',
      'pg_hba.conf:7: could not open file "absent": No such file or directory',
      'pg_hba.conf:8: end-of-line before database specification',
    ],
  );
  t.end();
});

await test('a file without a record, and no file at all', (t) => {
  t.same(errorsOf({ 'pg_hba.conf': '# nothing\n' }), [
    'pg_hba.conf:null: configuration file "pg_hba.conf" contains no entries',
  ]);
  t.same(errorsOf({}), ['pg_hba.conf:null: could not open file "pg_hba.conf": No such file or directory']);
  t.same(loadIdent(IDENT_FILE, memoryFiles({})).records, [], 'a missing pg_ident.conf is an empty one');
  t.same(loadIdent(IDENT_FILE, memoryFiles({ [IDENT_FILE]: '' })).records, []);
  const denied: FileSystem = {
    ...memoryFiles({}),
    readFile: () => {
      throw Object.assign(new Error('no'), { code: 'EACCES' });
    },
  };
  t.match(
    problemsOf(() => loadIdent(IDENT_FILE, denied)),
    [{ line: null, message: `could not open file "${IDENT_FILE}": Permission denied` }],
    'an unreadable one is not',
  );
  t.end();
});

await test('only a missing file is forgiven by include_if_exists', (t) => {
  const { warnings } = loadHba(
    HBA_FILE,
    filesIn({ 'pg_hba.conf': `include_if_exists absent\n${rule('all')}` }),
    options,
  );
  t.match(warnings, [{ line: 1, message: 'skipping missing authentication file "/etc/gate/absent"' }]);
  t.same(errorsOf({ 'pg_hba.conf': 'include_if_exists found\n', found: 'include absent\n' }), [
    'found:1: could not open file "absent": No such file or directory',
  ]);
  t.end();
});

await test('ten levels of inclusion are read, the eleventh is not', (t) => {
  const chain = (depth: number, directive: (name: string) => string) =>
    Object.fromEntries([
      ['pg_hba.conf', directive('f1')],
      ...Array.from({ length: depth - 1 }, (_, i) => [`f${i + 1}`, directive(`f${i + 2}`)] as const),
      [`f${depth}`, rule('deep')],
    ]);
  t.same(recordsOf(chain(10, (name) => `include ${name}\n`)), ['f10:1: "deep"']);
  t.same(errorsOf(chain(11, (name) => `include ${name}\n`)), [
    'f10:1: could not open file "f11": maximum nesting depth exceeded',
  ]);
  t.same(errorsOf({ 'pg_hba.conf': rule('@pg_hba.conf') }), [
    'pg_hba.conf:1: could not open file "pg_hba.conf": maximum nesting depth exceeded',
  ]);
  t.same(errorsOf({ 'pg_hba.conf': 'include_if_exists pg_hba.conf\n' }), [
    'pg_hba.conf:1: could not open file "pg_hba.conf": maximum nesting depth exceeded',
  ]);
  t.end();
});

await test('an expansion that explodes is refused in bounded time', (t) => {
  const bomb = (leaf: string) =>
    filesIn({
      'pg_hba.conf': `\n${rule('@f1')}`,
      ...Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`f${i + 1}`, `@f${i + 2},`.repeat(100)])),
      f10: leaf,
    });
  t.match(
    problemsOf(() => loadHba(HBA_FILE, bomb('a b c d\n'.repeat(200)), options)),
    [{ file: HBA_FILE, line: 2, message: 'the rules expand to more than 1000000 tokens' }],
  );
  t.match(
    problemsOf(() => loadHba(HBA_FILE, bomb('# nothing at all\n'), options)),
    [{ file: HBA_FILE, line: 2, message: 'included files exceed 67108864 bytes' }],
  );
  const circle = filesIn({
    'pg_hba.conf': 'include_dir sub\n',
    ...Object.fromEntries(Array.from({ length: 4 }, (_, i) => [`sub/file${i}.conf`, 'include_dir .\n'])),
  });
  const problems = problemsOf(() => loadHba(HBA_FILE, circle, options));
  t.equal(problems.length, 1_002);
  t.match(problems.at(-1), { line: 1, message: 'more than 1000 errors: what follows was not read' });
  const absent = filesIn({ 'pg_hba.conf': 'include_if_exists absent\n'.repeat(70_000) });
  t.match(
    problemsOf(() => loadHba(HBA_FILE, absent, options)),
    [{ message: 'included files exceed 67108864 bytes' }],
    'nor do warnings',
  );
  const continued = 'a\\\n'.repeat(1_000_000);
  t.equal(
    readLines(HBA_FILE, filesIn({ 'pg_hba.conf': continued })).entries.length,
    1,
    'nor do continuations',
  );
  t.end();
});

await test('a NUL byte is refused: C would end the line there and join the next to it', (t) => {
  t.same(errorsOf({ 'pg_hba.conf': `${rule('all')}host all\0\nhost all all all reject\n` }), [
    'pg_hba.conf:2: line contains a NUL byte',
  ]);
  t.end();
});

await test('every file that counts is asked of the file system: read, listed, or looked for in vain', (t) => {
  const asked = new Set<string>();
  const files = recording(asked, {
    'pg_hba.conf': `include_if_exists absent\ninclude_dir sub\n${rule('@list')}`,
    'sub/a.conf': '#\n',
    list: 'a\n',
  });
  const watched = ['absent', 'list', 'pg_hba.conf', 'sub', 'sub/a.conf'].map((name) => `/etc/gate/${name}`);
  loadHba(HBA_FILE, files, options);
  t.same([...asked].toSorted(), watched);
  asked.clear();
  t.throws(() => loadHba(HBA_FILE, recording(asked, { 'pg_hba.conf': 'include gone\n' }), options));
  t.same([...asked], [HBA_FILE, '/etc/gate/gone']);
  asked.clear();
  loadIdent(IDENT_FILE, recording(asked, {}));
  t.same([...asked], [IDENT_FILE]);
  t.end();
});
