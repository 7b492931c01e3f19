// The options that belong to one method: ldap, radius, pam, gss, sspi and oauth. The gate does nothing with them. It
// checks them as PostgreSQL does, so that a file which the server refuses is refused here too (semantics §4.10).

import { toText } from '../base/bytestring.ts';
import type { ByteString } from '../base/bytestring.ts';
import { BadLine } from './bad-line.ts';
import { parseLdapUrl } from './ldap-url.ts';
import { fieldsOf, WRITTEN } from './scan.ts';
import type { Method } from './types.ts';

/** The last value of each such option of a line. */
export type OwnOptions = Map<string, ByteString>;

interface Owner {
  readonly methods: readonly Method[];
  /** The methods as PostgreSQL's error names them. */
  readonly named: string;
}

const ldap: Owner = { methods: ['ldap'], named: 'ldap' };
const radius: Owner = { methods: ['radius'], named: 'radius' };
const pam: Owner = { methods: ['pam'], named: 'pam' };
const sspi: Owner = { methods: ['sspi'], named: 'sspi' };
const kerberos: Owner = { methods: ['gss', 'sspi'], named: 'gssapi and sspi' };
const oauth: Owner = { methods: ['oauth'], named: 'oauth' };

const owners: ReadonlyMap<string, Owner> = new Map<string, Owner>([
  ['pamservice', pam],
  ['pam_use_hostname', pam],
  ['ldapurl', ldap],
  ['ldaptls', ldap],
  ['ldapscheme', ldap],
  ['ldapserver', ldap],
  ['ldapport', ldap],
  ['ldapbinddn', ldap],
  ['ldapbindpasswd', ldap],
  ['ldapsearchattribute', ldap],
  ['ldapsearchfilter', ldap],
  ['ldapbasedn', ldap],
  ['ldapprefix', ldap],
  ['ldapsuffix', ldap],
  ['krb_realm', kerberos],
  ['include_realm', kerberos],
  ['compat_realm', sspi],
  ['upn_username', sspi],
  ['radiusservers', radius],
  ['radiusports', radius],
  ['radiussecrets', radius],
  ['radiusidentifiers', radius],
  ['issuer', oauth],
  ['scope', oauth],
  ['validator', oauth],
  ['delegate_ident_mapping', oauth],
]);

/** The options that hold a password. */
const SECRETS = ['ldapbindpasswd', 'radiussecrets'];
/** What is shown in its place, as libpq does it. */
const HIDDEN = '********';

/** What PostgreSQL calls the list in each radius option. */
const radiusLists: ReadonlyMap<string, string> = new Map([
  ['radiusservers', 'server'],
  ['radiusports', 'port'],
  ['radiussecrets', 'secret'],
  ['radiusidentifiers', 'identifiers'],
]);

/** PostgreSQL's error for an option that stands with another method. */
export function onlyValidFor(option: string, methods: string): string {
  return `authentication option "${option}" is only valid for authentication methods ${methods}`;
}

/**
 * Notes an option of a line.
 *
 * @throws BadLine with PostgreSQL's text where no method has it, another method has it, or its value cannot be
 */
export function setOwnOption(own: OwnOptions, method: Method, name: ByteString, value: ByteString): void {
  const owner = owners.get(name);
  if (owner === undefined) throw new BadLine(`unrecognized authentication option name: "${toText(name)}"`);
  if (!owner.methods.includes(method)) throw new BadLine(onlyValidFor(name, owner.named));
  checkValue(name, value);
  if (name === 'ldapurl') setFromUrl(own, value);
  else own.set(name, value);
}

/**
 * A line as it may be shown: in the log, on the admin listener and the console. SECURITY: passwords may stand in it, of the
 * servers that its method asks.
 */
export function withoutSecrets(raw: ByteString): ByteString {
  return raw.replaceAll(WRITTEN, (written) => {
    const [[token] = []] = fieldsOf(written);
    const name = SECRETS.find((option) => token?.text.startsWith(`${option}=`));
    return name === undefined ? written : `${name}=${HIDDEN}`;
  });
}

function checkValue(name: string, value: ByteString): void {
  if (name === 'ldapport' && leadingNumber(value) === 0) {
    throw new BadLine(`invalid LDAP port number: "${toText(value)}"`);
  }
  const list = radiusLists.get(name);
  if (list === undefined) return;
  const items = splitList(value);
  const shown = SECRETS.includes(name) ? HIDDEN : toText(value);
  if (items === null) throw new BadLine(`could not parse RADIUS ${list} list "${shown}"`);
  // The names of the servers are not looked up: the server that asks them does that (decision 140).
  const wrong = name === 'radiusports' && items.some((item) => leadingNumber(item) === 0);
  if (wrong) throw new BadLine(`invalid RADIUS port number: "${toText(value)}"`);
}

/** What C's atoi reads. */
function leadingNumber(text: string): number {
  return Number(/^[ \t\n\v\f\r]*([+-]?[0-9]+)/.exec(text)?.[1] ?? 0);
}

/** The items of a list of PostgreSQL's settings, each quoted or without blanks; null = it is none. */
function splitList(text: ByteString): readonly string[] | null {
  if (/^[ \t\n\r\f]*$/.test(text)) return [];
  const items: string[] = [];
  let rest = text;
  for (;;) {
    const item = /^[ \t\n\r\f]*(?:"((?:[^"]|"")*)"|([^, \t\n\r\f"][^, \t\n\r\f]*))[ \t\n\r\f]*(,|$)/.exec(
      rest,
    );
    if (item === null) return null;
    items.push(item[1]?.replaceAll('""', '"') ?? item[2] ?? '');
    if (item[3] === '') return items;
    rest = rest.slice(item[0].length);
  }
}

/** An LDAP URL stands for the options that it holds. */
function setFromUrl(own: OwnOptions, text: ByteString): void {
  const url = parseLdapUrl(text);
  if (url === null) throw new BadLine(`could not parse LDAP URL "${toText(text)}": it is not an LDAP URL`);
  if (url.scheme === 'ldapi') throw new BadLine(`unsupported LDAP URL scheme: ${url.scheme}`);
  own.set('ldapserver', url.server);
  if (url.base !== null) own.set('ldapbasedn', url.base);
  if (url.attribute !== null) own.set('ldapsearchattribute', url.attribute);
  if (url.filter !== null) own.set('ldapsearchfilter', url.filter);
}

/**
 * Checks what a method's options say together.
 *
 * @param map the line's map
 * @throws BadLine with PostgreSQL's text
 */
export function checkOwnOptions(method: Method, own: OwnOptions, map: ByteString | null): void {
  if (method === 'ldap') checkLdap(own);
  if (method === 'radius') checkRadius(own);
  if (method === 'oauth') checkOauth(own, map);
}

function checkLdap(own: OwnOptions): void {
  const search = ['ldapbasedn', 'ldapbinddn', 'ldapbindpasswd', 'ldapsearchattribute', 'ldapsearchfilter'];
  if (own.has('ldapprefix') || own.has('ldapsuffix')) {
    if (search.some((name) => own.has(name))) {
      throw new BadLine('cannot mix options for simple bind and search+bind modes');
    }
  } else if (!own.has('ldapbasedn')) {
    throw new BadLine(
      'authentication method "ldap" requires argument "ldapbasedn", "ldapprefix", or "ldapsuffix" to be set',
    );
  }
  if (own.has('ldapsearchattribute') && own.has('ldapsearchfilter')) {
    throw new BadLine('cannot use ldapsearchattribute together with ldapsearchfilter');
  }
}

function checkRadius(own: OwnOptions): void {
  const countOf = (name: string): number => splitList(own.get(name) ?? '')?.length ?? 0;
  const servers = countOf('radiusservers');
  // An empty list is none.
  if (servers === 0) throw new BadLine(missing('radius', 'radiusservers'));
  if (countOf('radiussecrets') === 0) throw new BadLine(missing('radius', 'radiussecrets'));
  for (const [name, what] of [
    ['radiussecrets', 'secrets'],
    ['radiusports', 'ports'],
    ['radiusidentifiers', 'identifiers'],
  ] as const) {
    const count = countOf(name);
    if (count > 1 && count !== servers) {
      throw new BadLine(
        `the number of RADIUS ${what} (${count}) must be 1 or the same as the number of RADIUS servers (${servers})`,
      );
    }
  }
}

function checkOauth(own: OwnOptions, map: ByteString | null): void {
  for (const name of ['scope', 'issuer']) {
    if (!own.has(name)) throw new BadLine(missing('oauth', name));
  }
  if (own.get('delegate_ident_mapping') === '1' && map !== null) {
    throw new BadLine('map cannot be used in combination with delegate_ident_mapping');
  }
}

function missing(method: Method, argument: string): string {
  return `authentication method "${method}" requires argument "${argument}" to be set`;
}
