// The LDAP URLs of a file that PostgreSQL loads do not keep the gate from loading it, and those that PostgreSQL refuses are
// refused here. PostgreSQL 10 is asked, because the newer servers here are built without LDAP. It knows no ldaps and no
// filter in a URL, and says so once the URL is parsed.

import { test } from 'tap';
import { parseLdapUrl } from '../../src/rules/ldap-url.ts';
import { startPostgres } from '../support/servers/postgres.ts';

const HOSTS = ['h', 'h:389', '[::1]', '[::1]:3', '[::1]x', 'a b', 'h: 1', 'h:+1', 'h:-1', 'h:%31', 'h%3a1'];
const BAD_HOSTS = ['h:', 'h:1x', 'a:1:2', '[::1', '::1', 'h:1 '];
const PATHS = ['', '/', '/dc=x', '//', '/dc%3dx', '/dc=x#f', '/dc=x>', '/%00', '?', '?uid', '??sub'];
const SCOPES = ['one', 'onelevel', 'base', 'SUB', 'subtree', 'subordinate', 'children', '%73ub'];
const BAD_SCOPES = ['tree', ' sub', 'default', 's'];
const QUERIES = words(
  '? ?uid ?uid,cn ?,uid ?%75id ?a/b ?? ??sub ??? ????e ????!e ????e,!f ???? ????? ????e?f ????, ???%00 ??%00',
  '???(uid=$username) ?uid?sub?(a=b)',
  ...[...SCOPES, ...BAD_SCOPES].map((scope) => `?uid?${scope.replace(' ', '%20')}`),
);
const SCHEMES = ['LDAP://', 'ldaps://', 'ldapi://', 'cldap://', 'ldapx://', 'ldap:/', 'ldap:', 'http://', ''];
const ENCLOSED = [
  '<ldap://h/dc=x>',
  '<ldap://h/dc=x',
  'URL:ldap://h/dc=x',
  'url:ldap://h/dc=x',
  '<URL:ldap://h/dc=x>',
];
const URLS = [
  ...[...HOSTS, ...BAD_HOSTS, ''].map((host) => `ldap://${host}/dc=x`),
  ...PATHS.map((path) => `ldap://h${path}`),
  ...QUERIES.flatMap((query) => [`ldap://h/dc=x${query}`, `ldap://h/${query}`]),
  ...SCHEMES.map((scheme) => `${scheme}h/dc=x`),
  ...ENCLOSED,
];

function words(...texts: readonly string[]): string[] {
  return texts.flatMap((text) => text.split(' '));
}

/** What the gate makes of a URL, in PostgreSQL 10's words. */
function ours(url: string): string {
  const parsed = parseLdapUrl(url);
  if (parsed === null) return 'could not parse';
  const { scheme, server, base, attribute, filter } = parsed;
  if (scheme !== 'ldap') return `unsupported LDAP URL scheme: ${scheme}`;
  if (filter !== null) return 'filters not supported in LDAP URLs';
  if (server === '') return 'no server';
  if (base === null) return 'no base';
  return JSON.stringify({ server, base, attribute });
}

await test('what PostgreSQL makes of each', async (t) => {
  await using server = await startPostgres({ version: 10 });
  const lines = URLS.map((url) => `host all all all ldap "ldapurl=${url}"\n`);
  server.writeDataFile('pg_hba.conf', `local all postgres trust\n${lines.join('')}`);
  const rows = await server.query('select line_number, options, error from pg_hba_file_rules');
  const answers = new Map(rows.map((row) => [Number(row['line_number']), row]));
  for (const [index, url] of URLS.entries()) {
    const { options, error } = answers.get(index + 2) ?? {};
    t.equal(ours(url), theirs(options, error), JSON.stringify(url));
  }
});

function theirs(options: unknown, error: unknown): string {
  if (typeof error === 'string') {
    if (error.startsWith('could not parse')) return 'could not parse';
    if (error.includes('"ldapserver" to be set')) return 'no server';
    return error.includes('"ldapbasedn"') ? 'no base' : error;
  }
  const list: string[] = Array.isArray(options) ? options.map(String) : [];
  const valueOf = (name: string): string | null =>
    list.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1) ?? null;
  return JSON.stringify({
    server: valueOf('ldapserver'),
    base: valueOf('ldapbasedn'),
    attribute: valueOf('ldapsearchattribute'),
  });
}
