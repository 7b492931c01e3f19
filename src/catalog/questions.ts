// What the gate asks the upstream's catalogue, and how the answers are read. Names and operators are qualified: nothing
// depends on a search_path.

import { createHash } from 'node:crypto';
import { fromBytes, fromText, toBytes, type ByteString } from '../base/bytestring.ts';
import type { CatalogRoles } from '../rules/types.ts';
import { QuestionRefused, type CatalogSession, type Question, type Row } from './catalog-session.ts';

/** SECURITY: more memberships than any server has; an answer beyond it is refused whole. */
const MAX_MEMBERSHIPS_BYTES = 67_108_864;

/** A secret has at most 65,530 bytes. */
const MAX_SECRET_ANSWER_BYTES = 262_144;

/**
 * Every direct membership, whether it is inherited or not, as is_member_of_role_nosuper follows them, in PostgreSQL 8.1
 * to 18. pg_roles is open to everybody; names come as the bytes that they are, whatever the encoding.
 */
const MEMBERSHIPS: Question = {
  text: `
SELECT DISTINCT pg_catalog.encode(pg_catalog.namesend(m.rolname), 'hex'),
       pg_catalog.encode(pg_catalog.namesend(r.rolname), 'hex')
  FROM pg_catalog.pg_auth_members a, pg_catalog.pg_roles m, pg_catalog.pg_roles r
 WHERE m.oid OPERATOR(pg_catalog.=) a.member AND r.oid OPERATOR(pg_catalog.=) a.roleid
 ORDER BY 1, 2`,
  values: [],
  maxBytes: MAX_MEMBERSHIPS_BYTES,
};

/** All memberships at one moment. */
export interface Memberships {
  readonly roles: CatalogRoles;
  /** Equal for equal memberships. */
  readonly version: string;
}

/** @throws QuestionRefused, Error */
export async function askMemberships(session: CatalogSession): Promise<Memberships> {
  return readMemberships(await session.ask(MEMBERSHIPS));
}

/** @internal for tests */
export function readMemberships(rows: readonly Row[]): Memberships {
  const roles = new Map<ByteString, ByteString[]>();
  const version = createHash('sha256');
  for (const [member, role] of rows) {
    if (!member || !role) throw new Error('a membership without a name');
    version.update(`${member} ${role}\n`);
    const name = fromHex(member);
    const list = roles.get(name);
    if (list === undefined) roles.set(name, [fromHex(role)]);
    else list.push(fromHex(role));
  }
  return { roles, version: version.digest('base64') };
}

function fromHex(hex: string): ByteString {
  return fromBytes(Buffer.from(hex, 'hex'));
}

/** SQLSTATEs of a name that the database cannot hold, so that no role has it. */
const NO_SUCH_NAME = ['22021', '22P05', '42622'];

/**
 * Asks auth_query for one user.
 *
 * @param query auth_query
 * @returns the secret's text, '' for NULL; null = there is no answer: no row, several, or another name
 * @throws QuestionRefused, Error
 */
export async function askSecret(
  session: CatalogSession,
  query: string,
  user: ByteString,
): Promise<ByteString | null> {
  const bytes = toBytes(user);
  const text = bytes.toString('utf8');
  // PgBouncer sends text, and so does this; a name that is no UTF-8 goes as its bytes.
  const value = Buffer.from(text, 'utf8').equals(bytes) ? text : bytes;
  let rows: readonly Row[];
  try {
    rows = await session.ask({ text: query, values: [value], maxBytes: MAX_SECRET_ANSWER_BYTES });
  } catch (error) {
    if (error instanceof QuestionRefused && NO_SUCH_NAME.includes(error.sqlstate)) return null;
    throw error;
  }
  const [row, ...others] = rows;
  if (row === undefined || others.length > 0) return null;
  const [name, secret] = row;
  if (secret === undefined) throw new Error('auth_query answers with less than two columns');
  // SECURITY: an answer about another user is not an answer: its secret must not let this one in.
  if (name === null || name === undefined || fromText(name) !== user) return null;
  return secret === null ? '' : fromText(secret);
}
