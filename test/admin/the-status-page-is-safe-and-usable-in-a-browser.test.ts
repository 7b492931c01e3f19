// The page at /, in a real Chromium: what clients chose stays text, nothing is blocked by the page's own policy, a
// phone shows it without sideways scrolling, sorting sorts, and a session ends only after a person has said so twice.

import { test } from 'tap';
import { needs } from '../support/run/tools.ts';
import { openPage } from './browser.ts';
import { exampleGate, exampleSession, startAdmin } from './example-gate.ts';

const hostile = `<script>document.title = 'owned'</script><img src=x onerror="document.title='owned'">`;
const sessions = [
  exampleSession({ id: '1', user: 'alice', bytes_out: 5, client_dn: `CN="'&<b>` }),
  exampleSession({ id: '2', user: hostile, application_name: hostile, database: hostile, bytes_out: 50 }),
  exampleSession({ id: '3', user: '\u202Eecila', bytes_out: 500 }),
];

await test('the status page', needs('chromium'), async (t) => {
  const gate = exampleGate(sessions, {
    readiness: async () => ({ ready: false, reasons: [`the upstream does not answer ${hostile}`] }),
    rules: async () => [{ file: '/etc/pg_hba.conf', line: 1, rule: hostile, hits: 1 }],
    status: async () => ({
      version: '0.1.0',
      startedAt: new Date(),
      draining: false,
      lastReload: {
        at: new Date(),
        ok: false,
        errors: [
          { file: '/etc/pg_hba.conf', line: 7, message: `invalid authentication method "${hostile}"` },
        ],
      },
    }),
  });
  const url = await startAdmin(t, gate.view);
  const { page, complaints } = await openPage(t, url);

  t.equal(await page.title(), 'pg-gatehouse', 'no name became markup');
  t.equal(await page.locator('script').count(), 1, 'the page has its own script and no other');
  t.equal(await page.locator('img').count(), 0);
  const text = await page.locator('body').innerText();
  t.equal(text.split(hostile).length - 1, 6, 'user, application, database, reason, rule and error stay text');
  t.match(text, `CN="'&<b>`);
  t.match(text, '\\u{202e}ecila', 'a right-to-left override is shown, not obeyed');
  t.match(text, 'not ready');
  t.match(text, '/etc/pg_hba.conf:7: invalid authentication method');
  t.match(text, /server\s+CN=db\.example\.com.*20 days/s, 'days that the certificate has left');
  t.match(text, /CN=Example CA\s+2\s.*3 days/s, 'days that the revocation list has left');

  const users = page.locator('table.sessions tbody tr td:first-child');
  await page.getByRole('link', { name: 'Bytes out' }).click();
  t.match(
    (await users.allInnerTexts()).map((user) => user.slice(0, 3)),
    ['ali', '<sc', '\\u{'],
    'ascending',
  );
  await page.getByRole('link', { name: 'Bytes out' }).click();
  t.match(
    (await users.allInnerTexts()).map((user) => user.slice(0, 3)),
    ['\\u{', '<sc', 'ali'],
    'descending',
  );

  await page.setViewportSize({ width: 390, height: 844 });
  const content = await page.evaluate<number>('document.documentElement.scrollWidth');
  t.equal(content, 390, 'a phone need not scroll sideways');

  const terminate = page.locator('button[data-session="1"]');
  await terminate.click();
  const dialog = page.getByRole('dialog');
  t.match(await dialog.innerText(), 'End session 1 of alice from 192.0.2.7 port 50312?');
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'hidden' });
  t.strictSame(gate.terminated, [], 'Enter keeps the session');

  await terminate.click();
  await page.getByRole('button', { name: 'End it' }).click();
  await page.getByRole('heading', { name: 'Live sessions (2)' }).waitFor();
  t.strictSame(gate.terminated, ['1'], 'the session was ended, once');

  const gone = page.locator('button[data-session="3"]');
  await gate.view.terminate('3');
  await gone.click();
  await page.getByRole('button', { name: 'End it' }).click();
  await page.getByText('Session 3 was not ended: no such session').waitFor();

  const blocked = complaints.filter((complaint) => !complaint.includes('404'));
  t.strictSame(blocked, [], 'no script failed and the policy blocked nothing the page needs');
});

await test('another site in the same browser', needs('chromium'), async (t) => {
  const gate = exampleGate();
  const url = await startAdmin(t, gate.view);
  const other = await startAdmin(t, exampleGate().view);
  const { page } = await openPage(t, `${other}/healthz`);
  const answers = await page.evaluate(async (target) => {
    const send = (path: string, method: string, mode: 'cors' | 'no-cors'): Promise<string> =>
      fetch(target + path, { method, mode }).then(
        async (answer) => answer.text(),
        () => 'blocked',
      );
    return [
      await send('/reload', 'POST', 'no-cors'),
      await send('/sessions/1-17', 'DELETE', 'cors'),
      await send('/sessions', 'GET', 'cors'),
    ];
  }, url);
  t.strictSame(answers, ['blocked', 'blocked', 'blocked'], 'it reads nothing');
  t.equal(gate.reloads, 0, 'its POST reloads nothing');
  t.strictSame(gate.terminated, [], 'its DELETE ends nothing');
});
