// What the gate has in force: certificates, revocation lists, and the lines of pg_hba.conf with their hits.

import type { CrlInUse, HostCertificate } from '../../tls/types.ts';
import type { RuleRows } from '../gate-view.ts';
import { html, Html, visible, type HtmlValue } from './html.ts';
import { count, dayOf, moment, place, timeLeft } from './words.ts';

/** Lines of pg_hba.conf that the page shows: GET /rules has all of them. */
const MAX_RULES = 200;

/** With the names of its line in pg_hosts.conf, where one names it. */
function roleOf({ role, host }: HostCertificate): string {
  const part = role === 'server' ? 'server' : 'client CA';
  return host === null ? part : `${part} of ${host}`;
}

export function certificateSection(certificates: readonly HostCertificate[], now: Date): Html {
  const rows = certificates.map((certificate) => {
    const life = { from: certificate.notBefore, to: certificate.notAfter };
    return [
      cell('Role', roleOf(certificate), 'role'),
      cell('Subject', visible(certificate.subjectDn)),
      cell('Left', timeLeft(life, now), 'number'),
      cell('Ends', dayOf(certificate.notAfter), 'whole'),
      cell('Issuer', visible(certificate.issuerDn)),
      cell(
        'Serial',
        html`<span title="${certificate.serial}">${shortened(certificate.serial)}</span>`,
        'serial',
      ),
      cell('File', fileName(certificate.file), 'file'),
    ];
  });
  const titles = ['Role', 'Subject', 'Left', 'Ends', 'Issuer', 'Serial', 'File'];
  return section('certificates', 'Certificates', titles, rows, 'TLS is off: there are none.');
}

export function listSection(crls: readonly CrlInUse[], now: Date): Html {
  const rows = crls.map((crl) => {
    const { lastUpdate: from, nextUpdate: to } = crl;
    return [
      cell('Issuer', visible(crl.issuerDn)),
      cell('Revoked', count(crl.revokedSerials.size), 'number'),
      cell('Left', to === null ? null : timeLeft({ from, to }, now), 'number'),
      cell('Next update', to === null ? 'not said' : moment(to), 'whole'),
      cell('File', fileName(crl.file), 'file'),
    ];
  });
  const titles = ['Issuer', 'Revoked', 'Left', 'Next update', 'File'];
  return section('lists', 'Revocation lists', titles, rows, 'None: no certificate is looked up in one.');
}

export function ruleSection(rules: RuleRows): Html {
  const shown: HtmlValue[][] = [];
  for (const rule of rules) {
    if (shown.length === MAX_RULES) break;
    shown.push([
      cell('Line', place(rule), 'place'),
      cell(
        'Hits',
        html`<span class="${rule.hits === 0 ? 'muted' : 'plain'}">${count(rule.hits)}</span>`,
        'number',
      ),
      cell('Rule', html`<code>${Html.seen(rule.rule)}</code>`, 'rule'),
    ]);
  }
  const note =
    rules.length <= MAX_RULES
      ? null
      : html`<p class="note">
          The first ${count(MAX_RULES)} of ${count(rules.length)} are shown; <a href="/rules">/rules</a> has
          all.
        </p>`;
  return html`${section('rules', 'Rules', ['Line', 'Hits', 'Rule'], shown, 'None: nobody gets in.')} ${note}`;
}

function section(
  id: string,
  title: string,
  titles: readonly string[],
  rows: readonly (readonly HtmlValue[])[],
  none: string,
): Html {
  const head = titles.map(
    (each) => html`<th role="columnheader" class="${numbers.has(each) ? 'number' : 'text'}">${each}</th>`,
  );
  const body =
    rows.length === 0
      ? html`<p class="empty">${none}</p>`
      : html`<table class="${id}" role="table" aria-labelledby="${id}">
          <thead role="rowgroup">
            <tr role="row">
              ${head}
            </tr>
          </thead>
          <tbody role="rowgroup">
            ${rows.map(
              (cells) =>
                html`<tr role="row">
                  ${cells}
                </tr>`,
            )}
          </tbody>
        </table>`;
  return html`<section aria-labelledby="${id}">
    <h2 id="${id}">${title}</h2>
    ${body}
  </section>`;
}

const numbers: ReadonlySet<string> = new Set(['Left', 'Revoked', 'Hits']);

/** `data-label` is what a phone writes before the value. */
function cell(label: string, value: HtmlValue, style = 'text'): Html {
  return html`<td role="cell" class="${style}" data-label="${label}"><span>${value}</span></td>`;
}

function fileName(file: string): Html {
  return html`<span title="${file}">${file.slice(file.lastIndexOf('/') + 1)}</span>`;
}

/** Long serial numbers by their last digits, which differ. */
function shortened(serial: string): string {
  return serial.length <= 12 ? serial : `… ${serial.slice(-8)}`;
}
