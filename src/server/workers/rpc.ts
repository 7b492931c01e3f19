// Calls between the first process and a worker over the channel that Node's fork gives them. Both sides are this very
// program, so what arrives is trusted to have the type that was sent.

import { messageOf } from '../../base/errors.ts';

/** Either end of the channel: a ChildProcess or `process` itself. */
export interface Channel {
  send?(message: Message): unknown;
  on(event: 'message', listener: (message: Message) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
}

/** Methods that one side offers to the other; what they return may be a promise. */
export type Methods = object;

type Message =
  | { readonly kind: 'call'; readonly id: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly kind: 'tell'; readonly method: string; readonly args: readonly unknown[] }
  | { readonly kind: 'return'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'throw'; readonly id: number; readonly message: string };

type Method = (...args: readonly unknown[]) => unknown;

type ArgsOf<M> = M extends (...args: infer Args) => unknown ? Args : never;

type ResultOf<M> = M extends (...args: never[]) => infer Result ? Awaited<Result> : never;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
  /** Gets an answer that comes after the time limit; null = nobody wants it. */
  readonly onLate: ((value: unknown) => void) | null;
}

/** How long an answer may take, in milliseconds: for each method that needs its own time, and for all others. */
export type Limits<Theirs extends Methods> = Readonly<
  Partial<Record<keyof Theirs & string, number>> & { readonly otherwise: number }
>;

/** The other side's methods, called from here. */
export class Remote<Theirs extends Methods> {
  readonly #channel: Channel;
  readonly #limits: Limits<Theirs>;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  #gone = false;

  /**
   * @param ours what the other side may call
   * @param limits how long the other side may take: a process that hangs must not make this one wait for ever
   */
  constructor(channel: Channel, ours: Methods, limits: Limits<Theirs>) {
    this.#channel = channel;
    this.#limits = limits;
    const methods = new Map(Object.entries(ours));
    channel.on('message', (message) => void this.#receive(message, methods));
    channel.on('disconnect', () => this.#disconnected());
  }

  /** Calls a method and waits for what it returns. Rejects when it throws, takes too long, or the other side is gone. */
  async call<Name extends keyof Theirs & string>(
    method: Name,
    ...args: ArgsOf<Theirs[Name]>
  ): Promise<ResultOf<Theirs[Name]>> {
    return await this.#call<Name>(method, args, null);
  }

  /**
   * Calls a method that takes something which has to be given back. An answer that comes after the time limit goes to
   * `giveBack`: the other side has carried the call out all the same, and nobody else would undo it.
   */
  async callOrGiveBack<Name extends keyof Theirs & string>(
    giveBack: (value: ResultOf<Theirs[Name]>) => void,
    method: Name,
    ...args: ArgsOf<Theirs[Name]>
  ): Promise<ResultOf<Theirs[Name]>> {
    return await this.#call<Name>(method, args, giveBack);
  }

  /** Calls a method and does not wait. */
  tell<Name extends keyof Theirs & string>(method: Name, ...args: ArgsOf<Theirs[Name]>): void {
    if (!this.#gone) this.#send({ kind: 'tell', method, args });
  }

  async #call<Name extends keyof Theirs & string>(
    method: Name,
    args: readonly unknown[],
    onLate: ((value: ResultOf<Theirs[Name]>) => void) | null,
  ): Promise<ResultOf<Theirs[Name]>> {
    if (this.#gone) throw new Error('the other process is gone');
    const id = ++this.#last;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const limitMs: number = this.#limits[method] ?? this.#limits.otherwise;
    const timer = setTimeout(() => this.#overdue(id, method, limitMs), limitMs);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the other side is this program too
    this.#waiting.set(id, { resolve, reject, timer, onLate: onLate as Waiting['onLate'] });
    this.#send({ kind: 'call', id, method, args });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the other side is this program too
    return (await promise) as never;
  }

  async #receive(message: Message, ours: ReadonlyMap<string, Method>): Promise<void> {
    switch (message.kind) {
      case 'tell':
        await ours.get(message.method)?.(...message.args);
        return;
      case 'call':
        this.#send(await answer(message.id, () => ours.get(message.method)?.(...message.args)));
        return;
      case 'return':
        this.#settle(message.id)?.resolve(message.value);
        return;
      case 'throw':
        this.#settle(message.id)?.reject(new Error(message.message));
        return;
      default:
        message satisfies never;
    }
  }

  /** After a stop of this very process the answer may have been there for long: it is read first. */
  #overdue(id: number, method: string, limitMs: number): void {
    setImmediate(() => {
      const waiting = this.#settle(id);
      if (waiting === undefined) return;
      waiting.reject(new Error(`the other process has not answered ${method} in ${limitMs} ms`));
      const { onLate } = waiting;
      if (onLate !== null) this.#waiting.set(id, { ...waiting, resolve: onLate, reject: () => {} });
    });
  }

  /** What waits for an answer, once; undefined for an answer that came too late. */
  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) clearTimeout(waiting.timer);
    this.#waiting.delete(id);
    return waiting;
  }

  #send(message: Message): void {
    if (!this.#gone) this.#channel.send?.(message);
  }

  #disconnected(): void {
    this.#gone = true;
    for (const id of this.#waiting.keys()) this.#settle(id)?.reject(new Error('the other process is gone'));
  }
}

async function answer(id: number, run: () => unknown): Promise<Message> {
  try {
    return { kind: 'return', id, value: await run() };
  } catch (error) {
    return { kind: 'throw', id, message: messageOf(error) };
  }
}
