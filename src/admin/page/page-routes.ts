// The status page's addresses: the page itself, its stylesheet and script, what its codes mean, and its forms. The page is
// loaded when somebody first asks for it: most gates are looked at by programs only.

import type { Routes } from '../answering.ts';
import type { GateView } from '../gate-view.ts';
import type { Pages } from './pages.ts';

/** A form that names as many sessions as a page has. */
const MAX_FORM_BYTES = 32 * 1024;

/** GET / for people, with what it needs from the same origin. */
export function addPage(routes: Routes, view: GateView): void {
  let made: Pages | null = null;
  const pages = async (): Promise<Pages> => {
    // Asked for each time: Node keeps what it has loaded, and tries again what it could not.
    const page = await import('./pages.ts');
    return (made ??= new page.Pages(view));
  };
  routes.get('/', async (question) => await (await pages()).status(question));
  routes.get('/errors', async () => (await pages()).errors());
  routes.get('/status.css', async () => (await pages()).stylesheet());
  routes.get('/status.js', async () => (await pages()).script());
  routes.post('/sessions/end', async (question) => await (await pages()).end(question), MAX_FORM_BYTES);
}
