// A record's authentication method and its options (semantics §4.8 to §4.10), with every combination that
// PostgreSQL refuses.

import { toText } from '../base/bytestring.ts';
import type { ByteString } from '../base/bytestring.ts';
import { BadLine } from './bad-line.ts';
import { checkOwnOptions, onlyValidFor, setOwnOption, type OwnOptions } from './method-options.ts';
import type { ClientName, ConnectionType, HbaRecord, Method, Token } from './types.ts';

const METHODS: ReadonlySet<string> = new Set<Method>([
  'reject',
  'trust',
  'cert',
  'password',
  'md5',
  'scram-sha-256',
  'peer',
  'ldap',
  'pam',
  'radius',
  'bsd',
  'gss',
  'sspi',
  'oauth',
  'ident',
]);

/** The methods that take a map, by PostgreSQL's list in its error. */
const MAPPED_METHODS: ReadonlySet<Method> = new Set<Method>([
  'ident',
  'peer',
  'gss',
  'sspi',
  'cert',
  'oauth',
]);

const CLIENT_NAMES: ReadonlySet<string> = new Set<ClientName>(['CN', 'DN', 'URI', 'DNS', 'EMAIL']);

/** What the method field and the fields after it say. */
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
  if (!isMethod(name)) throw new BadLine(`invalid authentication method "${toText(name)}"`);
  if (name === 'peer' && type !== 'local') {
    throw new BadLine('peer authentication is only supported on local sockets');
  }
  if (name === 'cert' && type !== 'hostssl') {
    throw new BadLine('cert authentication is only supported on hostssl connections');
  }
  return name;
}

/** Reads every token after the method. Throws BadLine with PostgreSQL's text; a repeated option's last value wins. */
export function parseOptions(
  fields: readonly (readonly Token[])[],
  type: ConnectionType,
  method: Method,
): MethodAndOptions {
  const options: Options = { clientCert: 'off', clientName: 'CN', map: null };
  const own: OwnOptions = new Map();
  for (const { text } of fields.flat()) {
    const equals = text.indexOf('=');
    if (equals === -1) {
      throw new BadLine(`authentication option not in name=value format: ${toText(text)}`);
    }
    setOption({ options, own, type, method }, text.slice(0, equals), text.slice(equals + 1));
  }
  // Nobody meets a local line, so its method may lack what it needs (contract §3).
  if (type !== 'local') checkOwnOptions(method, own, options.map);
  // SECURITY: method cert without this would admit a client on no certificate at all.
  if (method === 'cert') options.clientCert = 'verify-full';
  return { method, ...options };
}

type Options = { -readonly [K in 'clientCert' | 'clientName' | 'map']: HbaRecord[K] };

interface OptionsOfLine {
  readonly options: Options;
  /** Options that belong to one method. */
  readonly own: OwnOptions;
  readonly type: ConnectionType;
  readonly method: Method;
}

function setOption({ options, own, type, method }: OptionsOfLine, name: ByteString, value: ByteString): void {
  switch (name) {
    case 'map':
      if (!MAPPED_METHODS.has(method)) {
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
    default:
      setOwnOption(own, method, name, value);
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

function isMethod(name: string): name is Method {
  return METHODS.has(name);
}

function isClientName(value: string): value is ClientName {
  return CLIENT_NAMES.has(value);
}
