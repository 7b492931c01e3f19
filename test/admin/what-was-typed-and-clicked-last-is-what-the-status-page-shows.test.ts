// A person is quicker than the gate: types while the answer to a click is under way, or clicks before what was typed has been
// asked for. Both count, and an older answer that comes later changes nothing.

import { test } from 'tap';
import { Arrivals } from '../support/run/waiting.ts';
import { needs } from '../support/run/tools.ts';
import { openPage } from './browser.ts';
import { exampleGate, exampleSession, startAdmin } from './example-gate.ts';

const TYPING_MS = 250;

const clear = { version: null, client_dn: null, certificate: null };
const sessions = [
  exampleSession({ id: '1', user: 'alice', state: 'active' }),
  exampleSession({ id: '2', user: 'alina', ...clear }),
  exampleSession({ id: '3', user: 'bob', ...clear }),
];

/** Types and clicks at once, before anything that was typed is asked for; run in the page. */
const TYPE_AND_CLICK = `{
  const field = document.getElementById('q');
  field.value = 'ali';
  field.dispatchEvent(new InputEvent('input', { bubbles: true }));
  document.getElementById('show-active').click();
}`;

await test('in a browser', needs('chromium'), async (t) => {
  let holds = false;
  const held = new Arrivals<() => void>();
  const gate = exampleGate([], {
    fullSessions: async () => {
      if (holds) await new Promise<void>((resolve) => held.push(resolve));
      return sessions;
    },
  });
  const url = await startAdmin(t, gate.view);
  const { page, complaints } = await openPage(t, 'about:blank');
  await page.clock.install();
  await page.goto(url);
  const users = page.locator('#session-table td.user');
  const found = (text: string) => page.locator('#found', { hasText: text }).waitFor();
  const asked = (count: number) =>
    held.next(
      () => held.items.length >= count,
      () => `request ${count}`,
    );

  holds = true;
  await page.locator('#show-clear').click();
  await asked(1);
  await page.getByRole('searchbox').fill('ali');
  await page.clock.fastForward(TYPING_MS);
  await asked(2);
  holds = false;
  held.items[1]?.();
  await found('1 session');
  t.strictSame(await users.allInnerTexts(), ['alina'], 'typed while the group was under way, in that group');
  const older = page.waitForEvent('requestfinished');
  held.items[0]?.();
  await older;
  await page.evaluate(`fetch('/healthz').then((answer) => answer.text())`);
  t.strictSame(await users.allInnerTexts(), ['alina'], 'the older answer changes nothing');
  t.equal(new URL(page.url()).search, '?show=clear&q=ali');

  await page.getByRole('searchbox').fill('');
  await page.clock.fastForward(TYPING_MS);
  await found('2 sessions');
  await page.evaluate(TYPE_AND_CLICK);
  await found('1 session');
  t.strictSame(await users.allInnerTexts(), ['alice'], 'clicked before the text was asked for');
  await page.clock.fastForward(TYPING_MS);
  t.equal(new URL(page.url()).search, '?show=active&q=ali', 'and the group stays');

  await page.getByRole('searchbox').fill('nobody');
  await page.clock.fastForward(TYPING_MS);
  await found('0 sessions');
  await page.getByRole('link', { name: 'Show all sessions' }).click();
  await found('3 sessions');
  t.equal(await page.getByRole('searchbox').inputValue(), '', 'what no longer filters is not in the field');
  t.strictSame(complaints, []);
});
