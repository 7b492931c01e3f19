// pg_hba.conf: records of tokens to rules (semantics §4). The file is used whole or not at all: one bad line
// refuses it, and every bad line is reported.

import { toText } from '../base/bytestring.ts';
import { LoadError } from '../base/problems.ts';
import { runToEnd, type Steps } from '../base/steps.ts';
import { parseCidrLength, parseNumericAddress } from './address.ts';
import { parseMethod, parseOptions } from './options.ts';
import { BadLine } from './bad-line.ts';
import { hintFor } from './hints.ts';
import { withoutSecrets } from './method-options.ts';
import { isKeyword, parseDatabase, parseUser, PatternCache } from './specs.ts';
import { parseRecords, readLinesInSteps } from './tokens.ts';
import type {
  AddressSpec,
  ConnectionType,
  FileSystem,
  HbaRecord,
  HbaRules,
  Line,
  Roles,
  Token,
} from './types.ts';
import { findWarnings } from './warnings.ts';

/** What a rule file is judged against when it is loaded; only warnings depend on it. */
export interface HbaOptions {
  /** TLS is on. */
  readonly ssl: boolean;
  /** Null = the upstream's catalogue knows more of them. */
  readonly roles: Roles | null;
}

/**
 * Loads a pg_hba.conf (absolute path) with everything it includes.
 * Throws LoadError with all problems: PostgreSQL's texts, each with its own file and line.
 */
export function loadHba(file: string, fs: FileSystem, options: HbaOptions): HbaRules {
  return runToEnd(loadHbaInSteps(file, fs, options));
}

/** The same as work that may be interrupted. */
export function* loadHbaInSteps(file: string, fs: FileSystem, options: HbaOptions): Steps<HbaRules> {
  const { entries, warnings } = yield* readLinesInSteps(file, fs);
  const patterns = new PatternCache();
  const { records, problems } = yield* parseRecords(entries, (line) => hinted(line, patterns));
  // SECURITY: never go on with the lines that could be read; a reject line may be among the others.
  if (problems.length > 0) throw new LoadError(problems);
  if (records.length === 0) {
    const message = `configuration file "${file}" contains no entries`;
    throw new LoadError([{ file, line: null, message }]);
  }
  return { file, records, warnings: [...warnings, ...(yield* findWarnings(records, options))] };
}

/** A record as one line, for people: the raw logical line without its margins. */
export function ruleText(record: Pick<HbaRecord, 'raw'>): string {
  return toText(record.raw.replaceAll(/^[ \t\r]+|[ \t\r]+$/g, ''));
}

const CONNECTION_TYPES: ReadonlySet<string> = new Set<ConnectionType>([
  'local',
  'host',
  'hostssl',
  'hostnossl',
  'hostgssenc',
  'hostnogssenc',
]);

/** The record, or PostgreSQL's error with a hint where the mistake is a known one. */
function hinted(line: Line, patterns: PatternCache): HbaRecord {
  try {
    return parseHbaLine(line, patterns);
  } catch (error) {
    if (!(error instanceof BadLine) || error.hint !== undefined) throw error;
    throw new BadLine(error.message, hintFor(line, error.message));
  }
}

function parseHbaLine(line: Line, patterns: PatternCache): HbaRecord {
  const fields = new Fields(line);
  const type = parseConnectionType(fields.next() ?? []);
  const databases = fields.next();
  if (databases === undefined) throw new BadLine('end-of-line before database specification');
  const databaseSpecs = databases.map((token) => parseDatabase(token, patterns));
  const users = fields.next();
  if (users === undefined) throw new BadLine('end-of-line before role specification');
  const userSpecs = users.map((token) => parseUser(token, patterns));
  const address = type === 'local' ? null : parseAddress(fields);
  const method = parseMethod(fields.next(), type);
  return {
    file: line.file,
    line: line.line,
    raw: method === 'ldap' || method === 'radius' ? withoutSecrets(line.raw) : line.raw,
    type,
    databases: databaseSpecs,
    users: userSpecs,
    address,
    ...parseOptions(fields.rest(), type, method),
  };
}

/** A line's fields, taken one after the other. */
class Fields {
  readonly #fields: Line['fields'];
  #at = 0;

  constructor(line: Line) {
    this.#fields = line.fields;
  }

  next(): readonly Token[] | undefined {
    const field = this.#fields[this.#at];
    this.#at += 1;
    return field;
  }

  rest(): Line['fields'] {
    return this.#fields.slice(this.#at);
  }
}

function parseConnectionType(tokens: readonly Token[]): ConnectionType {
  if (tokens.length > 1) {
    throw new BadLine(
      'multiple values specified for connection type',
      'Specify exactly one connection type per line.',
    );
  }
  const text = tokens[0]?.text ?? '';
  if (!isConnectionType(text)) throw new BadLine(`invalid connection type "${toText(text)}"`);
  return text;
}

/** The address field and, where it is numeric without a length, the mask field (semantics §4.5 to §4.7). */
function parseAddress(fields: Fields): AddressSpec {
  const [token, extra] = fields.next() ?? [];
  if (token === undefined) throw new BadLine('end-of-line before IP address specification');
  if (extra !== undefined) {
    throw new BadLine('multiple values specified for host address', 'Specify one address range per line.');
  }
  if (isKeyword(token, 'all')) return { kind: 'all' };
  if (isKeyword(token, 'samehost')) return { kind: 'samehost' };
  if (isKeyword(token, 'samenet')) return { kind: 'samenet' };

  const slash = token.text.indexOf('/');
  const host = slash === -1 ? token.text : token.text.slice(0, slash);
  const address = parseNumericAddress(host);
  if (address === null) {
    if (slash === -1) return { kind: 'name', name: host };
    throw new BadLine(`specifying both host name and CIDR mask is invalid: "${toText(token.text)}"`);
  }
  if (slash === -1) return { kind: 'mask', address, mask: parseMask(fields, address.family) };
  const mask = parseCidrLength(token.text.slice(slash + 1), address.family);
  if (mask === null) throw new BadLine(`invalid CIDR mask in address "${toText(token.text)}"`);
  return { kind: 'mask', address, mask };
}

function parseMask(fields: Fields, family: 4 | 6): Uint8Array {
  const [token, extra] = fields.next() ?? [];
  if (token === undefined) {
    throw new BadLine(
      'end-of-line before netmask specification',
      'Specify an address range in CIDR notation, or provide a separate netmask.',
    );
  }
  if (extra !== undefined) throw new BadLine('multiple values specified for netmask');
  const mask = parseNumericAddress(token.text);
  if (mask === null) throw new BadLine(`invalid IP mask "${toText(token.text)}": Name or service not known`);
  if (mask.family !== family) throw new BadLine('IP address and mask do not match');
  return mask.bytes;
}

function isConnectionType(text: string): text is ConnectionType {
  return CONNECTION_TYPES.has(text);
}
