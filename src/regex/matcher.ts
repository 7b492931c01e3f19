// A compiled expression as a whole: does it match, and if so, from where to where.

import type { ByteString } from '../base/bytestring.ts';
import { Automaton } from './automaton.ts';
import { PatternError, regerror } from './error.ts';
import { costToDivide, planRegex } from './plan.ts';
import type { Part } from './plan.ts';
import { Constraints } from './subject.ts';
import type { Subject } from './subject.ts';
import type { Syntax } from './syntax.ts';

/** Word operations that a byte of the subject may cost in a test: five milliseconds for 10 kB, and mostly far less. */
const MAX_COST = 600;
/** The same for finding the captures, each run over the subject counting as some operations in itself. */
const MAX_CAPTURE_COST = 1500;
const RUN_COST = 25;
/** States times contexts: what a subject can make us compute once and for all. */
const MAX_TABLES = 500_000;
/** Up to this many states no automaton can reach any of the limits. */
const SMALL = 64;

/** From the boundary before the first byte to the one after the last. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export class Matcher {
  readonly plan: Part;
  readonly groupCount: number;
  readonly constraints: Constraints;
  readonly automaton: Automaton;
  #testCost: number | undefined;
  #captureCost: number | undefined;

  /** @throws PatternError when the expression is too complex. */
  constructor(syntax: Syntax) {
    this.groupCount = syntax.groupCount;
    this.plan = planRegex(syntax.regex);
    this.constraints = new Constraints(syntax);
    this.automaton = new Automaton(this.plan.expression, this.constraints.atStartOnly);
    this.#limit();
  }

  /** SECURITY: without this a client could choose a name that keeps the process busy. */
  #limit(): void {
    const automata = this.#automata();
    if (automata.length === 1 && this.automaton.size <= SMALL && !this.plan.captures) return;
    const density = sum(automata.map((automaton) => automaton.density));
    const tooComplex =
      density * this.constraints.contexts > MAX_TABLES ||
      this.testCost - RUN_COST > MAX_COST ||
      this.captureCost > MAX_CAPTURE_COST;
    if (tooComplex) throw new PatternError(regerror.tooComplex);
  }

  /** Upper bound of the word operations that a byte of the subject costs in a test, the run itself included. */
  get testCost(): number {
    this.#testCost ??= RUN_COST + sum(this.#automata().map((automaton) => automaton.cost));
    return this.#testCost;
  }

  /** The same for finding the captures. */
  get captureCost(): number {
    this.#captureCost ??=
      2 * this.testCost + costToDivide(this.plan, RUN_COST, this.automaton.cost / this.automaton.size);
    return this.#captureCost;
  }

  #automata(): readonly Automaton[] {
    return [this.automaton, ...this.constraints.automata];
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

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
