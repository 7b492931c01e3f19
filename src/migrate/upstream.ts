// upstream-pg_hba.conf: what the server has from then on. The gate has decided who gets in, so the server admits the
// gate's own address, and asks for the passwords that it asked for before (contract §8).

import { toText, type ByteString } from '../base/bytestring.ts';
import { fieldsOf } from '../rules/scan.ts';
import type { HbaRecord, Token } from '../rules/types.ts';
import { methodColumn } from './columns.ts';
import type { KeptLine, Note } from './hba.ts';
import { shareNames } from './overlap.ts';

/** Where the gate of the migrated configuration dials from. */
const GATE = '127.0.0.1/32';

interface UpstreamLine {
  readonly record: HbaRecord;
  /** The line up to its method. */
  readonly who: ByteString;
  readonly method: ByteString;
}

/** The file's text, and a note for each line that an earlier one takes clients from with another method. */
export function upstreamHba(kept: readonly KeptLine[]): {
  readonly text: ByteString;
  readonly notes: readonly Note[];
} {
  const lines: UpstreamLine[] = [];
  const texts: ByteString[] = [];
  const notes: Note[] = [];
  for (const { record, text } of kept) {
    // The gate itself refuses these clients. Here the line would refuse everybody who comes through the gate.
    if (record.method === 'reject') continue;
    const fields = fieldsOf(text);
    const who = `host\t${written(fields[1])}\t${written(fields[2])}\t${GATE}`;
    const line = { record, who, method: upstreamMethod(record, fields) };
    // A later line with the same names stays in the file, so that the two files can be read side by side.
    texts.push(`${who}\t${line.method}`);
    notes.push(...noteOf(line, lines));
    lines.push(line);
  }
  if (texts.length === 0) texts.push(`host\tall\tall\t${GATE}\treject`);
  const head = [
    '# What the PostgreSQL server behind pg-gatehouse has as its pg_hba.conf: the gate is its only client.',
    '# Add local lines of your own for maintenance on the server itself.',
  ];
  return { text: `${[...head, ...texts].join('\n')}\n`, notes };
}

/** Of lines for the same names the server goes by the first, whatever address the gate's client has. */
function noteOf({ record, who, method }: UpstreamLine, before: readonly UpstreamLine[]): Note[] {
  const first = before.find(
    (earlier) => earlier.who === who || (earlier.method !== method && shareNames(record, earlier.record)),
  );
  if (first === undefined || first.method === method) return [];
  const whose = first.who === who ? 'the same database and user' : 'databases and users that both lines name';
  const reason = `at the server line ${first.record.line} comes first for ${whose}, with ${toText(first.method)}`;
  return [{ file: record.file, line: record.line, reason, serious: false }];
}

/** `cert` and `trust` have been decided by the gate; a password is asked for as before. */
function upstreamMethod(record: HbaRecord, fields: readonly (readonly Token[])[]): ByteString {
  if (record.method === 'cert' || record.method === 'trust') return 'trust';
  const options = fields
    .slice(methodColumn(fields) + 1)
    .flat()
    .filter(({ text }) => !/^(?:clientcert|clientname)=/.test(text));
  return [record.method, ...options.map(quoted)].join(' ');
}

function written(tokens: readonly Token[] | undefined): ByteString {
  return (tokens ?? []).map(quoted).join(',');
}

/**
 * A token as a line writes it, with quotes where they were or are needed. `@` and `+` stand before them, where they keep
 * their meaning. A backslash stands within them, where it cannot join the next line to this one.
 */
function quoted({ text, quoted: wasQuoted }: Token): ByteString {
  const needsQuotes = /[ \t\r,#"\\]/.test(text);
  if (!wasQuoted && (/^@[^]/.test(text) || (text.startsWith('+') && needsQuotes)))
    return `${text.slice(0, 1)}"${text.slice(1).replaceAll('"', '""')}"`;
  return wasQuoted || needsQuotes || text === '' ? `"${text.replaceAll('"', '""')}"` : text;
}
