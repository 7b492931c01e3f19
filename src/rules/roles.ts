// Role membership as `roles:` of the configuration declares it, and as the upstream's catalogue has it (semantics §5.7,
// contract §7.3, §13). A role that is a key of `roles:` has exactly the members that stand there. Both nest in one graph.

import type { ByteString } from '../base/bytestring.ts';
import type { CatalogRoles, Roles } from './types.ts';

/** What `roles:` says, arranged for a decision. */
interface Declared {
  /** Member to the roles that name it directly; every role that exists is a key. */
  readonly parents: ReadonlyMap<ByteString, readonly ByteString[]>;
  /** Keys of `roles:` to whose members, direct or not, the catalogue can add nothing. */
  readonly whole: ReadonlySet<ByteString>;
}

/** One for each `roles:` in use, so that a decision walks only the user's own memberships. */
const declaredBy = new WeakMap<Roles, Declared>();

/** True when the role is a key or a member in `roles`. */
export function roleExists(role: ByteString, roles: Roles): boolean {
  return arrange(roles).parents.has(role);
}

/**
 * True when `roles` alone says who is a member of the role: it and everything below it is declared there.
 */
export function isDeclaredWhole(role: ByteString, roles: Roles): boolean {
  return arrange(roles).whole.has(role);
}

/**
 * All roles that the user is a direct or indirect member of, its own name included (contract §7.3).
 *
 * @param catalog null = the catalogue is not asked
 */
export function membershipsOf(
  user: ByteString,
  roles: Roles,
  catalog: CatalogRoles | null,
): ReadonlySet<ByteString> {
  const { parents } = arrange(roles);
  const memberships = new Set([user]);
  // A Set may grow while it is walked, and holds each role once: cycles end.
  for (const role of memberships) {
    for (const parent of parents.get(role) ?? []) memberships.add(parent);
    for (const parent of catalog?.get(role) ?? []) {
      // SECURITY: a role that the configuration declares has no other members, whatever is granted upstream.
      if (!roles.has(parent)) memberships.add(parent);
    }
  }
  return memberships;
}

function arrange(roles: Roles): Declared {
  const known = declaredBy.get(roles);
  if (known !== undefined) return known;
  const parents = new Map<ByteString, ByteString[]>();
  for (const [role, members] of roles) {
    if (!parents.has(role)) parents.set(role, []);
    for (const member of members) {
      const list = parents.get(member);
      if (list === undefined) parents.set(member, [role]);
      else list.push(role);
    }
  }
  const declared = { parents, whole: declaredWhole(roles, parents) };
  declaredBy.set(roles, declared);
  return declared;
}

/** Every key but those above a member that is not a key itself: the catalogue may have members of that one. */
function declaredWhole(
  roles: Roles,
  parents: ReadonlyMap<ByteString, readonly ByteString[]>,
): ReadonlySet<ByteString> {
  const open = new Set([...parents.keys()].filter((role) => !roles.has(role)));
  for (const role of open) {
    for (const parent of parents.get(role) ?? []) open.add(parent);
  }
  return new Set([...roles.keys()].filter((role) => !open.has(role)));
}
