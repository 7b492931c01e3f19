// Where the captures are in a match: the match is divided along the plan, each division settled by one run
// from either side, so that nothing is ever tried and taken back.

import type { ByteString } from '../base/bytestring.ts';
import { Automaton } from './automaton.ts';
import { widthOf } from './expression.ts';
import type { Matcher, Span } from './matcher.ts';
import type { Part } from './plan.ts';
import type { Subject } from './subject.ts';

export class Dissector {
  readonly #matcher: Matcher;
  readonly #automata = new Map<Part, Automaton>();

  constructor(matcher: Matcher) {
    this.#matcher = matcher;
  }

  /** What each group captured, or null when there is no match. */
  captures(bytes: ByteString): readonly (ByteString | null)[] | null {
    const { constraints, groupCount, plan } = this.#matcher;
    const subject = constraints.judge(bytes);
    const span = this.#matcher.find(subject);
    if (span === null) return null;
    const groups = Array.from({ length: groupCount }, (): ByteString | null => null);
    this.#divide(plan, subject, span, groups);
    return groups;
  }

  #automatonOf(part: Part): Automaton {
    let automaton = this.#automata.get(part);
    if (automaton === undefined) {
      automaton = new Automaton(part.expression, this.#matcher.constraints.atStartOnly);
      this.#automata.set(part, automaton);
    }
    return automaton;
  }

  /** Assigns the captures within a part that is known to match the span. */
  #divide(part: Part, subject: Subject, span: Span, groups: (ByteString | null)[]): void {
    if (!part.captures) return;
    for (const group of part.groups) groups[group - 1] = subject.bytes.slice(span.from, span.to);
    const { division } = part;
    switch (division.kind) {
      case 'whole':
        return;
      case 'pair': {
        const middle = this.#middle(division.first, division.second, subject, span);
        this.#divide(division.first, subject, { from: span.from, to: middle }, groups);
        this.#divide(division.second, subject, { from: middle, to: span.to }, groups);
        return;
      }
      case 'choice': {
        const branch = division.branches.find((candidate) => this.#matches(candidate, subject, span));
        if (branch !== undefined) this.#divide(branch, subject, span, groups);
        return;
      }
      case 'iteration': {
        const last = this.#lastIteration(division.body, division.max, subject, span);
        if (last !== null) this.#divide(division.body, subject, last, groups);
        return;
      }
      default:
        division satisfies never;
    }
  }

  /** Where the first ends and the second begins: as late or as early as the first prefers. */
  #middle(first: Part, second: Part, subject: Subject, { from, to }: Span): number {
    const firstWidth = widthOf(first.expression);
    if (!Number.isNaN(firstWidth)) return from + firstWidth;
    const secondWidth = widthOf(second.expression);
    if (!Number.isNaN(secondWidth)) return to - secondWidth;
    const good = new Uint8Array(to - from + 1);
    this.#automatonOf(second).backward(subject, from, to, 'to', (at) => {
      good[at - from] = 1;
      return false;
    });
    return this.#pickEnd(first, subject, { from, to }, (at) => good[at - from] === 1);
  }

  /** The end that a part prefers among the good ones, if it begins where the span does. */
  #pickEnd(part: Part, subject: Subject, { from, to }: Span, good: (at: number) => boolean): number {
    let end = from;
    this.#automatonOf(part).forward(subject, from, to, false, (at) => {
      if (!good(at)) return false;
      end = at;
      return part.prefers === 'shorter';
    });
    return end;
  }

  #matches(part: Part, subject: Subject, { from, to }: Span): boolean {
    let found = false;
    this.#automatonOf(part).backward(subject, from, to, 'to', (at) => (found ||= at === from));
    return found;
  }

  /**
   * The span of the last of the iterations, whose captures are the ones that count; null when there are none.
   * Each is as long or as short as the body prefers, and none is empty. Only an empty span is iterated over
   * once if the body can match it, unless it prefers less to more.
   */
  #lastIteration(body: Part, max: number, subject: Subject, span: Span): Span | null {
    if (span.from === span.to) {
      return body.prefers !== 'shorter' && this.#matches(body, subject, span) ? span : null;
    }
    if (max === 1) return span;
    const automaton = this.#automatonOf(body);
    const iteration = automaton.iterate(subject, span.from, span.to);
    let { from } = span;
    let to = from;
    const visit = (at: number): boolean => {
      if (at === from || iteration.good[at - span.from] === 0) return false;
      to = at;
      return body.prefers === 'shorter';
    };
    for (let count = 1; count <= max; count++) {
      automaton.forward(subject, from, span.to, false, visit, iteration);
      if (to === span.to) return { from, to };
      from = to;
    }
    return this.#lastOfFew(body, max, subject, span);
  }

  /** The same where the division that ignores `max` needs more iterations than that. */
  #lastOfFew(body: Part, max: number, subject: Subject, span: Span): Span {
    const needed = this.#iterationsNeeded(body, max, subject, span);
    let { from } = span;
    for (let left = max - 1; ; left--) {
      const begin = from;
      const isGood = (at: number): boolean => at > begin && needed[at - span.from]! <= left;
      const to = this.#pickEnd(body, subject, { from, to: span.to }, isGood);
      if (to === span.to || left === 0) return { from, to };
      from = to;
    }
  }

  /** For each boundary of the span how many iterations it takes from there to the end, if fewer than `max`. */
  #iterationsNeeded(body: Part, max: number, subject: Subject, { from, to }: Span): Uint8Array {
    const needed = new Uint8Array(to - from + 1).fill(255);
    needed[to - from] = 0;
    const ends = new Uint8Array(to - from + 1);
    ends[to - from] = 1;
    for (let count = 1, grown = true; count < max && grown; count++) {
      grown = false;
      const starts: number[] = [];
      this.#automatonOf(body).backward(subject, from, to, ends, (at) => {
        if (needed[at - from] === 255) starts.push(at - from);
        return false;
      });
      for (const start of starts) {
        needed[start] = count;
        ends[start] = 1;
        grown = true;
      }
    }
    return needed;
  }
}
