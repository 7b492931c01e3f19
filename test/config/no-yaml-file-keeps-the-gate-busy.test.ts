// A YAML file of a megabyte, by mistake or by malice: suggestions stop after twenty unknown names, a value that aliases
// repeat counts each time, and the number of syntax errors is bounded. None of them ends the process or takes minutes.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { RecordingFileSystem } from '../../src/config/files.ts';
import { readSettings, type ReadSettings } from '../../src/config/load.ts';
import type { Scope } from '../support/run/scope.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';

await test('a misspelt name has a suggestion, the twenty-first has none', async (t) => {
  const { problems } = await read(
    t,
    many(3_000, (i) => `port${i}: 1`),
  );
  t.equal(problems.length, 3_000, 'each is told');
  const hinted = problems.flatMap(({ hint }, index) => (hint === undefined ? [] : [index]));
  t.strictSame(
    hinted,
    Array.from({ length: 20 }, (_, index) => index),
  );
  const grouped = await read(t, `upstream:\n${many(3_000, (i) => `  port${i}: 1`)}`);
  t.equal(grouped.problems.filter(({ hint }) => hint !== undefined).length, 20, 'in a group too');
});

await test('100 aliases of a list of 10,000 are refused, though the file is small', async (t) => {
  const list = many(10_000, (i) => `m${i},`).replaceAll('\n', '');
  const { problems, settings } = await read(
    t,
    `roles:\n  a: &a [${list}]\n${many(100, (i) => `  b${i}: *a`)}`,
  );
  t.match(problems, [{ message: 'more than 300000 values' }]);
  t.equal(settings.roles.size, 0);
});

await test('an alias means the last anchor of its name above it', async (t) => {
  const { problems, settings } = await read(
    t,
    'roles: {a: &x [one], b: [&z two], c: &x [three], d: *x, e: &z [four], f: *z}',
  );
  t.strictSame(problems, []);
  t.strictSame(settings.roles.get('d'), ['three']);
  t.strictSame(settings.roles.get('f'), ['four']);
  const early = await read(t, 'roles: {a: *x, b: &x [one]}');
  t.match(early.problems, [{ message: 'no anchor "x" stands before its alias' }]);
});

await test('what an alias holds does not move an anchor', async (t) => {
  const text = 'roles: {a: &y [&x one], b: [&x two], c: *y, d: [*x]}';
  const { problems, settings } = await read(t, text);
  t.strictSame(problems, []);
  t.strictSame(settings.roles.get('d'), ['two']);
});

await test('a megabyte of brackets is a thousand errors and no more', async (t) => {
  const { problems } = await read(t, ']'.repeat(100_000));
  t.equal(problems.length, 1_000);
});

function many(count: number, line: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => `${line(index)}\n`).join('');
}

async function read(t: Scope, text: string): Promise<ReadSettings> {
  const file = join(temporaryDirectory(t), 'gatehouse.yaml');
  writeFileSync(file, text);
  const fs = new RecordingFileSystem();
  await fs.fetch(file);
  return readSettings(file, fs);
}
