// The page asks again by itself. What a person has scrolled to, ticked, typed, opened and focused stays; a gate that does
// not answer is said; a paused page asks nothing.

import { test } from 'tap';
import type { FullSessionRow } from '../../src/session/session-row.ts';
import { needs } from '../support/run/tools.ts';
import { openPage } from './browser.ts';
import { exampleGate, exampleSession, startAdmin } from './example-gate.ts';

/** The newest session is the first. */
function session(second: number, changes: Partial<FullSessionRow> = {}): FullSessionRow {
  const start = new Date(Date.UTC(2026, 2, 1, 12, 0, second)).toISOString();
  return exampleSession({ id: `1-${second}`, user: `user${second}`, backend_start: start, ...changes });
}

/** What a person has before his eyes and under his hands; run in the page. */
const PLACE = `({
  top: Math.round(document.getElementById('s-1-30').getBoundingClientRect().top),
  focus: document.activeElement.id,
  ticked: [...document.querySelectorAll('input[name=session]:checked')].map((box) => box.value),
  chosen: String(getSelection()),
  details: document.getElementById('d-1-30') !== null,
  button: document.getElementById('end-selected').textContent,
})`;

const MARK_AND_FOCUS = `{
  getSelection().selectAllChildren(document.querySelector('#s-1-29 td.user'));
  document.getElementById('e-1-28').focus({ preventScroll: true });
}`;

await test('a refresh', needs('chromium'), async (t) => {
  let rows = Array.from({ length: 60 }, (_, index) => session(index + 1));
  let asked = 0;
  let isSilent = false;
  const gate = exampleGate([], {
    fullSessions: async () => {
      asked += 1;
      if (isSilent) throw new Error('no answer');
      return rows;
    },
    refusals: async () => [],
  });
  const url = await startAdmin(t, gate.view);
  const { page } = await openPage(t, 'about:blank');
  await page.clock.install();
  await page.goto(`${url}/?open=1-30`);
  await page.locator('#c-1-40').check();
  await page.locator('#c-1-20').check();
  await page.locator('#s-1-30').scrollIntoViewIfNeeded();
  await page.evaluate(MARK_AND_FOCUS);
  const before = await page.evaluate(PLACE);
  t.match(before, { focus: 'e-1-28', ticked: ['1-40', '1-20'], chosen: 'user29', details: true });
  t.match(before, { button: 'End 2 selected' });

  // Two new ones above, one gone above, another state.
  rows = [...rows.filter(({ id }) => id !== '1-50'), session(61), session(62, { state: 'active' })];
  await page.clock.fastForward(5000);
  await page.locator('#s-1-62').waitFor({ state: 'attached' });
  t.equal(await page.locator('#s-1-50').count(), 0, 'it asked again by itself');
  t.strictSame(
    await page.evaluate(PLACE),
    before,
    'place, focus, ticks, marked text and details are where they were',
  );

  rows = rows.filter(({ id }) => id !== '1-40');
  await page.clock.fastForward(5000);
  await page.locator('#c-1-40').waitFor({ state: 'detached' });
  t.match(
    await page.evaluate(PLACE),
    { ticked: ['1-20'], button: 'End 1 selected' },
    'what has ended is not selected',
  );

  await page.getByRole('searchbox').fill('user2');
  await page.locator('#found', { hasText: '11 sessions' }).waitFor();
  rows = [...rows, session(63, { user: 'user2b' })];
  await page.clock.fastForward(5000);
  await page.locator('#found', { hasText: '12 sessions' }).waitFor();
  t.equal(await page.getByRole('searchbox').inputValue(), 'user2', 'what was typed stays');
  t.equal(await page.evaluate('document.activeElement.id'), 'q');
  t.match(page.url(), /q=user2/, 'and is in the address');

  isSilent = true;
  await page.clock.fastForward(5000);
  await page.locator('#stale', { hasText: 'The gate answered with 500' }).waitFor();
  t.equal(await page.locator('#session-table tbody tr').count(), 12, 'what was there stays');
  isSilent = false;
  await page.clock.fastForward(5000);
  await page.locator('#stale:empty').waitFor({ state: 'attached' });

  await page.getByRole('button', { name: 'Pause' }).click();
  const then = asked;
  await page.clock.fastForward(60_000);
  await fetch(`${url}/healthz`);
  t.equal(asked, then, 'a paused page asks nothing');
  const answered = page.waitForResponse((answer) => answer.url() === page.url());
  await page.getByRole('button', { name: 'Resume' }).click();
  await answered;
  t.equal(asked, then + 1);
});
