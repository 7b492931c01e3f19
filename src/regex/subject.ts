// A subject and what holds between its bytes: which constraints are met at each boundary, told once before the
// automata run. Lookarounds are automata themselves, run over the whole subject.

import type { ByteString } from '../base/bytestring.ts';
import { Automaton } from './automaton.ts';
import { isWord, NEWLINE } from './bytes.ts';
import { languageOf } from './plan.ts';
import type { SimpleConstraint, Syntax } from './syntax.ts';

/** What stands on one side of a boundary. */
type Side = number;
const EDGE: Side = 0;
const OTHER: Side = 1;
const WORD: Side = 2;
const LINE_BREAK: Side = 3;
const SIDES = 4;

const sideOf: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === NEWLINE ? LINE_BREAK : isWord(byte) ? WORD : OTHER,
);

/** A byte string being matched. */
export class Subject {
  readonly bytes: ByteString;
  readonly #constraints: Uint16Array | null;

  constructor(bytes: ByteString, constraints: Uint16Array | null) {
    this.bytes = bytes;
    this.#constraints = constraints;
  }

  /** The constraints that hold at the boundary before byte `at`, as a mask by their index. */
  constraintsAt(at: number): number {
    return this.#constraints === null ? 0 : this.#constraints[at]!;
  }
}

interface Lookaround {
  readonly bit: number;
  readonly ahead: boolean;
  readonly negated: boolean;
  readonly automaton: Automaton;
}

/** The constraints of an expression, ready to be judged on a subject. */
export class Constraints {
  /** The constraints that hold at the start of a subject and nowhere else, as a mask. */
  readonly atStartOnly: number = 0;
  readonly #count: number;
  readonly #lookarounds: readonly Lookaround[];
  /** By what is before and after a boundary: the simple constraints that hold there. */
  readonly #simple: number[] = Array.from({ length: SIDES * SIDES }, () => 0);

  /** @throws PatternError when a lookaround is too complex. */
  constructor({ constraints, newlineAnchors }: Syntax) {
    this.#count = constraints.length;
    const lookarounds: Lookaround[] = [];
    for (const [index, constraint] of constraints.entries()) {
      const bit = 1 << index;
      if (constraint.kind === 'look') {
        const { ahead, negated, body } = constraint;
        lookarounds.push({
          bit,
          ahead,
          negated,
          automaton: new Automaton(languageOf(body), this.atStartOnly),
        });
        continue;
      }
      if (constraint.name === 'string-start' || (constraint.name === 'line-start' && !newlineAnchors)) {
        this.atStartOnly |= bit;
      }
      for (let sides = 0; sides < SIDES * SIDES; sides++) {
        const holds = holdsBetween(constraint.name, Math.floor(sides / SIDES), sides % SIDES, newlineAnchors);
        if (holds) this.#simple[sides]! |= bit;
      }
    }
    this.#lookarounds = lookarounds;
  }

  /** The automata that judge lookarounds. */
  get automata(): readonly Automaton[] {
    return this.#lookarounds.map(({ automaton }) => automaton);
  }

  /** How many combinations of constraints there can be at a boundary. */
  get contexts(): number {
    return 2 ** this.#lookarounds.length * (this.#count > this.#lookarounds.length ? SIDES * SIDES : 1);
  }

  /** Judges all boundaries of a subject. */
  judge(bytes: ByteString): Subject {
    if (this.#count === 0) return new Subject(bytes, null);
    const holding = new Uint16Array(bytes.length + 1);
    let before = EDGE;
    for (let at = 0; at <= bytes.length; at++) {
      const after = at === bytes.length ? EDGE : sideOf[bytes.charCodeAt(at)]!;
      holding[at] = this.#simple[before * SIDES + after]!;
      before = after;
    }
    const subject = new Subject(bytes, holding);
    // A lookaround's own constraints have lower numbers and are settled before it.
    for (const { bit, ahead, negated, automaton } of this.#lookarounds) {
      const found = (at: number): boolean => {
        holding[at]! |= bit;
        return false;
      };
      if (ahead) automaton.backward(subject, 0, bytes.length, 'anywhere', found);
      else automaton.forward(subject, 0, bytes.length, true, found);
      if (negated) for (let at = 0; at <= bytes.length; at++) holding[at]! ^= bit;
    }
    return subject;
  }
}

function holdsBetween(name: SimpleConstraint, before: Side, after: Side, newlineAnchors: boolean): boolean {
  const wordBefore = before === WORD;
  const wordAfter = after === WORD;
  switch (name) {
    case 'line-start':
      return before === EDGE || (newlineAnchors && before === LINE_BREAK);
    case 'line-end':
      return after === EDGE || (newlineAnchors && after === LINE_BREAK);
    case 'string-start':
      return before === EDGE;
    case 'string-end':
      return after === EDGE;
    case 'word-start':
      return !wordBefore && wordAfter;
    case 'word-end':
      return wordBefore && !wordAfter;
    case 'word-edge':
      return wordBefore !== wordAfter;
    case 'not-word-edge':
      return wordBefore === wordAfter;
    default:
      return name satisfies never;
  }
}
