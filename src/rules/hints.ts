// How to mend the known mistakes of pg_hba.conf. PostgreSQL's message stays as it is; the hint is ours (contract §17).

import { toText } from '../base/bytestring.ts';
import { nearest } from '../base/nearest.ts';
import { parseNumericAddress } from './address.ts';
import { fieldsOf } from './scan.ts';
import type { Line } from './types.ts';

const TYPES = ['local', 'host', 'hostssl', 'hostnossl', 'hostgssenc', 'hostnogssenc'];
const METHODS = [
  'trust',
  'reject',
  'password',
  'md5',
  'scram-sha-256',
  'cert',
  'peer',
  'ident',
  'ldap',
  'pam',
  'radius',
  'gss',
  'sspi',
  'bsd',
  'oauth',
];
const OPTIONS = ['map', 'clientcert', 'clientname'];
/** Words for a method that are near to none in their letters. */
const MEANT: ReadonlyMap<string, string> = new Map([
  ['allow', 'trust'],
  ['deny', 'reject'],
  ['scram', 'scram-sha-256'],
  ['certificate', 'cert'],
  ['sha256', 'scram-sha-256'],
]);

/** Characters that look like a blank, a quote or nothing, and are none of PostgreSQL's. */
const LOOKALIKE = /[\u00a0\u00ad\u1680\u2000-\u200f\u2018-\u201f\u2028-\u202f\u205f\u2060\u3000\ufeff]/;

/** What the author of a line that PostgreSQL refuses may have meant; undefined where the mistake is not a known one. */
export function hintFor(line: Line, message: string): string | undefined {
  const value = valueIn(message);
  return lookalikeHint(suspectText(line, value)) ?? hintForMessage(line, message, value);
}

/** What a message says in quotes. */
function valueIn(message: string): string {
  const [, value = ''] = /"([^"]*)"(?:: [A-Z][^"]*)?$/.exec(message) ?? [];
  return value;
}

/**
 * Where a look-alike can be the mistake: not in a comment, and in quotes only where the message is about that word. Names
 * and sentences have apostrophes that look like one of PostgreSQL's quotes and are in their place.
 */
function suspectText({ raw }: Line, value: string): string {
  return fieldsOf(raw)
    .flat()
    .filter(({ quoted, text }) => !quoted || toText(text) === value)
    .map(({ text }) => toText(text))
    .join(' ');
}

/** Names the first character of a text that cannot be told from another by looking. */
export function lookalikeHint(text: string): string | undefined {
  const [found] = LOOKALIKE.exec(text) ?? [];
  if (found === undefined) return undefined;
  const code = `U+${found.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
  if (found === '\ufeff')
    return `There is a byte order mark (${code}) here: save the file as UTF-8 without one.`;
  return `There is a ${code} here, which looks like another character: type a space, or a plain quote, in its place.`;
}

function hintForMessage({ fields }: Line, message: string, value: string): string | undefined {
  if (message.startsWith('invalid connection type')) return typeHint(value);
  if (message.startsWith('invalid authentication method'))
    return methodHint(value, fields[0]?.[0]?.text === 'local');
  if (message.startsWith('invalid value for clientcert')) return clientCertHint(value);
  if (message.startsWith('invalid IP mask')) {
    const address = toText(fields[3]?.[0]?.text ?? '');
    const length = parseNumericAddress(address)?.family === 6 ? 128 : 32;
    return `Write ${address}/${length} for that one address.`;
  }
  if (message.startsWith('end-of-line before authentication method') && fields[0]?.[0]?.text !== 'local') {
    return 'The columns are: TYPE DATABASE USER ADDRESS METHOD.';
  }
  if (message.startsWith('specifying both host name and CIDR mask')) return addressHint(value);
  if (message.startsWith('cert authentication is only supported'))
    return 'Write hostssl: a certificate needs TLS.';
  if (message.startsWith('authentication option not in name=value format: sameuser')) {
    return 'Leave sameuser out: without a map PostgreSQL compares the names itself since 8.4.';
  }
  if (message.startsWith('unrecognized authentication option')) return perhaps(nearest(value, OPTIONS));
  return undefined;
}

function typeHint(value: string): string | undefined {
  if (TYPES.includes(value.toLowerCase())) return `Write it in lower case: ${value.toLowerCase()}.`;
  if (/^[a-z_]+=/.test(value)) return 'Put it on the line above, or end that line with a backslash.';
  return perhaps(value.toLowerCase() === 'hostnotls' ? 'hostnossl' : nearest(value, TYPES));
}

function methodHint(value: string, isLocal: boolean): string | undefined {
  const host = value.split('/')[0] ?? '';
  if (isLocal && (value === 'all' || parseNumericAddress(host) !== null)) {
    return 'A local line has no address: leave it out, or write host.';
  }
  return perhaps(MEANT.get(value.toLowerCase()) ?? nearest(value.toLowerCase(), METHODS));
}

function clientCertHint(value: string): string {
  return value === '0' || value === 'no-verify'
    ? 'Leave it out: since PostgreSQL 14 that is how no certificate is asked for.'
    : 'Write clientcert=verify-ca, or clientcert=verify-full to have the name in the certificate checked too.';
}

function addressHint(value: string): string | undefined {
  return /^[0-9.]+\//.test(value)
    ? 'It is not a valid address, so it is read as a host name.'
    : 'A host name takes no mask.';
}

function perhaps(word: string | null): string | undefined {
  return word === null ? undefined : `Perhaps you meant ${word}.`;
}
