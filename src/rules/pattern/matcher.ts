// A compiled expression as a whole: does it match, and if so, from where to where.

import type { ByteString } from '../../bytestring.ts';
import { Automaton } from './automaton.ts';
import { planRegex } from './plan.ts';
import type { Part } from './plan.ts';
import { Constraints } from './subject.ts';
import type { Subject } from './subject.ts';
import type { Syntax } from './syntax.ts';

/** From the boundary before the first byte to the one behind the last. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export class Matcher {
  readonly plan: Part;
  readonly groupCount: number;
  readonly constraints: Constraints;
  readonly automaton: Automaton;

  /** @throws PatternError when the expression is too complex. */
  constructor(syntax: Syntax) {
    this.groupCount = syntax.groupCount;
    this.plan = planRegex(syntax.regex);
    this.constraints = new Constraints(syntax);
    this.automaton = new Automaton(this.plan.expression, this.constraints.atStartOnly);
  }

  /** Whether there is a match anywhere. */
  test(bytes: ByteString): boolean {
    let found = false;
    this.automaton.forward(this.constraints.judge(bytes), 0, bytes.length, true, () => (found = true));
    return found;
  }

  /** The match that begins first, and of those the longest or the shortest, as the expression prefers. */
  find(subject: Subject): Span | null {
    const { length } = subject.bytes;
    let from = -1;
    this.automaton.backward(subject, 0, length, 'anywhere', (at) => {
      from = at;
      return false;
    });
    if (from === -1) return null;
    let to = from;
    this.automaton.forward(subject, from, length, false, (at) => {
      to = at;
      return this.plan.prefers === 'shorter';
    });
    return { from, to };
  }
}
