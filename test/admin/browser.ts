// Debian's Chromium, headless and offline but for loopback, in a profile of its own that goes with the test.

import type { Test } from 'tap';
import { chromium } from 'playwright-core';
import type { Page } from 'playwright-core';
import { toolPath } from '../support/run/tools.ts';

const flags = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A page of this size (CSS pixels) and what went wrong in it: script errors and blocked resources. */
export async function openPage(
  t: Test,
  url: string,
  viewport = { width: 1280, height: 900 },
): Promise<{ page: Page; complaints: string[] }> {
  const browser = await chromium.launch({
    executablePath: toolPath('chromium'),
    args: flags,
    timeout: 30_000,
  });
  t.teardown(() => browser.close());
  const page = await browser.newPage({ viewport });
  page.setDefaultTimeout(20_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.goto(url);
  return { page, complaints };
}
