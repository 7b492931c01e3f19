// Questions about users that nobody has admitted yet, asked one after the other. SECURITY: askers take turns, so that one
// address with a thousand names does not keep the others waiting, and the upstream is asked one thing at a time.

import type { ByteString } from '../base/bytestring.ts';

/** Most questions that wait at one time. */
const MAX_WAITING = 1_000;

/** How long a question may wait for its turn, in milliseconds. */
const PATIENCE_MS = 5_000;

interface Question {
  readonly user: ByteString;
  readonly asker: string;
  readonly answer: PromiseWithResolvers<ByteString | null>;
  readonly patience: NodeJS.Timeout;
}

/** A queue with one question in flight. */
export class FairQuestions {
  readonly #ask: (user: ByteString) => Promise<ByteString | null>;
  /** What waits, by asker, in the order of their turns. */
  readonly #queues = new Map<string, Question[]>();
  #size = 0;
  #isAsking = false;

  constructor(ask: (user: ByteString) => Promise<ByteString | null>) {
    this.#ask = ask;
  }

  /**
   * Asks about a user. Connections of one asker share a question that has not been sent yet; one that is under way
   * counts for nothing that comes after it.
   *
   * @throws what the asking throws; Error where there are too many questions or its turn does not come in time
   */
  async get(user: ByteString, asker: string): Promise<ByteString | null> {
    const waiting = this.#queues.get(asker)?.find((each) => each.user === user);
    const question = waiting ?? this.#enqueue(user, asker);
    this.#next();
    return await question.answer.promise;
  }

  #enqueue(user: ByteString, asker: string): Question {
    if (this.#size >= MAX_WAITING) this.#evict();
    const patience = setTimeout(
      () => this.#giveUp(question, 'auth_query could not be asked in time'),
      PATIENCE_MS,
    ).unref();
    const question = { user, asker, answer: Promise.withResolvers<ByteString | null>(), patience };
    const queue = this.#queues.get(asker);
    if (queue === undefined) this.#queues.set(asker, [question]);
    else queue.push(question);
    this.#size++;
    return question;
  }

  /** The asker with the most questions loses its latest. */
  #evict(): void {
    let longest: Question[] = [];
    for (const queue of this.#queues.values()) if (queue.length > longest.length) longest = queue;
    const last = longest.at(-1);
    if (last !== undefined) this.#giveUp(last, 'too many users are being looked up');
  }

  #giveUp(question: Question, reason: string): void {
    this.#remove(question);
    question.answer.reject(new Error(reason));
  }

  #remove(question: Question): void {
    clearTimeout(question.patience);
    const queue = this.#queues.get(question.asker);
    const index = queue?.indexOf(question) ?? -1;
    if (queue === undefined || index < 0) return;
    queue.splice(index, 1);
    this.#size--;
    if (queue.length === 0) this.#queues.delete(question.asker);
  }

  #next(): void {
    if (this.#isAsking) return;
    const [first] = this.#queues;
    if (first === undefined) return;
    const [asker, queue] = first;
    const [question] = queue;
    if (question === undefined) return;
    this.#remove(question);
    // The others have their turn before this one's next.
    if (this.#queues.delete(asker)) this.#queues.set(asker, queue);
    void this.#answer(question);
  }

  async #answer({ user, answer }: Question): Promise<void> {
    this.#isAsking = true;
    try {
      answer.resolve(await this.#ask(user));
    } catch (error) {
      answer.reject(error);
    }
    this.#isAsking = false;
    this.#next();
  }
}
