// What an editor may know of a value: a JSON Schema for each kind of setting (contract §17). A schema takes everything
// that the loader takes, and refuses what is plainly wrong. The loader has the last word.

/** A JSON Schema, draft 7. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** PostgreSQL reads a number from a text as well: with blanks, a sign, in octal, hexadecimal or with an exponent. */
const NUMBER = String.raw`[ \t]*[+-]?(0[xX][0-9a-fA-F]+|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?)[ \t]*`;

/** Any scalar: `5` and `on` are texts too where a text is wanted. */
export const textSchema: JsonSchema = { type: ['string', 'number', 'boolean'] };

export const booleanSchema: JsonSchema = {
  anyOf: [
    { enum: ['on', 'off', true, false, 'yes', 'no', 1, 0] },
    {
      type: 'string',
      pattern: `^(${['true', 'yes', 'false', 'no', 'on', 'off'].map(prefixes).join('|')}|1|0)$`,
    },
  ],
};

/** A unique prefix of a word, whatever the case; a bare `o` is ambiguous. */
function prefixes(word: string): string {
  const [first = '', second = '', ...rest] = word.split('').map(eitherCase);
  const tail = rest.reduceRight((inner, letter) => `(${letter}${inner})?`, '');
  return word.startsWith('o') ? `${first}${second}${tail}` : `${first}(${second}${tail})?`;
}

function eitherCase(letter: string): string {
  return `[${letter.toLowerCase()}${letter.toUpperCase()}]`;
}

/** A number; a fraction is rounded before its range is looked at. */
export function numberSchema({ min, max }: { readonly min: number; readonly max: number }): JsonSchema {
  return {
    anyOf: [
      { type: 'number', minimum: min - 0.5, maximum: max + 0.5 },
      { type: 'string', pattern: `^${NUMBER}$` },
    ],
  };
}

/** A duration: a number in the setting's own unit, or a text with one. */
export function durationSchema(range: { readonly min: number; readonly max: number }): JsonSchema {
  return {
    anyOf: [
      { type: 'number', minimum: range.min - 0.5, maximum: range.max + 0.5 },
      { type: 'string', pattern: `^${NUMBER}(us|ms|s|min|h|d)?[ \\t]*$` },
    ],
  };
}

/** One of a few words, whatever the case. */
export function wordSchema(words: readonly string[]): JsonSchema {
  const inAnyCase = words.map((word) =>
    word.replaceAll(/[a-z]/gi, eitherCase).replaceAll('.', String.raw`\.`),
  );
  return { anyOf: [{ enum: words }, { type: 'string', pattern: `^(${inAnyCase.join('|')})$` }] };
}

/** Some of a few words, as a list or as one text with commas. */
export function commaListSchema(words: readonly string[]): JsonSchema {
  const word = String.raw`\s*"?(${words.map((each) => each.replaceAll(/[a-z]/gi, eitherCase)).join('|')})"?\s*`;
  const one = wordSchema(words);
  return {
    anyOf: [one, { type: 'string', pattern: `^(${word}(,${word})*|\\s*)$` }, { type: 'array', items: one }],
  };
}

/** A list, or one text with commas. */
export const listSchema: JsonSchema = { anyOf: [textSchema, { type: 'array', items: textSchema }] };

/** Roles and their direct members. */
export const rolesSchema: JsonSchema = {
  type: ['object', 'null'],
  additionalProperties: { type: ['array', 'null'], items: textSchema },
};
