// Debian's Chromium, headless and offline but for loopback, in a profile of its own that goes with the test.

import type { Test } from 'tap';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { toolPath } from '../support/run/tools.ts';

const flags = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What a test may choose of a page. */
export interface PageOptions {
  /** CSS pixels. */
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly javaScriptEnabled?: boolean;
  readonly colorScheme?: 'light' | 'dark';
}

/** A browser for several pages, which ends with the test. */
export async function openBrowser(t: Test): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: toolPath('chromium'),
    args: flags,
    timeout: 30_000,
  });
  t.teardown(() => browser.close());
  return browser;
}

/** A page of its own window and what went wrong in it: script errors and blocked resources. */
export async function pageOf(
  browser: Browser,
  url: string,
  options: PageOptions = {},
): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  page.setDefaultTimeout(20_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.goto(url);
  return { page, complaints };
}

/** A browser and its one page. */
export async function openPage(
  t: Test,
  url: string,
  options: PageOptions = {},
): Promise<{ page: Page; complaints: string[] }> {
  return await pageOf(await openBrowser(t), url, options);
}
