// What a line of pg_ident.conf does that its author may not know.

import { toText } from '../base/bytestring.ts';
import type { Problem } from '../base/problems.ts';
import { problemAt } from '../rules/bad-line.ts';
import type { IdentMaps, IdentRecord } from '../rules/types.ts';
import { summedUp } from '../rules/warnings.ts';

/** Advice on every line of a pg_ident.conf that loads. */
export function adviseOnMaps({ records }: IdentMaps): readonly Problem[] {
  return summedUp(records.flatMap(warningsOf));
}

function warningsOf(record: IdentRecord): Problem[] {
  const { systemUser, databaseUser } = record;
  const wanted = databaseUser.kind === 'name' ? databaseUser.name : '';
  const warnings: Problem[] = [];
  if (systemUser.kind === 'name') {
    if (wanted.includes('\\1'))
      warnings.push(literal(record, '\\1', 'Begin the system user with / to make it one.'));
    return warnings;
  }
  const source = toText(systemUser.pattern.source);
  if (wanted.includes('\\1') && systemUser.pattern.groupCount === 0) {
    warnings.push(
      problemAt(
        record,
        `"/${source}" has no parentheses for \\1, so whom it matches is refused, whatever later lines say`,
        'Put parentheses around what \\1 is to stand for.',
      ),
    );
  }
  const [further] = /\\[2-9]/.exec(wanted) ?? [];
  if (further !== undefined) warnings.push(literal(record, further, 'Only \\1 is replaced.'));
  if (!systemUser.pattern.isAnchored) {
    warnings.push(
      problemAt(
        record,
        `"/${source}" matches anywhere in a name, so longer names match too`,
        /^\^.*\|.*\$$/s.test(source)
          ? 'Write ^(?:…)$ around the alternatives to match whole names only.'
          : 'Begin it with ^ and end it with $ to match whole names only.',
      ),
    );
  }
  return warnings;
}

function literal(record: IdentRecord, reference: string, hint: string): Problem {
  return problemAt(
    record,
    `${reference} stands for itself in the database user, so this line matches nobody`,
    hint,
  );
}
