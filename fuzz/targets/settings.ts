// gatehouse.yaml: every text is settings, checked, or is refused with places inside the text.

import { fromBytes } from '../../src/base/bytestring.ts';
import { loadSettings } from '../../src/config/load.ts';
import { isLoopback } from '../../src/config/hosts.ts';
import { schema } from '../../src/config/schema.ts';
import { LoadError } from '../../src/base/problems.ts';
import type { FileSystem } from '../../src/rules/types.ts';
import { invariant, tokens, type Target } from '../target.ts';

const FILE = '/etc/gate/gatehouse.yaml';

const SEEDS = [
  'ssl: on\nssl_cert_file: server.crt\nssl_key_file: server.key\nhba_file: pg_hba.conf\nupstream:\n  host: 127.0.0.1\n  port: 5432\n',
  'listen_addresses: "*"\nport: 6432\nworkers: auto\nauthentication_timeout: 1min\nroles: {app: [alice, bob]}\nreload: {watch: off, sessions: terminate}\n',
  'ssl: off\nadmin:\n  listen: /run/gate/admin.sock\nupstream: {host: db.example, allow_remote: true}\nlog_level: debug\n',
  'a: &x [1, 2]\nb: *x\n? complex\n: value\n--- !!map\n"port": 0x10\n',
];

export function settingsTarget(): Target {
  return {
    maxLength: 4_096,
    limitMs: 2_000,
    seeds: SEEDS.map((text) => Buffer.from(text)),
    dictionary: [
      ...Object.keys(schema).map((name) => `${name.split('.').at(-1)}: `),
      ...tokens('&a ¦*a¦<<: ¦!!str ¦- ¦{¦}¦[¦]¦|\n¦>-\n¦"¦\'¦#¦? ¦: ¦---\n¦...\n¦%YAML 1.1\n'),
      ...tokens('on¦off¦1min¦500ms¦10s¦0x10¦1e9¦-1¦127.0.0.1¦::1¦*¦null¦~¦\n  '),
    ],
    run: (input) => {
      const fs = fileSystemOf(input);
      try {
        const settings = loadSettings(FILE, fs);
        invariant(settings.port >= 0 && settings.port <= 65_535, 'a port is one');
        invariant(settings.workers >= 1 && Number.isInteger(settings.workers), 'a number of workers is one');
        invariant(
          [settings.hba_file, settings.ident_file].every((path) => path.startsWith('/')),
          'paths are absolute',
        );
        const { host, allow_remote: allowRemote } = settings.upstream;
        invariant(
          allowRemote || host.startsWith('/') || isLoopback(host),
          'what is decrypted stays on this machine',
        );
      } catch (error) {
        if (!(error instanceof LoadError)) throw error;
        const lines = fromBytes(input).split(/\r\n?|\n/).length;
        invariant(error.problems.length > 0, 'a refusal gives its reasons');
        for (const { file, line, message } of error.problems) {
          invariant(file === FILE && message !== '', 'a reason names the file');
          invariant(line === null || (line >= 1 && line <= lines), () => `line ${line} of ${lines}`);
        }
      }
    },
  };
}

function fileSystemOf(input: Buffer): FileSystem {
  return { readFile: () => fromBytes(input), listFiles: () => [], resolve: (_from, relative) => relative };
}
