// How the page writes times, spans, numbers and places, and when something ends soon.

import { CERTIFICATE_WARNED_MS, isInLastThird } from '../../base/last-third.ts';
import { html, type Html, type HtmlValue } from './html.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Stands for a beginning that is not known, so the life counts as a very long one. */
const LONG_AGO = new Date(0);

/** How near an end is. */
export type Urgency = 'over' | 'soon' | 'far';

/** From when to when something holds; `from` null = nobody says. */
export interface Life {
  readonly from: Date | null;
  readonly to: Date;
}

export function urgencyOf({ from, to }: Life, now: Date): Urgency {
  if (to.getTime() <= now.getTime()) return 'over';
  return isInLastThird({ from: from ?? LONG_AGO, to }, now, CERTIFICATE_WARNED_MS) ? 'soon' : 'far';
}

/** A span in its largest unit: `12 s`, `5 min`, `3 h`, `20 d`. */
function span(ms: number): string {
  if (ms < MINUTE_MS) return `${Math.max(0, Math.floor(ms / 1000))} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`;
  if (ms < 2 * DAY_MS) return `${Math.floor(ms / HOUR_MS)} h`;
  return `${count(Math.floor(ms / DAY_MS))} d`;
}

/** What is left of a life, in colour where it is little; the moment itself when a person points at it. */
export function timeLeft(life: Life, now: Date): Html {
  const urgency = urgencyOf(life, now);
  const words = urgency === 'over' ? 'expired' : span(life.to.getTime() - now.getTime());
  return html`<span class="${tone(urgency)}" title="${moment(life.to)}">${words}</span>`;
}

/** The class that colours it; none where it says nothing. */
function tone(urgency: Urgency): string {
  return urgency === 'over' ? 'bad' : urgency === 'soon' ? 'soon' : 'plain';
}

/** How long ago, with the moment when a person points at it. */
export function ago(at: Date, now: Date): Html {
  return html`<time datetime="${at.toISOString()}" title="${moment(at)}"
    >${span(now.getTime() - at.getTime())}</time
  >`;
}

/** `2026-03-01 12:00:00 UTC`; a date that is none gives nothing. */
export function moment(at: Date): string {
  if (Number.isNaN(at.getTime())) return '';
  const iso = at.toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}

/** `2026-03-01`, with the moment when a person points at it. */
export function dayOf(at: Date): Html {
  return html`<span title="${moment(at)}">${moment(at).slice(0, 10)}</span>`;
}

export function count(value: number): string {
  // Not toLocaleString, which takes longer than all the rest of a row.
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 session`, `2 sessions`. */
export function counted(value: number, one: string): string {
  return `${count(value)} ${one}${value === 1 ? '' : 's'}`;
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Bytes in units of 1024, as pg_size_pretty names them. */
export function bytes(value: number): string {
  const power = Math.min(UNITS.length - 1, value < 1 ? 0 : Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** power;
  return `${power > 0 && scaled < 10 ? scaled.toFixed(1) : count(Math.round(scaled))} ${UNITS[power]}`;
}

/** An address with its port; IPv6 in brackets. */
export function endPoint(address: string, port: number): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** A line by its file's last name; the whole path when a person points at it. */
export function place({ file, line }: { readonly file: string; readonly line: number | null }): Html {
  const name = file.slice(file.lastIndexOf('/') + 1);
  return html`<span class="whole" title="${file}">${line === null ? name : `${name}:${line}`}</span>`;
}

/** One entry of a list of names and what they are; without a value there is none. */
export function fact(name: string, value: HtmlValue): HtmlValue {
  if (value === null || value === undefined || value === '') return null;
  return html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;
}
