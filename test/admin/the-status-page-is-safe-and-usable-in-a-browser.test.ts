// The page at /, in a real Chromium: what clients chose stays text, nothing is blocked by the page's own policy, sorting
// and filtering work, a code leads to what it means, and a session ends only after a person has said so twice.

import { test } from 'tap';
import { needs } from '../support/run/tools.ts';
import { openPage } from './browser.ts';
import { exampleGate, exampleSession, startAdmin } from './example-gate.ts';

const hostile = `<script>document.title = 'owned'</script><img src=x onerror="document.title='owned'">`;
const sessions = [
  exampleSession({ id: '1', user: 'alice', state: 'active', client_dn: `CN="'&<b>` }),
  exampleSession({ id: '2', user: hostile, application_name: hostile, database: hostile, client_dn: 'CN=m' }),
  exampleSession({ id: '3', user: '\u202Eecila', version: null, client_dn: null, certificate: null }),
];
const refusal = {
  time: new Date().toISOString(),
  level: 'info',
  code: 'client-cert-revoked',
  msg: `client certificate verification failed ${hostile}`,
  id: '9',
  host: '192.0.2.9',
  port: 4711,
  user: hostile,
  database: 'd',
  rule: '/etc/pg_hba.conf:3',
};

await test('the status page', needs('chromium'), async (t) => {
  const gate = exampleGate(sessions, {
    readiness: async () => ({ ready: false, reasons: [`the upstream does not answer ${hostile}`] }),
    rules: async () => [{ file: '/etc/pg_hba.conf', line: 1, rule: hostile, hits: 1 }],
    refusals: async () => [refusal],
    status: async () => ({
      version: '0.1.0',
      startedAt: new Date(),
      draining: false,
      lastReload: {
        at: new Date(),
        ok: false,
        errors: [
          {
            file: '/etc/pg_hba.conf',
            line: 7,
            message: `invalid authentication method "${hostile}"`,
            detail: 'first line\nsecond line',
            hint: 'Did you mean "cert"?',
          },
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
  t.equal(text.split(hostile).length - 1, 8, 'user, application, database, reasons and rule stay text');
  t.match(text, `"'&<b>`);
  t.match(text, 'U+202Eecila', 'a right-to-left override is shown, not obeyed');
  t.match(
    text,
    /first line\nsecond line\nDid you mean "cert"\?/,
    'texts of several lines have several lines',
  );
  t.notMatch(text, /\\u\{|\\n/, 'nothing is written as an escape sequence');
  t.match(text, 'Not ready');
  t.match(text, /pg_hba\.conf:7: invalid authentication method/);
  t.match(text, /server\s+CN=db\.example\.com\s+20 d/, 'days that the certificate has left');
  t.match(text, /CN=Example CA\s+2\s+3 d/, 'days that the revocation list has left');

  const users = page.locator('#session-table td.user');
  await page.getByRole('link', { name: 'User', exact: true }).click();
  await page.waitForURL(/sort=user/);
  await page.locator('th[aria-sort=ascending] #sort-user').waitFor();
  t.strictSame(
    (await users.allInnerTexts()).map((user) => user.slice(0, 3)),
    ['<sc', 'ali', 'U+2'],
    'ascending',
  );
  await page.getByRole('link', { name: 'User', exact: true }).click();
  await page.locator('th[aria-sort=descending] #sort-user').waitFor();
  t.strictSame(
    (await users.allInnerTexts()).map((user) => user.slice(0, 3)),
    ['U+2', 'ali', '<sc'],
    'descending',
  );
  await page.locator('#show-clear').click();
  await page.locator('#found', { hasText: '1 session' }).waitFor();
  t.match(await users.allInnerTexts(), [/ecila/], 'a group alone');
  await page.locator('#show-all').click();
  // The group had one session as well: without this, the wait below would be over before the text has filtered.
  await page.locator('#found', { hasText: '3 sessions' }).waitFor();
  await page.getByRole('searchbox').fill('ALICE');
  await page.locator('#found', { hasText: '1 session' }).waitFor();
  t.strictSame(await users.allInnerTexts(), ['alice'], 'a text filters, in any case of letters');
  await page.getByRole('searchbox').fill('');
  await page.locator('#found', { hasText: '3 sessions' }).waitFor();

  const end = page.locator('#e-1');
  await end.click();
  const dialog = page.getByRole('dialog');
  t.match(await dialog.innerText(), 'End the session of alice from 192.0.2.7:50312?');
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'hidden' });
  t.strictSame(gate.terminated, [], 'Enter keeps the session');

  await end.click();
  await dialog.getByRole('button', { name: 'End', exact: true }).click();
  await page.getByText('1 session was ended.').waitFor();
  t.strictSame(gate.terminated, ['1'], 'the session was ended, once');
  t.equal(await page.locator('#s-1').count(), 0, 'and it has left the list');

  await page.locator('#select-all').check();
  await page.getByRole('button', { name: 'End 2 selected' }).click();
  t.match(await dialog.innerText(), 'End 2 sessions?');
  // Not before they are chosen: a refresh would take the ended one out of the list, and so out of the choice.
  await gate.view.terminate('3');
  await dialog.getByRole('button', { name: 'End', exact: true }).click();
  await page.getByText('1 session was ended. 1 session had ended already.').waitFor();
  await page.getByText('Nobody is connected.').waitFor();

  await page.getByRole('link', { name: 'client-cert-revoked' }).click();
  await page.waitForURL(/\/errors#client-cert-revoked$/);
  const meaning = page.locator('section', { has: page.locator('[id="client-cert-revoked"]') });
  t.match(await meaning.innerText(), /revo.*Look at/s, 'the code says what to do');
  t.strictSame(complaints, [], 'no script failed and the policy blocked nothing the page needs');
});

await test('another site in the same browser', needs('chromium'), async (t) => {
  const gate = exampleGate();
  const url = await startAdmin(t, gate.view);
  const other = await startAdmin(t, exampleGate().view);
  const { page } = await openPage(t, `${other}/healthz`);
  const answers = await page.evaluate(async (target) => {
    const send = (path: string, method: string, mode: 'cors' | 'no-cors', body?: URLSearchParams) =>
      fetch(target + path, { method, mode, ...(body === undefined ? {} : { body }) }).then(
        async (answer) => answer.text(),
        () => 'blocked',
      );
    return [
      await send('/reload', 'POST', 'no-cors'),
      await send('/sessions/1-17', 'DELETE', 'cors'),
      await send('/sessions', 'GET', 'cors'),
      await send(
        '/sessions/end',
        'POST',
        'no-cors',
        new URLSearchParams({ session: '1-17', confirmed: 'yes' }),
      ),
    ];
  }, url);
  t.strictSame(answers, ['blocked', 'blocked', 'blocked', 'blocked'], 'it reads nothing');
  t.equal(gate.reloads, 0, 'its POST reloads nothing');
  t.strictSame(gate.terminated, [], 'neither its DELETE nor its form ends anything');
});
