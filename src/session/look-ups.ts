// Questions to the resolver about clients that no rule has admitted yet. Each blocks one of the few threads that files,
// passwords and names share, for as long as a silent name server takes. So they are few and shared, and answers are
// kept.

import { GatehouseError } from '../base/errors.ts';
import { withSignal } from './end-signal.ts';

/**
 * The most questions at one time. libuv gives names half of its threads: four of the eight that the gate has. Two of
 * them stay free for the upstream's own name.
 */
const AT_ONCE = 2;

/**
 * A zone that has taken longer than this, in milliseconds, is slow for `SLOW_FOR_MS`; all slow zones share one place.
 */
const SLOW_MS = 1_000;
const SLOW_FOR_MS = 60_000;
const MOST_SLOW_ZONES = 1_024;

/** An answer or a failure stands for this long, in milliseconds. */
const KEPT_FOR_MS = 10_000;
const MOST_KEPT = 4_096;

/** Longest wait for a question that is being asked, in milliseconds. The resolver's own limits end it earlier. */
const DEADLINE_MS = 30_000;

/** What the resolver said; a failure is an answer too. */
export type Answer<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

interface Question<T> {
  readonly key: string;
  readonly zone: string;
  readonly ask: () => Promise<T>;
  readonly answer: PromiseWithResolvers<Answer<T>>;
  /** How many connections wait for it. */
  waiting: number;
}

/** Asks one kind of question. A process has one object for each kind. */
export class LookUps<T> {
  /** Asked or about to be asked, by key. */
  readonly #open = new Map<string, Question<T>>();
  readonly #queue: Question<T>[] = [];
  /** Being asked. */
  readonly #asking = new Set<Question<T>>();
  readonly #kept = new Map<string, { readonly at: number; readonly answer: Answer<T> }>();
  /** Slow zones, with the time until when they are. */
  readonly #slow = new Map<string, number>();

  readonly #slowMs: number;

  /** @param slowMs how long a question of a zone may take before the zone counts as slow */
  constructor(slowMs = SLOW_MS) {
    this.#slowMs = slowMs;
  }

  /**
   * Answers a question: from what is kept, together with connections that already wait for it, or by asking.
   *
   * @param key tells questions apart
   * @param zone whose name servers decide how long it takes: one question of a zone at a time, so that a dead one holds
   *   one thread at most
   * @param signal ends the wait. A question that no connection waits for is not asked
   * @throws the signal's reason; GatehouseError `host-name-timeout` where the resolver does not come back
   */
  async get(key: string, zone: string, ask: () => Promise<T>, signal: AbortSignal): Promise<Answer<T>> {
    signal.throwIfAborted();
    const kept = this.#kept.get(key);
    if (kept !== undefined && performance.now() - kept.at < KEPT_FOR_MS) return kept.answer;
    const question = this.#open.get(key) ?? this.#enqueue(key, zone, ask);
    question.waiting++;
    try {
      return await withSignal(question.answer.promise, signal);
    } finally {
      question.waiting--;
      if (question.waiting === 0 && !this.#asking.has(question)) this.#drop(question);
    }
  }

  #enqueue(key: string, zone: string, ask: () => Promise<T>): Question<T> {
    const question = { key, zone, ask, answer: Promise.withResolvers<Answer<T>>(), waiting: 0 };
    // It may fail when no connection waits for it any more.
    question.answer.promise.catch(() => {});
    this.#open.set(key, question);
    this.#queue.push(question);
    this.#next();
    return question;
  }

  #drop(question: Question<T>): void {
    const index = this.#queue.indexOf(question);
    if (index < 0) return;
    this.#queue.splice(index, 1);
    this.#open.delete(question.key);
  }

  #next(): void {
    while (this.#asking.size < AT_ONCE) {
      const index = this.#queue.findIndex((question) => this.#mayAsk(question));
      const [question] = index < 0 ? [] : this.#queue.splice(index, 1);
      if (question === undefined) return;
      void this.#ask(question);
    }
  }

  /** SECURITY: without this the clients of one dead zone hold every thread, and no other client gets an answer. */
  #mayAsk({ zone }: Question<T>): boolean {
    const asking = [...this.#asking].map((question) => question.zone);
    return !asking.includes(zone) && !(this.#isSlow(zone) && asking.some((other) => this.#isSlow(other)));
  }

  async #ask(question: Question<T>): Promise<void> {
    this.#asking.add(question);
    const begin = performance.now();
    const slow = setTimeout(() => this.#markSlow(question.zone), this.#slowMs);
    const late = setTimeout(() => question.answer.reject(tooLate()), DEADLINE_MS);
    // A look-up that hangs must not keep a gate from shutting down.
    slow.unref();
    late.unref();
    const answer = await question.ask().then(
      (value): Answer<T> => ({ ok: true, value }),
      (error: unknown): Answer<T> => ({ ok: false, error }),
    );
    clearTimeout(slow);
    clearTimeout(late);
    // The timer may be late.
    if (performance.now() - begin >= this.#slowMs) this.#markSlow(question.zone);
    this.#asking.delete(question);
    this.#open.delete(question.key);
    this.#keep(question.key, answer);
    question.answer.resolve(answer);
    this.#next();
  }

  #isSlow(zone: string): boolean {
    const until = this.#slow.get(zone);
    return until !== undefined && performance.now() < until;
  }

  #markSlow(zone: string): void {
    putBounded(this.#slow, zone, performance.now() + SLOW_FOR_MS, MOST_SLOW_ZONES);
  }

  #keep(key: string, answer: Answer<T>): void {
    putBounded(this.#kept, key, { at: performance.now(), answer }, MOST_KEPT);
  }
}

/** Newest last; the oldest makes room. */
function putBounded<K, V>(map: Map<K, V>, key: K, value: V, most: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= most) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}

function tooLate(): GatehouseError {
  return new GatehouseError('host-name-timeout', {
    message: 'could not look up the host name of the client: the resolver did not answer',
  });
}
