// The vocabulary of the rules: what a pg_hba.conf or pg_ident.conf line becomes, what is known of a connection,
// and what can be decided. Data only; nothing here or beside it imports anything of Node.

import type { CertificateNames } from '../x509/types.ts';
import type { ByteString } from '../base/bytestring.ts';
import type { Code } from '../base/codes.ts';
import type { Problem } from '../base/problems.ts';
import type { Pattern } from '../regex/pattern.ts';

/** A token as the reader found it (semantics §3, T4 to T6). */
export interface Token {
  readonly text: ByteString;
  /** True only when the quote came before the first character; takes away keyword, `+` and `@` meaning. */
  readonly quoted: boolean;
}

/** Where a record stands: its own file (absolute path, as given to the reader) and its first physical line. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/** One record's fields: each a non-empty list of tokens (T7). */
export interface Line extends Place {
  readonly fields: readonly (readonly Token[])[];
  /** The logical line, raw, as PostgreSQL prints it in `Connection matched file "%s" line %d: "%s"`. */
  readonly raw: ByteString;
}

/** How the readers reach files: given by the caller, so that rules/ stays free of Node. */
export interface FileSystem {
  /** The bytes of a file; throws an Error whose `code` is errno's name (ENOENT, …). */
  readFile(path: string): ByteString;
  /** Names in a directory that are not themselves directories; throws likewise. */
  listFiles(path: string): readonly string[];
  /** What `fromFile` names: an absolute path as it is written, any other beside the naming file (T10). */
  resolve(fromFile: string, named: string): string;
}

export type ConnectionType = 'local' | 'host' | 'hostssl' | 'hostnossl' | 'hostgssenc' | 'hostnogssenc';

/** Methods that ask for a password in clear: the upstream must ask for one, and goes on asking its directory (contract §3). */
export type DirectoryMethod = 'ldap' | 'pam' | 'radius' | 'bsd';

/** Methods that the gate cannot carry out. On a host line they refuse their clients (contract §3). */
export type UnsupportedMethod = 'gss' | 'sspi' | 'oauth' | 'ident';

export type Method =
  | 'reject'
  | 'trust'
  | 'cert'
  | 'password'
  | 'md5'
  | 'scram-sha-256'
  | 'peer'
  | DirectoryMethod
  | UnsupportedMethod;

/** A numeric address: 4 bytes or 16. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly bytes: Uint8Array;
}

export type AddressSpec =
  | { readonly kind: 'all' | 'samehost' | 'samenet' }
  | { readonly kind: 'mask'; readonly address: IpAddress; readonly mask: Uint8Array }
  /** A host name, or a suffix when it begins with a dot. */
  | { readonly kind: 'name'; readonly name: ByteString };

/** A database token (semantics §5.6). */
export type DatabaseSpec =
  | { readonly kind: 'all' | 'sameuser' | 'samerole' | 'replication' }
  | { readonly kind: 'pattern'; readonly pattern: Pattern }
  | { readonly kind: 'name'; readonly name: ByteString };

/** A user token (semantics §5.7), and the database-user field of pg_ident.conf (§7.4). */
export type UserSpec =
  | { readonly kind: 'all' }
  | { readonly kind: 'member'; readonly role: ByteString }
  | { readonly kind: 'pattern'; readonly pattern: Pattern }
  | { readonly kind: 'name'; readonly name: ByteString };

/** What `clientname` reads from the certificate; URI, DNS and EMAIL go beyond PostgreSQL (contract §3). */
export type ClientName = 'CN' | 'DN' | 'URI' | 'DNS' | 'EMAIL';

export interface HbaRecord extends Place {
  /** The logical line, raw but for passwords in it. */
  readonly raw: ByteString;
  readonly type: ConnectionType;
  readonly databases: readonly DatabaseSpec[];
  readonly users: readonly UserSpec[];
  /** Null for `local`. */
  readonly address: AddressSpec | null;
  readonly method: Method;
  /** `verify-full` is implied by method cert. */
  readonly clientCert: 'off' | 'verify-ca' | 'verify-full';
  readonly clientName: ClientName;
  /** Null = no map (absent, or `map=`). */
  readonly map: ByteString | null;
}

export interface IdentRecord extends Place {
  readonly map: ByteString;
  readonly systemUser:
    | { readonly kind: 'pattern'; readonly pattern: Pattern }
    | { readonly kind: 'name'; readonly name: ByteString };
  readonly databaseUser: UserSpec;
}

/** A loaded pg_hba.conf. */
export interface HbaRules {
  readonly file: string;
  readonly records: readonly HbaRecord[];
  readonly warnings: readonly Problem[];
}

/** A loaded pg_ident.conf. */
export interface IdentMaps {
  readonly file: string;
  readonly records: readonly IdentRecord[];
  readonly warnings: readonly Problem[];
}

/** `roles:` of the YAML: a role's direct members; byte strings. A role exists when it is a key or a member. */
export type Roles = ReadonlyMap<ByteString, readonly ByteString[]>;

/** Memberships of the upstream's catalogue: a member to the roles that it was granted directly. */
export type CatalogRoles = ReadonlyMap<ByteString, readonly ByteString[]>;

/** One address of this host with its subnet, for samehost and samenet. */
export interface InterfaceAddress {
  readonly address: IpAddress;
  readonly mask: Uint8Array;
}

/** What is known of the client's host name so far; looked up only when a rule asks (semantics §5.5). */
export type HostName =
  | { readonly state: 'unknown' }
  | { readonly state: 'unresolvable'; readonly reason: string }
  | { readonly state: 'resolved'; readonly name: string; readonly forward: Forward };

export type Forward =
  | { readonly state: 'unknown' }
  | { readonly state: 'failed'; readonly reason: string }
  | { readonly state: 'resolved'; readonly addresses: readonly IpAddress[] };

/** Everything a decision may depend on. Never a socket. */
export interface Facts {
  readonly user: ByteString;
  /** Empty for physical replication. */
  readonly database: ByteString;
  readonly replication: 'none' | 'physical' | 'database';
  readonly tls: boolean;
  readonly address: IpAddress;
  /** The client's numeric address as texts show it, IPv4-mapped ones un-mapped. */
  readonly addressText: string;
  readonly hostName: HostName;
  readonly interfaces: () => readonly InterfaceAddress[];
  /** Null = the client sent no certificate. An unverified one never gets here. */
  readonly certificate: CertificateNames | null;
  /** ssl_ca_file is set. */
  readonly hasRootCertificates: boolean;
}

/** Everything that decides, as loaded. */
export interface RuleBook {
  readonly hba: HbaRules;
  readonly ident: IdentMaps;
  readonly roles: Roles;
  /** Memberships of the upstream; `unasked` = a decision that needs them asks for them. Absent: `roles` is all there is. */
  readonly catalog?: CatalogRoles | 'unasked';
}

/** What the upstream must ask the client for, at least (contract §3). */
export type UpstreamDemand = 'none' | 'password' | 'md5' | 'scram-sha-256';

export interface Admission {
  readonly kind: 'admit';
  readonly record: HbaRecord;
  readonly demand: UpstreamDemand;
  /** `identity` of the log line: the full DN for cert, null for trust, the user for password methods. */
  readonly identity: ByteString | null;
  /** The pg_ident.conf line that mapped the name. */
  readonly mapRecord: IdentRecord | null;
}

export interface Refusal {
  readonly kind: 'refuse';
  readonly code: Code;
  /** Null = the implicit reject. */
  readonly record: HbaRecord | null;
  readonly sqlstate: string;
  /** What the client is told, byte for byte. */
  readonly message: ByteString;
  /** PostgreSQL's errdetail_log; never sent. */
  readonly detail: ByteString | null;
  /** PostgreSQL's further LOG lines on the way, in order (`provided user name (…) and …`). */
  readonly notes: readonly ByteString[];
  /** For cert with a failed name check the identity is logged all the same (semantics §6.6); else null. */
  readonly identity: ByteString | null;
}

/**
 * The rules ask for something that takes time: a name, to be put into the facts, or the catalogue's memberships, to be
 * put into the rule book. Then decide again.
 */
export interface LookUp {
  readonly kind: 'look-up';
  readonly want: 'reverse' | 'forward' | 'roles';
}

export type Verdict = Admission | Refusal | LookUp;
