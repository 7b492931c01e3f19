// The page as a browser lays it out: at 390, 800, 1280 and 1920 pixels, light and dark, with 0, 3, 60 and 2,000 sessions.
// Nothing is wider than the window, a session is one line from 800 pixels on, and every text has WCAG AA's contrast.

import { test } from 'tap';
import type { SessionState } from '../../src/session/session-row.ts';
import { needs } from '../support/run/tools.ts';
import { openBrowser, pageOf } from './browser.ts';
import { exampleCertificate, exampleCrl, exampleGate, exampleSession, startAdmin } from './example-gate.ts';

const DAY_MS = 24 * 3600 * 1000;
const STATES: readonly SessionState[] = ['idle', 'active', 'idle in transaction', 'terminating'];

function session(index: number) {
  const isClear = index % 5 === 4;
  const isRefused = index % 7 === 3;
  return exampleSession({
    id: `1700-k3f9-${index}`,
    user: index % 3 === 0 ? 'a-user-with-a-rather-long-name-of-63-bytes' : 'alice',
    database: 'warehouse_production_replica_of_the_north',
    client_addr: index % 2 === 0 ? '2001:db8:1234:5678:9abc:def0:1234:5678' : '198.51.100.200',
    application_name: 'PostgreSQL JDBC Driver in a batch job that says who it is',
    state: STATES[index % STATES.length] ?? 'idle',
    no_longer_admitted: isRefused,
    judgement: isRefused ? 'no-longer-admitted' : index % 7 === 5 ? 'not-judged' : 'admitted',
    judgement_reason: isRefused ? 'certificate revoked' : null,
    ...(isClear ? { version: null, client_dn: null, certificate: null } : {}),
    ...(index % 7 === 1
      ? {
          certificate: {
            subject: '/CN=alice',
            issuer: '/CN=Example CA',
            not_before: new Date(Date.now() - 300 * DAY_MS).toISOString(),
            not_after: new Date(Date.now() + (index % 2 === 0 ? 5 : -1) * DAY_MS).toISOString(),
          },
        }
      : {}),
  });
}

const refusal = (index: number) => ({
  time: new Date(Date.now() - index * 60_000).toISOString(),
  level: 'info',
  code: 'client-cert-crl-unavailable',
  msg: 'client certificate verification failed: unable to get certificate CRL',
  id: `1700-k3f9-r${index}`,
  host: '2001:db8:1234:5678:9abc:def0:1234:5678',
  port: 65_000,
  user: 'a-user-with-a-rather-long-name-of-63-bytes',
  database: 'warehouse_production_replica_of_the_north',
  rule: '/etc/pg-gatehouse/pg_hba.conf:104',
  detail: 'Failed certificate data (unverified): subject "/CN=x", serial number 81985529216486895.',
  hint: 'Put a list of this issuer into ssl_crl_file.',
});

function gateWith(count: number) {
  return exampleGate(
    Array.from({ length: count }, (_, index) => session(index)),
    {
      refusals: async () => (count === 0 ? [] : Array.from({ length: 200 }, (_, index) => refusal(index))),
      readiness: async () => ({
        ready: count !== 3,
        reasons: count === 3 ? ['the upstream does not answer'] : [],
      }),
      certificates: async () => ({
        certificates: [exampleCertificate(), exampleCertificate({ role: 'ca', notAfter: new Date(0) })],
        crls: [exampleCrl({ nextUpdate: new Date(Date.now() + 3_600_000) })],
      }),
    },
  );
}

/** Every text whose contrast is below WCAG AA's, with the figure; run in the page. Canvas turns any colour into sRGB. */
const TOO_FAINT = `(() => {
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const known = new Map();
  const rgba = (color) => {
    if (!known.has(color)) known.set(color, painted(color));
    return known.get(color);
  };
  const painted = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
      if (color[3] !== 0) throw new Error('a ground that shines through is not computed here');
    }
    return rgba('Canvas');
  };
  const faint = [];
  let looked = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (walker.currentNode.data.trim() === '' || element.getClientRects().length === 0) continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const [a, b] = [light(rgba(style.color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    looked++;
    // What is disabled need not be read, by WCAG 1.4.3.
    if (ratio < (isLarge ? 3 : 4.5) && !element.disabled)
      faint.push(ratio.toFixed(2) + ' ' + style.color + ' ' + walker.currentNode.data.trim().slice(0, 40));
  }
  // Fields and buttons are seen by their edges: 3 to 1, by WCAG 1.4.11.
  for (const element of document.querySelectorAll('input[type=search], select, button:not(:disabled)')) {
    if (element.getClientRects().length === 0) continue;
    const [a, b] = [light(rgba(getComputedStyle(element).borderTopColor)), light(ground(element.parentElement))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 3) faint.push(ratio.toFixed(2) + ' edge of ' + element.outerHTML.slice(0, 60));
  }
  return { looked, faint };
})()`;

/** Rows of sessions that are higher than one line of text and its padding; run in the page. */
const HIGHER_THAN_A_LINE = `[...document.querySelectorAll('#session-table tr[id^=s-]')]
  .map((row) => row.getBoundingClientRect().height).filter((height) => height > 36)`;

/** Headings that their column cuts; run in the page. */
const CUT_HEADINGS = `[...document.querySelectorAll('#session-table th')]
  .filter((heading) => heading.scrollWidth > heading.clientWidth).map((heading) => heading.textContent.trim())`;

/** Where the days that certificates have left end: one place, else nobody compares them; run in the page. */
const ENDS_OF_DAYS = `[...new Set([...document.querySelectorAll('#session-table .cert > :last-child')]
  .map((days) => Math.round(days.getBoundingClientRect().right)))]`;

/** Short rules that take more than two lines of text; run in the page. */
const HIGH_RULES = `[...document.querySelectorAll('.rules tbody tr')]
  .map((row) => row.getBoundingClientRect().height).filter((height) => height > 65)`;

await test('each width, theme and number of sessions', needs('chromium'), async (t) => {
  const browser = await openBrowser(t);
  for (const count of [0, 3, 60, 2000]) {
    const url = await startAdmin(t, gateWith(count).view);
    const address = count === 0 ? url : `${url}/?open=1700-k3f9-1`;
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, complaints } = await pageOf(browser, address, { colorScheme });
      for (const width of [390, 800, 1280, 1920]) {
        await page.setViewportSize({ width, height: 900 });
        const name = `${count} sessions, ${colorScheme}, ${width} pixels`;
        t.equal(await page.evaluate('document.documentElement.scrollWidth'), width, `${name}: no wider`);
        if (width >= 800) {
          t.strictSame(await page.evaluate(HIGHER_THAN_A_LINE), [], `${name}: one line each`);
          t.strictSame(await page.evaluate(CUT_HEADINGS), [], `${name}: no heading is cut`);
          const ends = await page.evaluate<number[]>(ENDS_OF_DAYS);
          t.equal(ends.length, Math.min(count, 1), `${name}: the days stand below each other`);
        } else t.strictSame(await page.evaluate(HIGH_RULES), [], `${name}: two lines a rule`);
        // What is on the page of none and of 2,000 is on those of 3 and 60, too.
        if ((count === 0 || count === 2000) && width !== 800) continue;
        const { looked, faint } = await page.evaluate<{ looked: number; faint: string[] }>(TOO_FAINT);
        t.strictSame(faint, [], `${name}: every text is readable`);
        t.ok(looked > (count === 0 ? 20 : 80), `${name}: texts were looked at`);
      }
      t.strictSame(complaints, []);
      await page.close();
    }
  }
});
