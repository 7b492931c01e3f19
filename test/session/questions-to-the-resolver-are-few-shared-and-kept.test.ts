// How many questions the resolver is asked at one time, for whom, and what becomes of those whose clients have gone. The
// resolver is the test itself; that the gate asks this way is shown in test/attacks.

import { test } from 'tap';
import { GatehouseError } from '../../src/base/errors.ts';
import { LookUps } from '../../src/session/look-ups.ts';

/** A resolver that answers when told to. */
class Resolver {
  readonly asked: string[] = [];
  readonly #answers = new Map<string, PromiseWithResolvers<string>>();
  readonly #lookUps: LookUps<string>;

  constructor(slowMs: number) {
    this.#lookUps = new LookUps<string>(slowMs);
  }

  async get(key: string, zone: string, signal = new AbortController().signal): Promise<string> {
    const ask = async (): Promise<string> => {
      this.asked.push(key);
      const answer = Promise.withResolvers<string>();
      this.#answers.set(key, answer);
      return await answer.promise;
    };
    const answer = await this.#lookUps.get(key, zone, ask, signal);
    return answer.ok ? answer.value : `failed: ${String(answer.error)}`;
  }

  answer(key: string): void {
    this.#answers.get(key)?.resolve(`answer to ${key}`);
  }

  fail(key: string): void {
    this.#answers.get(key)?.reject('no');
  }
}

const NEVER_SLOW = 1_000_000;
const ALWAYS_SLOW = 0;

await test('a question is asked once for all who wait, and its answer kept', async (t) => {
  const resolver = new Resolver(NEVER_SLOW);
  const waiting = Array.from({ length: 20 }, async () => await resolver.get('a', 'zone'));
  resolver.answer('a');
  t.strictSame(new Set(await Promise.all(waiting)), new Set(['answer to a']));
  t.equal(await resolver.get('a', 'zone'), 'answer to a');
  const failing = resolver.get('b', 'zone');
  resolver.fail('b');
  t.equal(await failing, 'failed: no');
  t.equal(await resolver.get('b', 'zone'), 'failed: no', 'a failure is kept too');
  t.strictSame(resolver.asked, ['a', 'b']);
});

await test('two at one time, and one of a zone', async (t) => {
  const resolver = new Resolver(NEVER_SLOW);
  const waiting = ['a1', 'a2', 'b1', 'c1'].map(async (key) => await resolver.get(key, key.slice(0, 1)));
  t.strictSame(resolver.asked, ['a1', 'b1']);
  resolver.answer('b1');
  await waiting[2];
  t.strictSame(resolver.asked, ['a1', 'b1', 'c1'], 'zone a waits for itself');
  resolver.answer('a1');
  await waiting[0];
  t.strictSame(resolver.asked, ['a1', 'b1', 'c1', 'a2']);
  for (const key of ['a2', 'c1']) resolver.answer(key);
  await Promise.all(waiting);
});

await test('slow zones have one place between them', async (t) => {
  const resolver = new Resolver(ALWAYS_SLOW);
  const first = ['a1', 'b1'].map(async (key) => await resolver.get(key, key.slice(0, 1)));
  for (const key of ['a1', 'b1']) resolver.answer(key);
  await Promise.all(first);
  const waiting = ['a2', 'b2', 'c1'].map(async (key) => await resolver.get(key, key.slice(0, 1)));
  t.strictSame(resolver.asked.slice(2), ['a2', 'c1'], 'zone b, slow as zone a, waits');
  for (const key of ['a2', 'c1']) resolver.answer(key);
  await Promise.all([waiting[0], waiting[2]]);
  t.strictSame(resolver.asked.slice(4), ['b2']);
  resolver.answer('b2');
  await waiting[1];
});

await test('a question that nobody waits for any more is not asked', async (t) => {
  const resolver = new Resolver(NEVER_SLOW);
  const gone = new AbortController();
  const one = resolver.get('a1', 'a');
  const left = [resolver.get('a2', 'a', gone.signal), resolver.get('a2', 'a', gone.signal)];
  const other = resolver.get('a3', 'a');
  gone.abort(new GatehouseError('client-gave-up'));
  for (const each of left) await t.rejects(each, { code: 'client-gave-up' });
  await t.rejects(resolver.get('a4', 'a', gone.signal), { code: 'client-gave-up' });
  resolver.answer('a1');
  await one;
  resolver.answer('a3');
  await other;
  t.strictSame(resolver.asked, ['a1', 'a3']);
});
