// Whether the anchors of a regular expression let it match whole subjects only: whoever forgets one lets longer names in.

import type { Regex, Syntax } from './syntax.ts';

type Side = 'start' | 'end';

/** Whether every match goes from the start of the subject to its end, as its anchors say. */
export function isAnchored(syntax: Syntax): boolean {
  return holdsAt('start', syntax.regex, syntax) && holdsAt('end', syntax.regex, syntax);
}

/** Whether in each branch the anchor of that side is outside of everything that takes a byte. */
function holdsAt(side: Side, { branches }: Regex, syntax: Syntax): boolean {
  return branches.every((branch) => {
    for (const { atom, min } of side === 'start' ? branch : branch.toReversed()) {
      if (atom.kind === 'byte') return false;
      if (atom.kind === 'group') return min > 0 && holdsAt(side, atom.body, syntax);
      if (isAnchor(side, atom.index, syntax)) return true;
    }
    return false;
  });
}

function isAnchor(side: Side, index: number, { constraints, newlineAnchors }: Syntax): boolean {
  const constraint = constraints[index];
  if (constraint?.kind !== 'simple') return false;
  // With `(?n)` and its like `^` and `$` match beside a newline, and a name may hold one.
  return constraint.name === `string-${side}` || (constraint.name === `line-${side}` && !newlineAnchors);
}
