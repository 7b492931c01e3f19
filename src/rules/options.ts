// A record's authentication method and its options (semantics §4.8 to §4.10), with every combination that
// PostgreSQL refuses.

import { toText } from '../base/bytestring.ts';
import type { ByteString } from '../base/bytestring.ts';
import { BadLine } from './bad-line.ts';
import type { ClientName, ConnectionType, HbaRecord, Method, Token } from './types.ts';

/** Methods of PostgreSQL that need what this build has not: a directory, a ticket, an ident server. */
const UNSUPPORTED_METHODS: ReadonlySet<string> = new Set([
  'gss',
  'sspi',
  'pam',
  'bsd',
  'ldap',
  'radius',
  'oauth',
  'ident',
]);

const METHODS: ReadonlySet<string> = new Set<Method>([
  'reject',
  'trust',
  'cert',
  'password',
  'md5',
  'scram-sha-256',
  'peer',
]);

/** Options that belong to unsupported methods, with the methods as PostgreSQL names them in its error. */
const FOREIGN_OPTIONS: ReadonlyMap<string, string> = new Map([
  ...['pamservice', 'pam_use_hostname'].map((name) => [name, 'pam'] as const),
  ...[
    'ldapurl',
    'ldaptls',
    'ldapscheme',
    'ldapserver',
    'ldapport',
    'ldapbinddn',
    'ldapbindpasswd',
    'ldapsearchattribute',
    'ldapsearchfilter',
    'ldapbasedn',
    'ldapprefix',
    'ldapsuffix',
  ].map((name) => [name, 'ldap'] as const),
  ...['krb_realm', 'include_realm'].map((name) => [name, 'gssapi and sspi'] as const),
  ...['compat_realm', 'upn_username'].map((name) => [name, 'sspi'] as const),
  ...['radiusservers', 'radiusports', 'radiussecrets', 'radiusidentifiers'].map(
    (name) => [name, 'radius'] as const,
  ),
  ...['issuer', 'scope', 'validator', 'delegate_ident_mapping'].map((name) => [name, 'oauth'] as const),
]);

const CLIENT_NAMES: ReadonlySet<string> = new Set<ClientName>(['CN', 'DN', 'URI', 'DNS', 'EMAIL']);

/** What the method field and the fields behind it say. */
export type MethodAndOptions = Pick<HbaRecord, 'method' | 'clientCert' | 'clientName' | 'map'>;

/** Throws BadLine with PostgreSQL's text. */
export function parseMethod(tokens: readonly Token[] | undefined, type: ConnectionType): Method {
  const [token, extra] = tokens ?? [];
  if (token === undefined) throw new BadLine('end-of-line before authentication method');
  if (extra !== undefined) {
    throw new BadLine(
      'multiple values specified for authentication type',
      'Specify exactly one authentication type per line.',
    );
  }
  // On a local line PostgreSQL has always read ident as peer.
  const name = type === 'local' && token.text === 'ident' ? 'peer' : token.text;
  if (UNSUPPORTED_METHODS.has(name)) {
    throw new BadLine(`invalid authentication method "${name}": not supported by this build`);
  }
  if (!isMethod(name)) throw new BadLine(`invalid authentication method "${toText(name)}"`);
  if (name === 'peer' && type !== 'local') {
    throw new BadLine('peer authentication is only supported on local sockets');
  }
  if (name === 'cert' && type !== 'hostssl') {
    throw new BadLine('cert authentication is only supported on hostssl connections');
  }
  return name;
}

/** Reads every token behind the method. Throws BadLine with PostgreSQL's text; a repeated option's last value wins. */
export function parseOptions(
  fields: readonly (readonly Token[])[],
  type: ConnectionType,
  method: Method,
): MethodAndOptions {
  const options: Options = { clientCert: 'off', clientName: 'CN', map: null };
  for (const { text } of fields.flat()) {
    const equals = text.indexOf('=');
    if (equals === -1) {
      throw new BadLine(`authentication option not in name=value format: ${toText(text)}`);
    }
    setOption(options, text.slice(0, equals), text.slice(equals + 1), type, method);
  }
  // SECURITY: method cert without this would admit a client on no certificate at all.
  if (method === 'cert') options.clientCert = 'verify-full';
  return { method, ...options };
}

type Options = { -readonly [K in 'clientCert' | 'clientName' | 'map']: HbaRecord[K] };

function setOption(
  options: Options,
  name: ByteString,
  value: ByteString,
  type: ConnectionType,
  method: Method,
): void {
  switch (name) {
    case 'map':
      if (method !== 'cert' && method !== 'peer') {
        throw new BadLine(onlyValidFor('map', 'ident, peer, gssapi, sspi, cert, and oauth'));
      }
      options.map = value === '' ? null : value;
      return;
    case 'clientcert':
      options.clientCert = parseClientCert(value, type, method);
      return;
    case 'clientname':
      if (type !== 'hostssl') throw new BadLine('clientname can only be configured for "hostssl" rows');
      if (!isClientName(value)) throw new BadLine(`invalid value for clientname: "${toText(value)}"`);
      options.clientName = value;
      return;
    default: {
      const methods = FOREIGN_OPTIONS.get(name);
      throw new BadLine(
        methods === undefined
          ? `unrecognized authentication option name: "${toText(name)}"`
          : onlyValidFor(name, methods),
      );
    }
  }
}

function parseClientCert(
  value: ByteString,
  type: ConnectionType,
  method: Method,
): 'verify-ca' | 'verify-full' {
  if (type !== 'hostssl') throw new BadLine('clientcert can only be configured for "hostssl" rows');
  if (value !== 'verify-ca' && value !== 'verify-full') {
    throw new BadLine(`invalid value for clientcert: "${toText(value)}"`);
  }
  if (value === 'verify-ca' && method === 'cert') {
    throw new BadLine('clientcert only accepts "verify-full" when using "cert" authentication');
  }
  return value;
}

function onlyValidFor(option: string, methods: string): string {
  return `authentication option "${option}" is only valid for authentication methods ${methods}`;
}

function isMethod(name: string): name is Method {
  return METHODS.has(name);
}

function isClientName(value: string): value is ClientName {
  return CLIENT_NAMES.has(value);
}
