// pg_hosts.conf: every text loads whole or is refused whole with its reasons, and lines that load lead each client to one
// of them at most: to the line that has its name, and never to one that is for others.

import { foldHostName, loadHosts, type HostRecord } from '../../src/rules/hosts.ts';
import { runToEnd } from '../../src/base/steps.ts';
import { parseBoolean } from '../../src/config/units.ts';
import { labelOf, TlsHosts } from '../../src/tls/hosts.ts';
import type { ServerName, TlsMaterial } from '../../src/tls/types.ts';
import { invariant, tokens, type Target } from '../target.ts';
import { filesOf, loaded, NEXT_FILE } from './rules.ts';

const HOSTS_FILE = '/etc/gate/pg_hosts.conf';

const SEEDS = [
  'example.org,Example.com server.crt server.key\n* d.crt d.key ca.crt\n/no_sni/ n.crt n.key "" "echo %p" on\n',
  `@lists/users a.crt a.key\ninclude extra.conf\ninclude_if_exists absent\ninclude_dir more\n${NEXT_FILE}b.example b.crt b.key ""\n${NEXT_FILE}c.example c c ca cmd off # comment\n${NEXT_FILE}one.example, two.example\n`,
  '"a b" \\\n "c d" e f "" yes\nno_sni x y\n"" x y\n',
];

export function hostsTarget(): Target {
  return {
    maxLength: 4_096,
    limitMs: 2_000,
    seeds: SEEDS.map((text) => Buffer.from(text)),
    dictionary: [
      ...tokens('*¦/no_sni/¦"¦""¦,¦ @lists/users¦ a.crt¦ a.key¦ ca.crt¦ "echo %p"¦ on¦ off¦ maybe¦\\\n¦\n¦#'),
      ...tokens('include ¦include_dir ¦include_if_exists ¦example.org¦EXAMPLE.ORG'),
      NEXT_FILE,
    ],
    run: (input) => {
      const read = loaded(() => runToEnd(loadHosts(HOSTS_FILE, filesOf(input, HOSTS_FILE), parseBoolean)));
      if (read === null) return;
      for (const { certFile, keyFile, caFile } of read.records) {
        const paths = [certFile, keyFile, caFile].filter((path) => path !== '');
        invariant(
          paths.every((path) => path.startsWith('/')),
          'a path is absolute',
        );
      }
      checkChoices(read.records);
    },
  };
}

function checkChoices(records: readonly HostRecord[]): void {
  const hosts = new TlsHosts(
    true,
    records.map(({ hosts: names, certFile, caFile }) => ({
      names,
      label: labelOf(names),
      certFile,
      caFile,
      material: MATERIAL,
    })),
  );
  const lineFor = (wanted: ServerName): number => {
    const choice = hosts.choose(wanted);
    return choice.kind === 'host' ? hosts.all.indexOf(choice.host) : -1;
  };
  const indexOf = (kind: 'default' | 'no-sni'): number =>
    records.findIndex(({ hosts: { kind: each } }) => each === kind);
  const standard = indexOf('default');
  const seen = new Set<string>();
  for (const [index, { hosts: names }] of records.entries()) {
    if (names.kind !== 'names') {
      invariant(index === indexOf(names.kind), 'a keyword stands once');
      continue;
    }
    for (const name of names.names) {
      const folded = foldHostName(name);
      invariant(!seen.has(folded), 'a name stands once');
      seen.add(folded);
      const expected = name === '' ? standard : index;
      invariant(lineFor({ kind: 'named', name }) === expected, 'a name leads to its line');
      invariant(lineFor({ kind: 'named', name: folded }) === expected, 'whatever the case of its letters');
      if (!seen.has(`${folded}.`) && !records.some(({ hosts: each }) => hasName(each, `${folded}.`)))
        invariant(lineFor({ kind: 'named', name: `${name}.` }) === standard, 'a dot more is another name');
    }
  }
  const withoutName = indexOf('no-sni');
  invariant(lineFor({ kind: 'none' }) === (withoutName === -1 ? standard : withoutName), 'no name');
  invariant(lineFor({ kind: 'malformed' }) === -1, 'what cannot be read leads nowhere');
  invariant(lineFor({ kind: 'unreadable' }) === -1, 'what is no ClientHello leads nowhere');
}

function hasName(names: HostRecord['hosts'], folded: string): boolean {
  return names.kind === 'names' && names.names.some((name) => foldHostName(name) === folded);
}

/** Nobody looks into it. */
const MATERIAL: TlsMaterial = {
  get context(): never {
    throw new Error('no context');
  },
  options: {},
  requestsClientCertificate: false,
  authorities: [],
  checksRevocation: false,
  certificates: [],
  crls: [],
  hasUndescribedList: false,
  plainLists: [],
  fileWarnings: [],
  minProtocolVersion: 'TLSv1.2',
  maxProtocolVersion: 'TLSv1.3',
};
