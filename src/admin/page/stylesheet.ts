// The status page's stylesheet, served as it stands here: no build step, nothing from elsewhere.

/** Colours are chosen for a contrast of 4.5 and more on every ground that they stand on; a test computes it. */
export const stylesheet = `
:root {
  color-scheme: light dark;
  --ground: #ffffff; --raised: #f5f6f8; --line: #d9dce2; --edge: #868d99;
  --text: #1b1f27; --muted: #59616e; --link: #0b57b0; --focus: #0b57b0;
  --good: #176b35; --soon: #8a4b00; --bad: #b3201c; --on-bad: #ffffff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171c; --raised: #1d2128; --line: #343a44; --edge: #7f8794;
    --text: #e6e9ee; --muted: #a3abb8; --link: #8ab8ff; --focus: #8ab8ff;
    --good: #6fce91; --soon: #f0b35a; --bad: #ff8f86; --on-bad: #14171c;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 3.5rem; overflow-anchor: none; }
body { margin: 0 auto; padding: 1rem 1rem 3rem; max-width: 120rem; background: var(--ground); color: var(--text);
  font: 14px/1.45 system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; }
h1 { font-size: 1.15rem; margin: 0; letter-spacing: -.01em; }
h2 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p { margin: 0; }
a { color: var(--link); text-underline-offset: .15em; }
a:focus-visible, button:focus-visible, input:focus-visible, select:focus-visible, summary:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
code, .id, .code { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; font-size: .93em; }
small { display: block; font-size: .93em; color: var(--muted); }
.muted, .note, .empty, .off, .seen { color: var(--muted); }
.good { color: var(--good); } .soon { color: var(--soon); } .bad { color: var(--bad); }
.soon, .bad { font-weight: 600; }
.whole { white-space: nowrap; }
.count { font-weight: 400; color: var(--muted); margin-left: .25rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.invisible { font: 600 .8em ui-monospace, monospace; border: 1px solid var(--edge); border-radius: .2rem; padding: 0 .2rem; margin: 0 .1rem; }
button, .button { font: inherit; color: var(--text); background: var(--ground); border: 1px solid var(--edge); border-radius: .35rem; padding: .25rem .75rem; cursor: pointer; text-decoration: none; white-space: nowrap; }
button:hover, .button:hover { background: var(--raised); }
button.danger { color: var(--bad); border-color: var(--bad); font-weight: 600; }
button.danger:hover, dialog button.danger, .choice button.danger { background: var(--bad); color: var(--on-bad); }
button:disabled { color: var(--muted); border-color: var(--line); background: var(--ground); cursor: default; font-weight: 400; }
input, select { font: inherit; color: var(--text); background: var(--ground); border: 1px solid var(--edge); border-radius: .35rem; padding: .25rem .5rem; }
input::placeholder { color: var(--muted); opacity: 1; }
input[type=checkbox] { width: 1rem; height: 1rem; margin: 0; vertical-align: -.15em; accent-color: var(--link); }

#head { display: flex; flex-wrap: wrap; gap: .25rem .9rem; align-items: baseline; }
#head .seen { margin-left: auto; }
.gate { font-weight: 700; }
.gate::before { content: ''; display: inline-block; width: .6rem; height: .6rem; border-radius: 50%; background: currentColor; margin-right: .4rem; }
#stale:empty, #notice:empty { display: none; }
#stale { margin-top: .6rem; padding: .5rem .75rem; border: 1px solid var(--soon); border-radius: .35rem; color: var(--soon); font-weight: 600; }
.stale .gate { color: var(--muted); }
#notice { margin-top: 1rem; padding: .5rem .75rem; border: 1px solid var(--edge); border-radius: .35rem; background: var(--raised); }
.reasons { margin: .75rem 0 0; padding: .6rem .9rem .6rem 1.9rem; background: var(--raised); border-radius: .35rem; overflow-wrap: anywhere; }
.reasons li + li { margin-top: .35rem; }
.reasons li { font-weight: 400; } .reasons li::marker { color: currentColor; }
.tiles { display: flex; flex-wrap: wrap; gap: .75rem 2rem; margin: .9rem 0 0; padding: .75rem 0; border: solid var(--line); border-width: 1px 0; }
.tiles div { min-width: 0; } dt { color: var(--muted); font-size: .9em; } dd { margin: 0; overflow-wrap: anywhere; }
.item + .item::before { content: '· '; color: var(--muted); font-weight: 400; }
.jump { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin-top: .6rem; font-size: .95em; }

table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem 1rem .3rem 0; vertical-align: baseline; }
th { font-weight: 600; color: var(--muted); white-space: nowrap; font-size: .93em; }
th a { color: inherit; } thead tr { border-bottom: 1px solid var(--edge); }
th.number, td.number { text-align: right; }
tbody tr { border-bottom: 1px solid var(--line); } th.id { font: inherit; font-weight: 600; font-size: .93em; }
td { overflow-wrap: anywhere; }
details { margin-top: .5rem; } summary { cursor: pointer; color: var(--link); }
.serial, .file, .role { white-space: nowrap; } .rules .place, .rules .number { width: 1%; }

.filters { display: flex; flex-wrap: wrap; gap: .5rem .75rem; align-items: center; }
.filters label:first-child { flex: 1 1 16rem; max-width: 30rem; } .filters input[type=search] { width: 100%; }
.js .filters > button { display: none; }
.chips { display: flex; flex-wrap: wrap; gap: .35rem; }
.chip { border: 1px solid var(--edge); border-radius: 1rem; padding: .1rem .65rem; color: var(--text); text-decoration: none; white-space: nowrap; }
.chip span { color: var(--muted); font-variant-numeric: tabular-nums; }
.chip:hover { background: var(--raised); }
.chip[aria-current] { background: var(--text); color: var(--ground); border-color: var(--text); } .chip[aria-current] span { color: inherit; }
.bar { display: flex; flex-wrap: wrap; gap: .35rem 1rem; align-items: center; position: sticky; top: 0; z-index: 1; background: var(--ground); padding: .5rem 0; margin-top: .25rem; min-height: 2.9rem; }
.bar .danger { margin-left: auto; } .pager { display: flex; gap: .75rem; }

.sessions tbody tr:hover, .sessions tr.opened { background: var(--raised); }
.sessions .act { padding-right: 0; text-align: right; } .sessions .act button { padding: 0 .5rem; }
.cert { display: flex; gap: .5rem; } .cert .name { min-width: 0; } .cert > :last-child { white-space: nowrap; margin-left: auto; }
.sessions .details td { padding: .5rem .75rem 1rem; background: var(--raised); } .sessions td .soon, .sessions td.state .bad { font-weight: 400; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .5rem 1.5rem; margin: 0 0 .5rem; }
.narrow { display: none; }

@media (min-width: 50rem) {
  .sessions { table-layout: fixed; }
  .sessions th, .sessions td { padding: .28rem .5rem .28rem 0; }
  .sessions tr:not(.details) > :not(.check) { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
  .sessions .check { width: 1.6rem; padding-left: .2rem; padding-right: 0; } .sessions tr > .act { width: 3.3rem; overflow: visible; padding-right: .2rem; }
  .sessions .id { width: 4.5rem; } .sessions .client { width: 7.1rem; } .sessions .certificate { width: 8rem; }
  .sessions .age { width: 3.7rem; } .sessions .state { width: 9rem; } .sessions .in, .sessions .out { width: 5rem; }
  .cert .name { overflow: hidden; text-overflow: ellipsis; }
  .sessions .port, .sessions .process { display: none; }
  .refusals, .refusals thead, .refusals tbody { display: block; }
  .refusals tr { display: grid; grid-template-columns: 4rem 13.5rem 11.5rem 1fr 1fr 8.5rem; }
  .refusals td:not(.why) { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
  .refusals .why { grid-column: 2 / -1; } .refusals td.why { padding-top: 0; }
}
@media (min-width: 80rem) {
  .sessions .id { width: 7.5rem; } .sessions .client { width: 10rem; } .sessions .certificate { width: 17%; } .sessions .rule { width: 7.4rem; }
  .sessions .port, .sessions .process { display: inline; }
  .sessions th, .sessions td { padding-right: .6rem; }
  .refusals tr { grid-template-columns: 4rem 13.5rem 11.5rem minmax(6rem, 1fr) minmax(6rem, 1fr) 8.5rem minmax(24rem, 4fr); }
  .refusals .why { grid-column: auto; } .refusals td.why { padding-top: .3rem; }
}
@media (min-width: 50rem) and (max-width: 79.99rem) { .cert .rest { display: none; } }
@media (max-width: 79.99rem) { .sessions .wide, .refusals th.why { display: none; } }
@media (max-width: 109.99rem) { .sessions .widest { display: none; } }

@media (max-width: 49.99rem) {
  body { padding: .75rem .75rem 3rem; }
  #head .seen { margin-left: 0; flex-basis: 100%; }
  .tiles { gap: .6rem 1.5rem; }
  .narrow { display: inline-block; }
  table, tbody, tr, td { display: block; width: auto; } thead { display: none; }
  tbody tr { padding: .5rem 0; } td { padding: .05rem 0; } td.number { text-align: left; }
  td:empty { display: none; }
  .sessions tr:not(.details) { display: grid; grid-template-columns: 1.9rem minmax(0, 1fr) auto; column-gap: .35rem; }
  .sessions td { grid-column: 2 / 3; }
  .sessions td.check { grid-area: 1 / 1; } .sessions td.user { grid-area: 1 / 2; font-weight: 600; }
  .sessions td.state { grid-area: 1 / 3; text-align: right; }
  .sessions td.database { grid-row: 2; } .sessions td.age { grid-area: 2 / 3; text-align: right; } .sessions td.age::before { content: 'for '; }
  .sessions td.client { grid-row: 3; } .sessions td.id { grid-area: 3 / 3; text-align: right; }
  .sessions td.certificate { grid-row: 4; align-self: center; } .sessions td.act { grid-area: 4 / 3; }
  .cert .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .sessions .act button { padding: .2rem .9rem; }
  .refusals tr { display: flex; flex-wrap: wrap; column-gap: .75rem; }
  .refusals td.code { flex: 1 0 70%; order: -2; } .refusals td.number { order: -1; margin-left: auto; } .refusals td.why { flex-basis: 100%; }
  [data-label] { display: grid; grid-template-columns: 7rem 1fr; } [data-label]::before { content: attr(data-label); color: var(--muted); }
  .rules tr { display: grid; grid-template-columns: 1fr auto; }
  .rules [data-label] { display: block; } .rules [data-label]::before { content: none; }
  .rules .number[data-label]::before { content: 'Hits '; } .rules .rule { grid-column: 1 / -1; }
  .facts { grid-template-columns: 1fr; }
  .bar { position: static; }
}

dialog { color: var(--text); background: var(--ground); border: 1px solid var(--edge); border-radius: .5rem; padding: 1.1rem 1.25rem; max-width: min(34rem, 92vw); overflow-wrap: anywhere; }
dialog::backdrop { background: #0009; }
dialog div, .choice { display: flex; gap: .6rem; justify-content: flex-end; margin-top: 1rem; }
.question { max-width: 44rem; margin: 0 auto; overflow-wrap: anywhere; } .choice { justify-content: flex-start; align-items: center; }
.errors { max-width: 60rem; } .errors section:target h2, .errors h2:target { outline: 2px solid var(--focus); outline-offset: .3rem; }
.errors .facts { grid-template-columns: 1fr; margin-top: .5rem; }
@media (prefers-reduced-motion: no-preference) { .sessions tbody tr { transition: background-color .1s; } }
`;
