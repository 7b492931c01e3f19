// The status page's script, served as it stands here. Without it the page works too; with it the page refreshes itself
// and stays where it is, filters while a person types, and asks in a dialog before a session ends.

export const script = `
'use strict';
(() => {
  const EVERY_MS = 5000;
  const TYPING_MS = 250;
  const byId = (id) => document.getElementById(id);
  if (byId('tiles') === null) return;
  document.documentElement.classList.add('js');

  let paused = false;
  let timer = 0;
  let typing = 0;
  let latest = 0;
  let answeredAt = new Date();

  /* -- One tree made like another. What is alike stays the same node, so focus, selection, ticks and scroll stay too. */

  function patch(old, next) {
    if (old.nodeName !== next.nodeName) return void old.replaceWith(document.importNode(next, true));
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== next.data) old.data = next.data;
      return;
    }
    if (old.dataset.own !== undefined) return;
    for (const { name } of [...old.attributes]) {
      if (!next.hasAttribute(name) && !(name === 'open' && old.nodeName === 'DETAILS')) old.removeAttribute(name);
    }
    for (const { name, value } of next.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    patchChildren(old, next);
  }

  function patchChildren(old, next) {
    const wanted = new Set();
    for (const child of next.children) if (child.id) wanted.add(child.id);
    const there = new Map();
    for (const child of [...old.children]) {
      if (!child.id) continue;
      if (wanted.has(child.id)) there.set(child.id, child);
      else child.remove();
    }
    let at = old.firstChild;
    for (const child of [...next.childNodes]) {
      const match = child.id ? there.get(child.id) : at !== null && !at.id && at.nodeName === child.nodeName ? at : undefined;
      if (match === undefined) {
        old.insertBefore(document.importNode(child, true), at);
        continue;
      }
      // Blanks that stood around something that is gone: to move what comes next would take its focus away.
      while (at !== null && at !== match && !at.id) {
        const rest = at.nextSibling;
        at.remove();
        at = rest;
      }
      if (match === at) at = at.nextSibling;
      else old.insertBefore(match, at);
      patch(match, child);
    }
    while (at !== null) {
      const rest = at.nextSibling;
      at.remove();
      at = rest;
    }
  }

  /** What stands at the top of the window, so that it can stand there again. */
  function landmark() {
    let best = null;
    for (const element of document.querySelectorAll('h2[id], .refusals tr[id], [data-order=steady] tr[id]')) {
      const { top, bottom, height } = element.getBoundingClientRect();
      if (height > 0 && bottom > 0) {
        if (best === null || top < best.top) best = { id: element.id, top };
        if (top > 0) break;
      }
    }
    return best;
  }

  function show(text, keepsNotice) {
    const next = new DOMParser().parseFromString(text, 'text/html');
    if (next.getElementById('tiles') === null) throw new Error('not the status page');
    if (keepsNotice) next.getElementById('notice').replaceChildren(...document.importNode(byId('notice'), true).childNodes);
    const mark = window.scrollY > 0 ? landmark() : null;
    const focused = document.activeElement;
    patchChildren(document.body, next.body);
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    const element = mark === null ? null : byId(mark.id);
    if (element !== null) window.scrollBy(0, element.getBoundingClientRect().top - mark.top);
    countSelected();
  }

  /* -- Asking the gate */

  async function load(url, options, keepsNotice) {
    const mine = ++latest;
    const answer = await fetch(url, { ...options, headers: { accept: 'text/html' }, signal: AbortSignal.timeout(20000) });
    const text = await answer.text();
    // Something newer was asked for meanwhile.
    if (mine !== latest) return;
    answeredAt = new Date();
    stale(answer.ok ? '' : 'The gate answered with ' + answer.status + '. Nothing was changed.');
    if (!answer.ok) return;
    show(text, keepsNotice);
  }

  function stale(text) {
    if (byId('stale').textContent !== text) byId('stale').textContent = text;
    document.documentElement.classList.toggle('stale', text !== '');
  }

  async function refresh(options = {}, keepsNotice = true) {
    clearTimeout(timer);
    try {
      await load(options.url ?? location.pathname + location.search, options.fetch, keepsNotice);
    } catch {
      stale('No answer from the gate since ' + answeredAt.toISOString().slice(11, 19) + ' UTC. This is how it was then.');
    }
    again();
  }

  function again() {
    clearTimeout(timer);
    if (!paused && !document.hidden) timer = setTimeout(refresh, EVERY_MS, {}, true);
  }

  function go(url, how) {
    const { pathname, search, hash } = new URL(url, location.href);
    history[how](null, '', pathname + search + hash);
    return refresh({}, false);
  }

  /* -- What a person does */

  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest('a[href]');
    if (link === null || new URL(link.href).pathname !== '/' || link.getAttribute('href').startsWith('#')) return;
    event.preventDefault();
    void go(withTyped(link), 'pushState');
  });

  window.addEventListener('popstate', () => {
    clearTimeout(typing);
    void refresh().then(() => {
      const field = byId('q');
      if (field !== null && field !== document.activeElement) field.value = field.defaultValue;
    });
  });

  /**
   * The list that was asked for last, with what the form's fields say. What the answer before that had chosen is not
   * taken from the form: the group that a person has clicked would be left again while its answer is under way.
   */
  function filterAddress(names) {
    const asked = new URLSearchParams(location.search);
    const fields = new FormData(byId('filters'));
    for (const name of ['page', 'open', ...names]) asked.delete(name);
    for (const name of names) if (fields.get(name)) asked.set(name, fields.get(name));
    return '/?' + asked;
  }

  document.addEventListener('input', (event) => {
    if (event.target.form !== byId('filters') || event.target.form === null) return;
    clearTimeout(typing);
    const isText = event.target.id === 'q';
    const names = isText ? ['q'] : ['q', 'sort', 'order'];
    typing = setTimeout(() => go(filterAddress(names), 'replaceState'), isText ? TYPING_MS : 0);
  });

  /** A link's address. What has been typed since its page was made goes with it, unless it is to drop the text. */
  function withTyped(link) {
    clearTimeout(typing);
    const isRefresh = link.id === 'refresh';
    const url = new URL(isRefresh ? location.href : link.href);
    const field = byId('q');
    if (field === null) return url.href;
    if (!isRefresh && (url.searchParams.get('q') ?? '') !== field.defaultValue) field.value = '';
    else if (field.value === '') url.searchParams.delete('q');
    else url.searchParams.set('q', field.value);
    return url.href;
  }

  const pause = byId('pause');
  pause.hidden = false;
  pause.addEventListener('click', () => {
    paused = !paused;
    pause.textContent = paused ? 'Resume' : 'Pause';
    if (paused) clearTimeout(timer);
    else void refresh();
  });

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) clearTimeout(timer);
    else if (!paused) void refresh();
  });

  /* -- Ending sessions */

  const boxes = () => [...document.querySelectorAll('#end-form input[name=session]')];

  function countSelected() {
    const button = byId('end-selected');
    if (button === null) return;
    const all = boxes();
    const count = all.filter((box) => box.checked).length;
    button.disabled = count === 0;
    button.textContent = count === 0 ? 'End selected' : 'End ' + count + ' selected';
    const master = byId('select-all');
    if (master === null) return;
    master.hidden = false;
    master.checked = count > 0 && count === all.length;
    master.indeterminate = count > 0 && count < all.length;
  }

  document.addEventListener('change', (event) => {
    if (event.target.id === 'select-all') for (const box of boxes()) box.checked = event.target.checked;
    countSelected();
  });

  let chosen = [];
  document.addEventListener('submit', (event) => {
    if (event.target.id === 'filters') {
      event.preventDefault();
      clearTimeout(typing);
      void go(filterAddress(['q']), 'pushState');
      return;
    }
    if (event.target.id !== 'end-form') return;
    event.preventDefault();
    const { submitter } = event;
    const whose = submitter?.dataset.whose;
    chosen = whose === undefined ? boxes().filter((box) => box.checked).map((box) => box.value) : [submitter.value];
    if (chosen.length === 0) return;
    byId('question').textContent =
      whose !== undefined ? 'End the session of ' + whose + '?' : chosen.length === 1 ? 'End 1 session?' : 'End ' + chosen.length + ' sessions?';
    document.querySelector('dialog').showModal();
    byId('keep').focus();
  });

  byId('keep').addEventListener('click', () => document.querySelector('dialog').close());
  byId('end').addEventListener('click', () => {
    document.querySelector('dialog').close();
    const form = new URLSearchParams({ token: byId('end-form').elements.token.value, back: location.pathname + location.search, confirmed: 'yes' });
    for (const id of chosen) form.append('session', id);
    void refresh({ url: '/sessions/end', fetch: { method: 'POST', body: form } }, false);
  });

  countSelected();
  again();
})();
`;
