// LIKE and ILIKE as PostgreSQL has them. The engine's own LIKE takes no notice of case, so `usename LIKE 'A%'` would list
// alice.

/** `%`, `_`, or a character that stands for itself. */
interface Part {
  readonly kind: 'any' | 'one' | 'same';
  readonly text: string;
}

/** A pattern that ends with its escape character: SQLSTATE 22025. */
export class LikePatternError extends Error {
  readonly sqlstate = '22025';
  constructor() {
    super('LIKE pattern must not end with escape character');
  }
}

/**
 * Whether the whole of `subject` is like `pattern`. Goes back to the last `%` alone, so the time is at most the product
 * of both lengths.
 *
 * @param escape what makes the next character stand for itself; empty = nothing does
 * @throws LikePatternError
 */
export function isLike(subject: string, pattern: string, escape = '\\'): boolean {
  const characters = Array.from(subject);
  const parts = partsOf(pattern, escape);
  let [at, part] = [0, 0];
  let [lastAny, resumeAt] = [-1, 0];
  while (at < characters.length) {
    const wanted = parts[part];
    if (wanted?.kind === 'any') {
      [lastAny, resumeAt] = [part, at];
      part++;
    } else if (wanted !== undefined && (wanted.kind === 'one' || wanted.text === characters[at])) {
      at++;
      part++;
    } else if (lastAny === -1) {
      return false;
    } else {
      resumeAt++;
      [at, part] = [resumeAt, lastAny + 1];
    }
  }
  return parts.slice(part).every(({ kind }) => kind === 'any');
}

function partsOf(pattern: string, escape: string): Part[] {
  const parts: Part[] = [];
  const characters = Array.from(pattern);
  for (let index = 0; index < characters.length; index++) {
    const text = characters[index] ?? '';
    if (text === escape) {
      index++;
      const next = characters[index];
      if (next === undefined) throw new LikePatternError();
      parts.push({ kind: 'same', text: next });
    } else if (text === '%') parts.push({ kind: 'any', text });
    else if (text === '_') parts.push({ kind: 'one', text });
    else parts.push({ kind: 'same', text });
  }
  return parts;
}
