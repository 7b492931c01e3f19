// The status page's stylesheet and script, served as they stand here: no build step, nothing from elsewhere.

export const stylesheet = `
:root { color-scheme: light dark; --line: #8884; --muted: #777; --bad: #c02626; --soon: #b26a00; --good: #1d7f3c; }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 90rem; }
h1 { font-size: 1.3rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
header { display: flex; flex-wrap: wrap; gap: .3rem 1rem; align-items: baseline; border-bottom: 1px solid var(--line); padding-bottom: .6rem; }
header p, .note { margin: 0; color: var(--muted); }
ul.problems { margin: .4rem 0; padding-left: 1.2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td { overflow-wrap: break-word; }
.sessions th, .sessions td { padding: .35rem; }
.sessions td { max-width: 8.5rem; }
.sessions button { padding: .1rem .4rem; }
.whole, button { white-space: nowrap; }
th { white-space: nowrap; font-weight: 600; }
th a { color: inherit; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code, td.code { font-family: ui-monospace, monospace; font-size: .92em; }
.bad { color: var(--bad); font-weight: 600; }
.soon { color: var(--soon); font-weight: 600; }
.good { color: var(--good); font-weight: 600; }
button { font: inherit; padding: .3rem .8rem; cursor: pointer; }
dialog { max-width: min(32rem, 92vw); border: 1px solid var(--line); border-radius: .5rem; overflow-wrap: anywhere; }
dialog div { display: flex; gap: .6rem; justify-content: flex-end; }
@media (max-width: 50rem) {
  table, tbody, tr, td { display: block; width: auto; }
  thead tr { display: flex; flex-wrap: wrap; }
  .sessions thead th, thead th.number { border: 0; padding: .2rem .5rem .2rem 0; text-align: left; }
  thead.plain { display: none; }
  tbody tr { border: 1px solid var(--line); border-radius: .5rem; margin: .6rem 0; padding: .3rem .6rem; }
  td, td.number, .sessions td { max-width: none; border: 0; padding: .15rem 0; text-align: left; white-space: normal; display: grid; grid-template-columns: 8rem 1fr; }
  td bdi { min-width: 0; overflow-wrap: anywhere; }
  td::before { content: attr(data-label); color: var(--muted); font-family: system-ui, sans-serif; }
}
`;

/** Asks before it ends a session; everything else on the page works without a script. */
export const script = `
'use strict';
const dialog = document.querySelector('dialog');
const question = document.getElementById('question');
const failure = document.getElementById('failure');
let chosen = null;

for (const button of document.querySelectorAll('button[data-session]')) {
  button.disabled = false;
  button.addEventListener('click', () => {
    chosen = button.dataset.session;
    question.textContent = 'End session ' + chosen + ' of ' + button.dataset.whose + '?';
    dialog.showModal();
  });
}

document.getElementById('keep').addEventListener('click', () => dialog.close());

document.getElementById('end').addEventListener('click', async () => {
  dialog.close();
  try {
    const answer = await fetch('/sessions/' + encodeURIComponent(chosen), { method: 'DELETE' });
    if (!answer.ok) throw new Error((await answer.json()).error);
    location.reload();
  } catch (error) {
    failure.textContent = 'Session ' + chosen + ' was not ended: ' + error.message;
  }
});
`;
