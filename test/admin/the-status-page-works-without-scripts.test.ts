// A browser without scripts filters, sorts, turns pages, opens details and ends sessions, one or several, after it has
// been asked. A form that another page has made ends nothing.

import { test } from 'tap';
import { needs } from '../support/run/tools.ts';
import { openPage } from './browser.ts';
import { exampleGate, exampleSession, startAdmin } from './example-gate.ts';

const sessions = Array.from({ length: 250 }, (_, index) =>
  exampleSession({
    id: `7-${String(index).padStart(3, '0')}`,
    user: index < 120 ? 'app' : 'batch',
    backend_start: new Date(Date.UTC(2026, 2, 1) - index * 1000).toISOString(),
    client_port: 50_000 + index,
  }),
);

await test('in a browser', needs('chromium'), async (t) => {
  const gate = exampleGate(sessions);
  const url = await startAdmin(t, gate.view);
  const { page, complaints } = await openPage(t, url, { javaScriptEnabled: false });
  const rows = page.locator('#session-table tbody tr[id^=s-]');
  const found = page.locator('#found');

  t.equal(await found.innerText(), '1 to 100 of 250 sessions');
  await page.getByRole('link', { name: 'Next' }).click();
  await page.getByRole('link', { name: 'Next' }).click();
  t.equal(await found.innerText(), '201 to 250 of 250 sessions');
  t.equal(await rows.count(), 50);

  await page.getByRole('searchbox').fill('batch');
  await page.getByRole('button', { name: 'Filter' }).click();
  t.equal(await found.innerText(), '1 to 100 of 130 sessions');
  await page.getByRole('link', { name: 'Client', exact: true }).click();
  t.match(page.url(), /q=batch/, 'sorting keeps the filter');

  await page.locator('#o-7-121').click();
  t.match(await page.locator('#d-7-121').innerText(), /Issuer\s+CN=Example CA/, 'details');
  await page.locator('#e-7-121').click();
  t.match(await page.locator('main').innerText(), /End 1 session\?\s+batch on orders from 192.0.2.7:50121/);
  await page.getByRole('link', { name: 'Keep' }).click();
  t.match(page.url(), /q=batch.*open=7-121/, 'back where it was');
  t.strictSame(gate.terminated, [], 'nothing was ended');

  await page.locator('#c-7-122').check();
  await page.locator('#c-7-123').check();
  await gate.view.terminate('7-123');
  await page.getByRole('button', { name: 'End selected' }).click();
  t.match(await page.locator('main').innerText(), /End 2 sessions\?.*1 session that/s);
  await page.getByRole('button', { name: 'End', exact: true }).click();
  t.equal(await page.locator('#notice').innerText(), '1 session was ended. 1 session had ended already.');
  t.strictSame(gate.terminated, ['7-123', '7-122', '7-123']);
  t.match(page.url(), /q=batch/);
  await page.getByRole('link', { name: 'Refresh' }).click();
  t.equal(await page.locator('#notice').innerText(), '', 'what was done is said once');
  t.equal(await found.innerText(), '1 to 100 of 128 sessions');
  t.strictSame(complaints, []);
});

await test('forms that no page of this listener has made', async (t) => {
  const gate = exampleGate(sessions.slice(0, 3));
  const url = await startAdmin(t, gate.view);
  const post = async (fields: readonly (readonly [string, string])[], headers = {}): Promise<Response> =>
    await fetch(`${url}/sessions/end`, {
      method: 'POST',
      body: new URLSearchParams(fields.map(([name, value]) => [name, value])),
      headers,
      redirect: 'manual',
    });
  const token = /name="token" value="([0-9a-f]{32})"/.exec(await (await fetch(url)).text())?.[1] ?? '';
  const all: [string, string][] = [
    ['confirmed', 'yes'],
    ['session', '7-000'],
  ];
  for (const wrong of ['', token.slice(1), `${token}0`, 'é'.repeat(16), 'é'.repeat(32), '0'.repeat(32)]) {
    const answer = await post([['token', wrong], ...all]);
    t.equal(answer.status, 403);
    t.match(await answer.text(), /Nothing was ended/);
  }
  t.equal((await post(all)).status, 403);
  for (const origin of ['http://evil.example', 'null'])
    t.equal(
      (await post([['token', token], ...all], { origin })).status,
      403,
      'another site, even with the token',
    );
  t.strictSame(gate.terminated, []);

  const elsewhere = await post([['token', token], ['back', '//evil.example/?q=x&open=\r\nx: y'], ...all]);
  t.equal(elsewhere.status, 303);
  t.match(elsewhere.headers.get('location'), /^\/\?q=x&open=%0D%0Ax%3A\+y&done=[0-9a-f]{32}$/);
  t.strictSame(gate.terminated, ['7-000']);
  const nothing = await post([
    ['token', token],
    ['confirmed', 'yes'],
  ]);
  t.match(
    await (await fetch(url + (nothing.headers.get('location') ?? ''))).text(),
    /No session was selected/,
  );
  const large = await post([
    ['token', token],
    ['session', 'x'.repeat(40_000)],
  ]);
  t.equal(large.status, 413, 'a form has a limit');
  t.equal((await fetch(`${url}/sessions/end`, { method: 'POST', body: '{}' })).status, 403, 'no form at all');
});
