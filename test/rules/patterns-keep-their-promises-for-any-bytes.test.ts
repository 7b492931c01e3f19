// What holds for every pattern and every subject, whatever bytes they are made of.

import * as fc from 'fast-check';
import { test } from 'tap';
import { compilePattern, PatternError, type Pattern } from '../../src/regex/pattern.ts';
import { PatternGenerator } from '../support/oracles/random-patterns.ts';

const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const bytes = fc.string({ unit: byte, maxLength: 60 });
const syntax = fc.constantFrom(
  ...'()[]{}*+?|\\^$.,-:=<>!#0129abdDwxuUcimnqZAyY '.split(''),
  '(?',
  '[[:',
  ':]]',
  '***',
);
const patternLike = fc.string({ unit: fc.oneof({ weight: 6, arbitrary: syntax }, byte), maxLength: 30 });
const generated = fc.integer().map((seed) => new PatternGenerator(seed).pattern());

/** Null when it is refused, and properly. */
function compile(source: string): Pattern | null {
  try {
    return compilePattern(source);
  } catch (error) {
    if (error instanceof PatternError && error.message !== '') return null;
    throw error;
  }
}

await test('any bytes are a pattern or refused with a PatternError', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(bytes, patternLike),
      bytes,
      (source, subject) => void compile(source)?.exec(subject),
    ),
  );
  t.end();
});

await test('what captures also matches, and captures parts of the subject', (t) => {
  fc.assert(
    fc.property(fc.oneof(patternLike, generated), bytes, (source, subject) => {
      const pattern = compile(source);
      const result = pattern?.exec(subject) ?? null;
      if (pattern === null) return true;
      const groups = result?.groups ?? [];
      return (
        pattern.test(subject) === (result !== null) &&
        (result === null || groups.length === pattern.groupCount) &&
        groups.every((group) => group === null || subject.includes(group))
      );
    }),
    { numRuns: 1000 },
  );
  t.end();
});

await test('asking again gives the same answer', (t) => {
  fc.assert(
    fc.property(generated, fc.array(bytes, { maxLength: 5 }), (source, subjects) => {
      const pattern = compile(source);
      const first = subjects.map((subject) => pattern?.exec(subject));
      t.same(
        subjects.map((subject) => pattern?.exec(subject)),
        first,
      );
    }),
  );
  t.end();
});

await test('a literal string matches where it occurs', (t) => {
  fc.assert(
    fc.property(bytes, bytes, (needle, hay) => {
      const pattern = compilePattern(`***=${needle}`);
      return pattern.test(hay) === hay.includes(needle) && pattern.test(hay + needle + hay);
    }),
  );
  t.end();
});

await test('every byte is a character, NUL among them', (t) => {
  for (let code = 0; code < 256; code += 1) {
    const subject = String.fromCharCode(code);
    const hex = code.toString(16).padStart(2, '0');
    const others = Array.from({ length: 256 }, (_, other) => String.fromCharCode(other)).filter(
      (c) => c !== subject,
    );
    const pattern = compilePattern(`^\\x${hex}$`);
    t.ok(pattern.test(subject) && !others.some((other) => pattern.test(other)), hex);
    t.ok(compilePattern('^.$').test(subject) && compilePattern(`^[\\x${hex}]$`).test(subject));
  }
  t.strictSame(compilePattern('^(.*)b').exec('a\0b'), { groups: ['a\0'] });
  t.end();
});
