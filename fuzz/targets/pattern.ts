// Regular expressions: any pattern compiles or is refused by name, and matches any subject in bounded time, with
// captures that lie in the subject.

import { fromBytes } from '../../src/base/bytestring.ts';
import { compilePattern, PatternError } from '../../src/regex/pattern.ts';
import { invariant, tokens, type Target } from '../target.ts';

/** Between pattern and subject. */
const SUBJECT = '\0';

const SEEDS = [
  String.raw`^(.*)@example\.com$`,
  String.raw`(?i)a[[:alpha:]_]{2,5}\d+|\mfoo\M`,
  '(a|ab)(c|bcd)(d*)',
  String.raw`((a{0,9}){0,9}){0,9}x`,
  '***=literal',
  '(?=a)(?!b).+?$',
  String.raw`[^\x80-\xff[:space:]]*\Z`,
];

export function patternTarget(): Target {
  return {
    maxLength: 300,
    limitMs: 1_000,
    seeds: SEEDS.map((pattern) => Buffer.from(`${pattern}${SUBJECT}aabcd@example.com`, 'latin1')),
    dictionary: [
      ...tokens('(¦)¦(?:¦(?=¦(?!¦(?<=¦(?<!¦[¦]¦[^¦[[:alpha:]]¦[[:<:]]¦[.a.]¦[=a=]¦|'),
      ...tokens('*¦+¦?¦*?¦{2}¦{1,}¦{0,255}¦{1,2}?¦^¦$¦.¦\\d¦\\w¦\\m¦\\y¦\\A¦\\Z'),
      ...tokens('\\1¦\\x41¦\\u0041¦(?i)¦(?n)¦(?x)¦***:¦***=¦(?#¦a¦aaaaaaaa¦\\'),
      SUBJECT,
    ],
    run: (input) => {
      const [source = '', ...subjects] = fromBytes(input).split(SUBJECT);
      let pattern;
      try {
        pattern = compilePattern(source);
      } catch (error) {
        if (error instanceof PatternError) return invariant(error.message !== '', 'a refusal says why');
        throw error;
      }
      for (const subject of ['', ...subjects]) {
        const match = pattern.exec(subject);
        invariant(pattern.test(subject) === (match !== null), 'test and exec agree');
        if (match === null) continue;
        invariant(match.groups.length === pattern.groupCount, 'every group is there');
        invariant(
          match.groups.every((group) => group === null || subject.includes(group)),
          'a capture lies in the subject',
        );
      }
    },
  };
}
