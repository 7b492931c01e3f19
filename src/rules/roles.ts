// Role membership as `roles:` of the configuration declares it (semantics §5.7, contract §7.3).

import type { ByteString } from '../base/bytestring.ts';
import type { Roles } from './types.ts';

/** Role to the roles that name it as a direct member; every role that exists is a key. */
type Parents = ReadonlyMap<ByteString, readonly ByteString[]>;

/** The inverse of each `roles:` in use, so that a decision walks only the user's own memberships. */
const parentsOf = new WeakMap<Roles, Parents>();

/** True when the role is a key or a member in `roles`. */
export function roleExists(role: ByteString, roles: Roles): boolean {
  return invert(roles).has(role);
}

/** All roles that the user is a direct or indirect member of, itself included; none when it is unknown. */
export function membershipsOf(user: ByteString, roles: Roles): ReadonlySet<ByteString> {
  const parents = invert(roles);
  const memberships = new Set<ByteString>();
  if (!parents.has(user)) return memberships;
  memberships.add(user);
  // A Set may grow while it is walked, and holds each role once: cycles end.
  for (const role of memberships) {
    for (const parent of parents.get(role) ?? []) memberships.add(parent);
  }
  return memberships;
}

function invert(roles: Roles): Parents {
  const known = parentsOf.get(roles);
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
  parentsOf.set(roles, parents);
  return parents;
}
