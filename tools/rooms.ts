// The rooms of src/ from the ground up: what each holds and which others it may know, for its types too. test/structure
// holds the imports against this table, and `node tools/rooms.ts` writes it into ARCHITECTURE.md.

import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** One room: a folder directly below src/, or a file there. */
export interface Room {
  readonly holds: string;
  readonly mayKnow: readonly string[];
}

export const rooms: Readonly<Record<string, Room>> = {
  base: { holds: 'what every room needs: errors, bytes, waiting with an end, reading files', mayKnow: [] },
  regex: {
    holds: "PostgreSQL's regular expressions on bytes, in linear time. Pure; knows no rule",
    mayKnow: ['base'],
  },
  x509: {
    holds: 'certificates, revocation lists and names as bytes, read and written. Pure but for `node:crypto`',
    mayKnow: ['base'],
  },
  protocol: { holds: "PostgreSQL's messages, decoded and encoded. Pure", mayKnow: ['base'] },
  auth: {
    holds: 'secrets of database users, SCRAM and md5, both sides. Pure but for `node:crypto`',
    mayKnow: ['base'],
  },
  rules: {
    holds: '`pg_hba.conf` and `pg_ident.conf`: text and facts in, verdict out. Pure; nothing of Node',
    mayKnow: ['base', 'regex', 'x509'],
  },
  tls: {
    holds: 'the `ssl_*` files checked and loaded, one handshake, and the judge of certificates',
    mayKnow: ['base', 'x509', 'rules'],
  },
  config: {
    holds: '`gatehouse.yaml` to settings, settings to a snapshot, the watcher',
    mayKnow: ['base', 'x509', 'auth', 'rules', 'tls'],
  },
  advice: {
    holds:
      'what `check` says of a configuration that loads and yet lets in nobody, everybody or the wrong client',
    mayKnow: ['base', 'rules', 'tls', 'config'],
  },
  migrate: {
    holds: "a PostgreSQL server's own files as the gate's",
    mayKnow: ['base', 'rules', 'config'],
  },
  telemetry: { holds: 'log and metrics', mayKnow: ['base', 'x509', 'rules', 'tls', 'config'] },
  session: {
    holds: 'the steps of a connection; only `connection.ts` and what it is made of compose them',
    mayKnow: ['base', 'x509', 'protocol', 'auth', 'rules', 'tls', 'config', 'telemetry'],
  },
  catalog: {
    holds: "the gate's own session at the upstream: who is a member of which role, and whose secret is what",
    mayKnow: ['base', 'auth', 'protocol', 'rules', 'config', 'telemetry', 'session'],
  },
  admin: {
    holds: 'HTTP for Prometheus, probes and scripts, and the status page, over the interface `GateView`',
    mayKnow: ['base', 'x509', 'rules', 'tls', 'config', 'telemetry', 'session'],
  },
  console: {
    holds: "SQL over the gate's own state, over the interface `ConsoleView`",
    mayKnow: ['base', 'regex', 'protocol'],
  },
  server: {
    holds: 'the gate from start to drain, in one process or several',
    mayKnow: [
      'base',
      'x509',
      'protocol',
      'auth',
      'rules',
      'tls',
      'config',
      'telemetry',
      'session',
      'catalog',
      'admin',
      'console',
    ],
  },
  pki: { holds: 'a small certificate authority in a folder', mayKnow: ['base', 'x509'] },
  commands: {
    holds: 'one file a command; the only users of exit statuses',
    mayKnow: [
      'base',
      'x509',
      'protocol',
      'auth',
      'rules',
      'tls',
      'config',
      'advice',
      'migrate',
      'telemetry',
      'session',
      'catalog',
      'admin',
      'server',
      'pki',
    ],
  },
  'cli.ts': { holds: 'argv to one command', mayKnow: ['base', 'commands'] },
  'executable.ts': {
    holds: 'the whole program as one file, and which of its processes this one is',
    mayKnow: ['base', 'console', 'server', 'cli.ts'],
  },
};

/** The room of a file below src/. */
export function roomOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : file;
}

const BEGIN = '<!-- rooms: written by `node tools/rooms.ts` -->';
const END = '<!-- /rooms -->';

/** The table as ARCHITECTURE.md shows it. */
export function roomsTable(): string {
  const rows = Object.entries(rooms).map(
    ([name, { holds, mayKnow }]) =>
      `| \`src/${name}${name.endsWith('.ts') ? '' : '/'}\` | ${holds} | ${mayKnow.length === 0 ? '–' : mayKnow.map((each) => `\`${each}\``).join(' ')} |`,
  );
  return ['| room | holds | may know |', '| --- | --- | --- |', ...rows].join('\n');
}

/** `text` with its table made anew. */
export function withRoomsTable(text: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end === -1) throw new Error('ARCHITECTURE.md has no place for the table of rooms');
  return `${text.slice(0, begin)}${BEGIN}\n\n${roomsTable()}\n\n${text.slice(end)}`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const file = new URL('../ARCHITECTURE.md', import.meta.url);
  writeFileSync(file, withRoomsTable(readFileSync(file, 'utf8')));
}
