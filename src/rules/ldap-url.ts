// LDAP URLs, split as OpenLDAP's ldap_url_parse splits them for PostgreSQL (decision 140):
// `ldap://host:port/basedn?attributes?scope?filter?extensions`.

import type { ByteString } from '../base/bytestring.ts';

/** What of a URL becomes options of a line. Null = the URL does not say; a base may be empty and yet be said. */
export interface LdapUrl {
  readonly scheme: 'ldap' | 'ldaps' | 'ldapi';
  readonly server: ByteString;
  readonly base: ByteString | null;
  /** The first of its attributes. */
  readonly attribute: ByteString | null;
  readonly filter: ByteString | null;
}

const SCHEME = /^(<?)(?:url:)?(ldap|ldaps|ldapi):\/\//i;
const SCOPES = ['one', 'onelevel', 'base', 'sub', 'subtree', 'subordinate', 'children'];

/** Null where OpenLDAP does not take it for one. */
export function parseLdapUrl(text: ByteString): LdapUrl | null {
  const prefix = SCHEME.exec(text);
  if (prefix === null) return null;
  const isEnclosed = prefix[1] === '<';
  if (isEnclosed && !text.endsWith('>')) return null;
  const rest = text.slice(prefix[0].length, isEnclosed ? -1 : undefined);
  const slash = rest.indexOf('/');
  const server = readServer(slash === -1 ? rest.replace(/\?.*$/s, '') : rest.slice(0, slash));
  if (server === null) return null;
  const scheme = readScheme(prefix[2] ?? '');
  // Without a slash there is nothing but a server, whatever follows.
  if (slash === -1) return { scheme, server, base: null, attribute: null, filter: null };
  const [base = '', attributes = '', scope = '', filter = '', extensions, more] = rest
    .slice(slash + 1)
    .split('?', 6);
  const attribute = firstOf(attributes);
  const isLegal =
    (attributes === '' || attribute !== null) &&
    (scope === '' || SCOPES.includes(unescape(scope).toLowerCase())) &&
    (filter === '' || unescape(filter) !== '') &&
    (extensions === undefined || firstOf(extensions) !== null) &&
    more === undefined;
  if (!isLegal) return null;
  return { scheme, server, base: unescape(base), attribute, filter: filter === '' ? null : unescape(filter) };
}

function readScheme(text: string): LdapUrl['scheme'] {
  const scheme = text.toLowerCase();
  return scheme === 'ldaps' || scheme === 'ldapi' ? scheme : 'ldap';
}

/** The host; null where what stands before it or behind it cannot be. A port is what C's strtol reads whole. */
function readServer(text: ByteString): ByteString | null {
  const match = /^(?:\[([^\]]*)\][^:]*|([^[:][^:]*)?)(?::(.*))?$/s.exec(text);
  if (match === null) return null;
  const [, bracketed, plain, port] = match;
  if (port !== undefined && !/^[ \t\n\v\f\r]*[+-]?[0-9]+$/.test(unescape(port))) return null;
  return unescape(bracketed ?? plain ?? '');
}

/** The first item of a list with commas, which skips empty ones; null = there is none. */
function firstOf(list: ByteString): ByteString | null {
  return (
    unescape(list)
      .split(',')
      .find((item) => item !== '') ?? null
  );
}

/** Text with its `%XX` read; C ends it at a NUL. */
function unescape(text: ByteString): ByteString {
  const bytes = text.replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return bytes.replace(/\0.*$/s, '');
}
