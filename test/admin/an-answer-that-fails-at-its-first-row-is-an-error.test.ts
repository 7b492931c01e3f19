// Long answers are made while they are sent. One that fails before its first piece has been sent nothing, so its reader is
// told; one that fails later is cut off, so that nobody takes it for whole.

import { test } from 'tap';
import { exampleGate, startAdmin } from './example-gate.ts';

/** Rules that cannot be read on after `whole` of them. */
function failingRules(whole: number) {
  return {
    length: whole + 1,
    *[Symbol.iterator]() {
      for (let line = 1; line <= whole; line++)
        yield { file: '/etc/gatehouse/pg_hba.conf', line, rule: 'host all all all reject', hits: 0 };
      throw new Error(`cannot read /etc/gatehouse/pg_hba.conf:${whole + 1}`);
    },
  };
}

await test('a failure is told while it can be, and logged always', async (t) => {
  let rules = failingRules(0);
  const errors: unknown[] = [];
  const { view } = exampleGate([], { rules: async () => rules });
  const url = await startAdmin(t, view, { onError: (error) => errors.push(error) });
  const early = await fetch(`${url}/rules`);
  t.equal(early.status, 500);
  t.strictSame(await early.json(), { error: 'internal error' });
  t.match(errors, [{ message: 'cannot read /etc/gatehouse/pg_hba.conf:1' }]);
  rules = failingRules(2000);
  const late = await fetch(`${url}/rules`);
  t.equal(late.status, 200);
  await t.rejects(late.text(), TypeError);
  t.match(errors, [{}, { message: 'cannot read /etc/gatehouse/pg_hba.conf:2001' }]);
});
