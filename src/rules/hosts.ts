// pg_hosts.conf: which certificate a client is shown that names a host by SNI (contract §11, sni.md §2, PostgreSQL 19).
// The tokeniser is the one of pg_hba.conf; a bad line refuses the whole file.

import { toText, type ByteString } from '../base/bytestring.ts';
import { LoadError, type Problem } from '../base/problems.ts';
import type { Steps } from '../base/steps.ts';
import { BadLine } from './bad-line.ts';
import { parseRecords, readLinesInSteps } from './tokens.ts';
import type { FileSystem, Line, Place } from './types.ts';

/** Who a line serves: clients that name one of some hosts, those that name none that is listed, or those that name none. */
export type HostNames =
  | { readonly kind: 'names'; readonly names: readonly ByteString[] }
  | { readonly kind: 'default' }
  | { readonly kind: 'no-sni' };

/** One line. Paths are absolute; '' = not given. */
export interface HostRecord extends Place {
  readonly hosts: HostNames;
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  readonly passphraseCommand: string;
  readonly passphraseCommandSupportsReload: boolean;
}

export interface HostRecords {
  readonly records: readonly HostRecord[];
  /** The file does not exist, which is the same as an empty one. */
  readonly missing: boolean;
  readonly warnings: readonly Problem[];
}

/**
 * Loads a pg_hosts.conf (absolute path) with everything it includes.
 *
 * @param parseBoolean reads PostgreSQL's booleans; null = it is none
 * @throws LoadError with all problems: PostgreSQL's texts, each with its own file and line
 */
export function* loadHosts(
  file: string,
  fs: FileSystem,
  parseBoolean: (text: string) => boolean | null,
): Steps<HostRecords> {
  const { entries, missing, warnings } = yield* readLinesInSteps(file, fs);
  if (missing) return { records: [], missing, warnings };
  const seen = new SeenHosts();
  const { records, problems } = yield* parseRecords(entries, (line) => {
    const record = parseHostLine(line, parseBoolean);
    seen.add(record.hosts);
    const absolute = (path: string): string => (path === '' ? '' : fs.resolve(line.file, path));
    return {
      ...record,
      certFile: absolute(record.certFile),
      keyFile: absolute(record.keyFile),
      caFile: absolute(record.caFile),
    };
  });
  if (problems.length > 0)
    throw new LoadError([...problems, { file, line: null, message: summary(file, problems) }]);
  return { records, missing, warnings };
}

/** What PostgreSQL says after the problems of the file: it could not be opened, or a line of it is wrong. */
function summary(file: string, problems: readonly Problem[]): string {
  const whole = problems.find((problem) => problem.file === file && problem.line === null);
  return `could not load "${file}": ${whole?.message ?? `loading config from "${file}" failed due to parsing error`}`;
}

/** Host names, certificate and key, then perhaps CA, passphrase command and whether a reload may run it; as written. */
function parseHostLine(line: Line, parseBoolean: (text: string) => boolean | null): HostRecord {
  const hosts = parseNames(line);
  const certFile = single(line, 1, 'SSL certificate');
  const keyFile = single(line, 2, 'SSL key');
  if (certFile === null || keyFile === null) throw new BadLine('missing entry at end of line');
  const caFile = single(line, 3, 'SSL CA') ?? '';
  const passphraseCommand = single(line, 4, 'SSL passphrase command') ?? '';
  const passphraseCommandSupportsReload = reloadFlag(line, parseBoolean);
  if (line.fields.length > 6) throw new BadLine('extra fields at end of line');
  const { file, line: number } = line;
  return {
    file,
    line: number,
    hosts,
    certFile,
    keyFile,
    caFile,
    passphraseCommand,
    passphraseCommandSupportsReload,
  };
}

/** The two keywords are known by their text alone: quotes take nothing away from them. */
function parseNames(line: Line): HostNames {
  const names = (line.fields[0] ?? []).map(({ text }) => text);
  const keyword = names.find((name) => name === '*' || name === '/no_sni/');
  if (keyword === undefined) return { kind: 'names', names };
  if (names.length > 1) throw new BadLine('default and non-SNI entries cannot be mixed with other entries');
  return { kind: keyword === '*' ? 'default' : 'no-sni' };
}

/** The only value of a field; null = the line ends before it. */
function single(line: Line, index: number, what: string): string | null {
  const field = line.fields[index];
  if (field === undefined) return null;
  const [token, extra] = field;
  if (extra !== undefined) throw new BadLine(`multiple values specified for ${what}`);
  return toText(token?.text ?? '');
}

function reloadFlag(line: Line, parseBoolean: (text: string) => boolean | null): boolean {
  const field = line.fields[5];
  if (field === undefined) return false;
  const [token, extra] = field;
  const value = extra === undefined ? parseBoolean(token?.text ?? '') : null;
  if (value === null) throw new BadLine('incorrect syntax for boolean value SSL_passphrase_cmd_reload');
  return value;
}

/** Notices what stands twice, over all lines and lists; letters are compared without their case. */
class SeenHosts {
  readonly #names = new Set<string>();
  #hasDefault = false;
  #hasNoSni = false;

  add(hosts: HostNames): void {
    switch (hosts.kind) {
      case 'default':
        if (this.#hasDefault) throw new BadLine('multiple default hosts specified');
        this.#hasDefault = true;
        return;
      case 'no-sni':
        if (this.#hasNoSni) throw new BadLine('multiple no_sni hosts specified');
        this.#hasNoSni = true;
        return;
      case 'names':
        for (const name of hosts.names) {
          const folded = foldHostName(name);
          if (this.#names.has(folded))
            throw new BadLine(`multiple entries for host "${toText(name)}" specified`);
          this.#names.add(folded);
        }
        return;
      default:
        return hosts satisfies never;
    }
  }
}

/** A host name with its ASCII letters in lower case; other bytes stay, so that no locale changes who matches. */
export function foldHostName(name: ByteString): ByteString {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
